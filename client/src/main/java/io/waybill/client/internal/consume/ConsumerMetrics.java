/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.platform.Clock;
import io.waybill.protocol.body.ConsumerRunningInfo.TopicStatus;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** How a consumer fares, by topic: counts per minute of the last hour. */
public final class ConsumerMetrics {
    private static final int MINUTES = 60;
    private static final long MINUTE_NANOS = 60_000_000_000L;

    private static final int PULLS = 0;
    private static final int PULLED = 1;
    private static final int PULL_NANOS = 2;
    private static final int HANDLED = 3;
    private static final int FAILED = 4;
    private static final int HANDLE_NANOS = 5;
    private static final int KINDS = 6;

    /** One topic; guarded by itself. */
    private static final class Topic {
        final long[][] minutes = new long[MINUTES][KINDS];
        long minute; // the one counted now
    }

    private final Clock clock;
    private final long startNanos;
    private final Map<String, Topic> topics = new ConcurrentHashMap<>();

    public ConsumerMetrics(Clock clock) {
        this.clock = clock;
        this.startNanos = clock.nanoTime();
    }

    public void pulled(String topic, int messages, long nanos) {
        count(topic, PULLS, 1, PULLED, messages, PULL_NANOS, nanos);
    }

    void handled(String topic, boolean success, long nanos) {
        count(topic, success ? HANDLED : FAILED, 1, HANDLE_NANOS, nanos, KINDS, 0);
    }

    private void count(String name, int first, long a, int second, long b, int third, long c) {
        Topic topic = topics.computeIfAbsent(name, n -> new Topic());
        synchronized (topic) {
            long[] now = minute(topic);
            now[first] += a;
            now[second] += b;
            if (third < KINDS) {
                now[third] += c;
            }
        }
    }

    private long[] minute(Topic topic) {
        long minute = (clock.nanoTime() - startNanos) / MINUTE_NANOS;
        for (long m = Math.max(topic.minute + 1, minute - MINUTES + 1); m <= minute; m++) {
            java.util.Arrays.fill(topic.minutes[(int) (m % MINUTES)], 0);
        }
        topic.minute = minute;
        return topic.minutes[(int) (minute % MINUTES)];
    }

    public Map<String, TopicStatus> snapshot() {
        Map<String, TopicStatus> all = new TreeMap<>();
        topics.forEach((name, topic) -> {
            synchronized (topic) {
                all.put(name, status(topic));
            }
        });
        return all;
    }

    private TopicStatus status(Topic topic) {
        long[] now = minute(topic);
        long[] last = topic.minute == 0 ? new long[KINDS] : topic.minutes[(int) ((topic.minute - 1) % MINUTES)];
        double seconds =
                (clock.nanoTime() - startNanos - Math.max(0, topic.minute - 1) * MINUTE_NANOS) / 1_000_000_000.0;
        double perSecond = 1 / Math.max(1, seconds);
        long handlings = now[HANDLED] + last[HANDLED] + now[FAILED] + last[FAILED];
        long failed = 0;
        for (long[] minute : topic.minutes) {
            failed += minute[FAILED];
        }
        return new TopicStatus(
                millis(now[PULL_NANOS] + last[PULL_NANOS], now[PULLS] + last[PULLS]),
                (now[PULLED] + last[PULLED]) * perSecond,
                millis(now[HANDLE_NANOS] + last[HANDLE_NANOS], handlings),
                (now[HANDLED] + last[HANDLED]) * perSecond,
                (now[FAILED] + last[FAILED]) * perSecond,
                failed);
    }

    private static double millis(long nanos, long count) {
        return count == 0 ? 0 : nanos / 1_000_000.0 / count;
    }
}
