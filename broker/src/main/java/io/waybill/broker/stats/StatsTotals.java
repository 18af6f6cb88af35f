/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

import java.util.function.LongSupplier;

/** What a broker took and handed out since its start, all topics together. Read from any thread. */
public final class StatsTotals {
    private final Meter in;
    private final Meter out;
    private final Durations puts;
    private final Durations gets;
    private final LongSupplier nowMillis;
    private volatile long[] mornings = new long[4]; // in yesterday, out yesterday, in today, out today

    /** @param nowMillis on the hand that never goes back */
    StatsTotals(Meter in, Meter out, Durations puts, Durations gets, LongSupplier nowMillis) {
        this.in = in;
        this.out = out;
        this.puts = puts;
        this.gets = gets;
        this.nowMillis = nowMillis;
    }

    /** Called by one thread, at the first step of each day (UTC). */
    void dayBegins() {
        mornings = new long[] {mornings[2], mornings[3], in.messages(), out.messages()};
    }

    /** Messages per second that this broker took, or handed out, in a window. */
    public double perSecond(boolean handedOut, long windowMillis) {
        return (handedOut ? out : in)
                .flow(nowMillis.getAsLong(), windowMillis, false)
                .perSecond();
    }

    /** Messages since the start that this broker took, or handed out. */
    public long messages(boolean handedOut) {
        return (handedOut ? out : in).messages();
    }

    /** Bytes since the start of the messages that this broker took, or handed out. */
    public long bytes(boolean handedOut) {
        return (handedOut ? out : in).bytes();
    }

    /** The total as of the last midnight (UTC) or the one before; 0 before the start. */
    public long atMidnight(boolean handedOut, boolean yesterday) {
        return mornings[(yesterday ? 0 : 2) + (handedOut ? 1 : 0)];
    }

    /** How many messages took how long from request to answer, in the classes and the text of RocketMQ. */
    public String putDistribution() {
        return puts.text();
    }

    /** The longest time from a send's request to its answer, or the longest read. */
    public long longestMillis(boolean handedOut) {
        return (handedOut ? gets : puts).longestMillis();
    }
}
