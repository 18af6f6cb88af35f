/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAccumulator;
import java.util.concurrent.atomic.LongAdder;

/**
 * How long one kind of work took, counted in the classes that RocketMQ's storage statistics use.
 *
 * <p>What always holds: adding takes no lock and allocates nothing; each duration is counted in exactly one class; the longest never falls.
 */
final class Durations {
    /** The first class holds what took no whole millisecond; each other one ends before its bound, the last one has none. */
    private static final long[] BOUNDS_MILLIS = {1, 10, 50, 100, 200, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000};

    private static final String[] NAMES = {
        "[<=0ms]",
        "[0~10ms]",
        "[10~50ms]",
        "[50~100ms]",
        "[100~200ms]",
        "[200~500ms]",
        "[500ms~1s]",
        "[1~2s]",
        "[2~3s]",
        "[3~4s]",
        "[4~5s]",
        "[5~10s]",
        "[10s~]"
    };

    private final LongAdder[] counts = new LongAdder[NAMES.length];
    private final LongAccumulator longestNanos = new LongAccumulator(Math::max, 0);

    Durations() {
        for (int i = 0; i < counts.length; i++) {
            counts[i] = new LongAdder();
        }
    }

    void add(long nanos, long times) {
        long millis = TimeUnit.NANOSECONDS.toMillis(nanos);
        int at = 0;
        while (at < BOUNDS_MILLIS.length && millis >= BOUNDS_MILLIS[at]) {
            at++;
        }
        counts[at].add(times);
        longestNanos.accumulate(nanos);
    }

    long longestMillis() {
        return TimeUnit.NANOSECONDS.toMillis(longestNanos.get());
    }

    /** {@code [<=0ms]:7 [0~10ms]:3 ...}: the text that tools of RocketMQ take apart at blanks and colons. */
    String text() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < NAMES.length; i++) {
            text.append(i == 0 ? "" : " ").append(NAMES[i]).append(':').append(counts[i].sum());
        }
        return text.toString();
    }
}
