/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;

/**
 * A replay of what a topic stored in {@code [from, to)}: the messages are read again for a side group of their own, so no living group notices.
 * Within a queue they come in their order; across queues by store time as far as it is known.
 *
 * <p>The side group's progress is committed on the way: a replay that broke goes on where it stopped when it is run again. Not for use from several
 * threads.
 */
public interface Replay {
    /** Begins with the first message stored at this time or later; the oldest kept unless set. */
    Replay from(Instant time);

    /** Ends before the first message stored at this time or later; what is stored when the replay begins unless set. */
    Replay to(Instant time);

    /** Only messages with one of the tags, e.g. {@code "CREATED || PAID"}. */
    Replay tags(String expression);

    /** The side group that keeps the progress; required for {@link #run}. It must not be the group of a living consumer. */
    Replay into(String sideGroup);

    /** At most this many messages a second; no limit unless set. */
    Replay rate(double messagesPerSecond);

    /** Forgets what an earlier run of the side group has done and begins anew. */
    Replay restart();

    /** What a replay would read. Changes nothing. */
    ReplayPreview preview();

    /**
     * Reads the interval and returns when it is done. Interrupting the thread stops it in an orderly way.
     *
     * @throws WaybillException if the handler threw (it is the cause), a broker stayed away, or the side group has living members
     */
    ReplayResult run(ReplayHandler handler);
}
