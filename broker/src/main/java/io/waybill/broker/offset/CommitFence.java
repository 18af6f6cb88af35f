/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.remoting.Connection;

/** Keeps a client that lost a queue it consumed in order from putting the group's offset back. Asked for every commit of a client; must be cheap. */
@FunctionalInterface
public interface CommitFence {
    CommitFence NONE = (group, topic, queueId, before, offset, connection, isAsked) -> null;

    /**
     * Null, or the sentence why the offset does not count.
     *
     * @param before the group's offset so far, negative for none
     * @param isAsked whether the client waits for an answer, as tools do; consumers commit without
     */
    String refusal(
            String group, String topic, int queueId, long before, long offset, Connection connection, boolean isAsked);
}
