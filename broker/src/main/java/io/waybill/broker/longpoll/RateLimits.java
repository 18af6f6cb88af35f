/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.broker.group.GroupAttributes;
import io.waybill.broker.group.Groups;
import io.waybill.platform.Clock;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How many messages a group may get, by its attribute {@code waybill.rate}.
 *
 * <p>What always holds: in any time t a group with a limit is granted at most rate x (t + 1 s) messages; what was
 * granted and not used is given back. A change of the attribute holds from the next call on. By the monotonic clock.
 * Safe from any thread; a group without a limit costs one lookup.
 */
public final class RateLimits {
    private static final long SECOND_NANOS = 1_000_000_000L;
    /** Who found nothing waits for so much of a second's worth, so that it does not come for each message. */
    private static final int PORTIONS_PER_SECOND = 20;

    private final Groups groups;
    private final Clock clock;
    private final Map<String, Bucket> buckets = new ConcurrentHashMap<>();

    /**
     * A message costs {@link #SECOND_NANOS}; each nanosecond brings as many as messages are allowed per second. Guarded
     * by itself.
     */
    private static final class Bucket {
        int rate;
        long credit;
        long sinceNanos;
    }

    public RateLimits(Groups groups, Clock clock) {
        this.groups = groups;
        this.clock = clock;
    }

    private int rate(String group) {
        SubscriptionGroupConfig config = groups.find(group);
        return config == null ? 0 : GroupAttributes.rate(config);
    }

    /**
     * How many of the wanted messages the group may get now, from 0; all if it has no limit. They count as got until
     * they are given back.
     */
    public long take(String group, long wanted) {
        int rate = rate(group);
        if (rate == 0) {
            return wanted;
        }
        Bucket bucket = bucket(group);
        synchronized (bucket) {
            fill(bucket, rate);
            long granted = Math.max(0, Math.min(wanted, bucket.credit / SECOND_NANOS));
            bucket.credit -= granted * SECOND_NANOS;
            return granted;
        }
    }

    /** Gives back what was taken and not used. */
    public void giveBack(String group, long count) {
        Bucket bucket = count <= 0 ? null : buckets.get(group);
        if (bucket != null) {
            synchronized (bucket) {
                bucket.credit = Math.min(most(bucket.rate), bucket.credit + count * SECOND_NANOS);
            }
        }
    }

    /** How long it is worth waiting before asking again, from 0 to a second. */
    public long waitNanos(String group) {
        int rate = rate(group);
        if (rate == 0) {
            return 0;
        }
        Bucket bucket = bucket(group);
        synchronized (bucket) {
            fill(bucket, rate);
            long wanted = Math.max(1, rate / PORTIONS_PER_SECOND) * SECOND_NANOS;
            return Math.max(0, (wanted - bucket.credit + rate - 1) / rate);
        }
    }

    private Bucket bucket(String group) {
        return buckets.computeIfAbsent(group, name -> {
            Bucket fresh = new Bucket();
            fresh.sinceNanos = clock.nanoTime() - SECOND_NANOS; // begins full
            return fresh;
        });
    }

    private void fill(Bucket bucket, int rate) {
        long now = clock.nanoTime();
        long passed = Math.max(0, Math.min(now - bucket.sinceNanos, SECOND_NANOS));
        bucket.sinceNanos = now;
        bucket.rate = rate;
        bucket.credit = Math.min(most(rate), bucket.credit + passed * rate);
    }

    /** A second's worth: at least one message, as a rate is a whole number. */
    private static long most(int rate) {
        return rate * SECOND_NANOS;
    }
}
