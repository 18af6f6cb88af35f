/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.remoting.Connection;

/** Is notified of what happens to the offsets of groups. Any thread; must not block. */
public interface OffsetListener {
    /** A client committed an offset that differs from the one before, which is negative when there was none. It can be queried. */
    default void committed(String group, String topic, int queueId, long before, long offset, Connection connection) {}

    /**
     * An offset was set by other means than popping: by a client that pulls, or by a reset, before that is handed to the log; a negative one was removed.
     */
    default void set(String group, String topic, int queueId, long offset, boolean isReset) {}

    /** An offset is about to be read from the log: who knows from a run before that it is another one calls {@link Offsets#restore}. May read the disk. */
    default void reading(String group, String topic, int queueId) {}

    /** The same for all offsets. */
    default void readingAll() {}

    /** An offset was reset: a read that waits can be answered with the new one. */
    default void reset(String group, String topic, int queueId) {}
}
