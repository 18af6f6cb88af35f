/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What went in and out of this broker since its start, by topic and by group and topic, under the names that tools of RocketMQ ask for.
 *
 * <p>What always holds: counting takes no lock and allocates nothing for a topic or group that is known. At most {@value #MOST_METERS} things are
 * counted one by one, what comes later only in the totals; what stood still for a day is forgotten.
 */
public final class Stats implements Duty {
    public static final long MINUTE_MILLIS = 60_000;
    public static final long HOUR_MILLIS = 3_600_000;
    public static final long DAY_MILLIS = 86_400_000;
    static final int MOST_METERS = 10_000;

    private static final long STEP_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final int STEPS_OF_TEN_MINUTES = 60;
    private static final int STEPS_OF_AN_HOUR = 360;

    private final Clock clock;
    private final Meter in;
    private final Meter out;
    private final Map<String, Meter> inByTopic = new ConcurrentHashMap<>();
    /** By group and then by topic: a pull looks both up without making a key. */
    private final Map<String, Map<String, Meter>> outByGroup = new ConcurrentHashMap<>();

    private final Map<String, Map<String, Meter>> givenBack = new ConcurrentHashMap<>();
    private final Map<String, Map<String, Meter>> deadLetters = new ConcurrentHashMap<>();
    private final Durations puts = new Durations();
    private final Durations gets = new Durations();
    private final AtomicInteger meters = new AtomicInteger();
    private final StatsTotals totals;
    private long steps;
    private long today;

    public Stats(Clock clock) {
        this.clock = clock;
        in = new Meter(now());
        out = new Meter(now());
        today = today();
        totals = new StatsTotals(in, out, puts, gets, this::now);
    }

    /** Milliseconds on the hand that never goes back. */
    private long now() {
        return TimeUnit.NANOSECONDS.toMillis(clock.nanoTime());
    }

    private long today() {
        return Math.floorDiv(clock.wallMillis(), DAY_MILLIS);
    }

    /** Messages became visible in a topic. */
    public void stored(String topic, long messages, long bytes) {
        in.add(messages, bytes);
        Meter meter = inByTopic.get(topic);
        if (meter == null) {
            meter = known(inByTopic, topic);
        }
        if (meter != null) {
            meter.add(messages, bytes);
        }
    }

    /** Now, on the hand that never goes back: the begin of what {@link #read} ends. */
    public long nanos() {
        return clock.nanoTime();
    }

    /** A send of so many messages, which came at this time, is answered as stored now. */
    public void answered(long arrivedNanos, long messages) {
        puts.add(clock.nanoTime() - arrivedNanos, messages);
    }

    /** A read for a pull or a pop, begun at this time, ends now. */
    public void read(long fromNanos) {
        gets.add(clock.nanoTime() - fromNanos, 1);
    }

    /** A group was handed messages of a topic. */
    public void delivered(String group, String topic, long messages, long bytes) {
        out.add(messages, bytes);
        count(outByGroup, group, topic, messages, bytes);
    }

    /** A group gave a message back, to get it again later. */
    public void givenBack(String group, String topic) {
        count(givenBack, group, topic, 1, 0);
    }

    /** A group's message became a dead letter. */
    public void deadLetter(String group, String topic) {
        count(deadLetters, group, topic, 1, 0);
    }

    private void count(Map<String, Map<String, Meter>> table, String group, String topic, long messages, long bytes) {
        Map<String, Meter> ofGroup = table.get(group);
        if (ofGroup == null) {
            if (meters.get() >= MOST_METERS) {
                return;
            }
            ofGroup = table.computeIfAbsent(group, g -> new ConcurrentHashMap<>());
        }
        Meter meter = ofGroup.get(topic);
        if (meter == null) {
            meter = known(ofGroup, topic);
        }
        if (meter != null) {
            meter.add(messages, bytes);
        }
    }

    private Meter known(Map<String, Meter> table, String topic) {
        if (meters.get() >= MOST_METERS) {
            return table.get(topic);
        }
        return table.computeIfAbsent(topic, t -> {
            meters.incrementAndGet();
            return new Meter(now());
        });
    }

    /** Messages per second of the last minute that a topic took. */
    public double inPerSecond(String topic) {
        Meter meter = inByTopic.get(topic);
        return meter == null ? 0 : meter.flow(now(), MINUTE_MILLIS, false).perSecond();
    }

    /** Messages per second of the last minute that a group got of a topic. */
    public double outPerSecond(String group, String topic) {
        Meter meter = outByGroup.getOrDefault(group, Map.of()).get(topic);
        return meter == null ? 0 : meter.flow(now(), MINUTE_MILLIS, false).perSecond();
    }

    /** What the broker took and handed out, all topics together. */
    public StatsTotals totals() {
        return totals;
    }

    /**
     * A figure by its name and key as in RocketMQ: the key of a group's figure is {@code topic@group}, of the broker's the cluster.
     *
     * @return null when nothing was counted under them
     */
    public Flow find(String name, String key, long windowMillis) {
        Meter meter = meter(name, key);
        return meter == null ? null : meter.flow(now(), windowMillis, name.endsWith("_SIZE"));
    }

    private Meter meter(String name, String key) {
        return switch (name) {
            case "TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE" -> inByTopic.get(key);
            case "GROUP_GET_NUMS", "GROUP_GET_SIZE" -> ofGroup(outByGroup, key);
            case "SNDBCK_PUT_NUMS" -> ofGroup(givenBack, key);
            case "DLQ_PUT_NUMS" -> ofGroup(deadLetters, key);
            case "BROKER_PUT_NUMS" -> in;
            case "BROKER_GET_NUMS" -> out;
            default -> null;
        };
    }

    private static Meter ofGroup(Map<String, Map<String, Meter>> table, String key) {
        int middle = key.indexOf('@');
        return middle < 0
                ? null
                : table.getOrDefault(key.substring(middle + 1), Map.of()).get(key.substring(0, middle));
    }

    @Override
    public String roleName() {
        return "broker-stats";
    }

    /** Notes the present of everything. */
    @Override
    public long run() {
        long now = now();
        boolean tenMinutes = steps % STEPS_OF_TEN_MINUTES == 0;
        boolean full = steps % STEPS_OF_AN_HOUR == 0;
        steps++;
        long day = today();
        if (day != today) {
            today = day;
            totals.dayBegins();
        }
        in.note(now, tenMinutes, full);
        out.note(now, tenMinutes, full);
        int count = note(inByTopic, now, tenMinutes, full);
        for (Map<String, Map<String, Meter>> table : List.of(outByGroup, givenBack, deadLetters)) {
            for (Map<String, Meter> ofGroup : table.values()) {
                count += note(ofGroup, now, tenMinutes, full);
            }
            table.values().removeIf(Map::isEmpty);
        }
        meters.set(count);
        return STEP_NANOS;
    }

    private static int note(Map<String, Meter> table, long now, boolean tenMinutes, boolean full) {
        table.values().removeIf(meter -> now - meter.movedMillis() > DAY_MILLIS);
        table.values().forEach(meter -> meter.note(now, tenMinutes, full));
        return table.size();
    }
}
