/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/**
 * How long a group's failed message rests before it is delivered again, as the member {@code groupRetryPolicy} of the group's settings says it:
 *
 * <pre>
 *   {"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000,5000,60000]}}
 *   {"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5000,"max":7200000,"multiplier":2}}
 * </pre>
 *
 * A delay is never negative and never longer than {@link #LONGEST_MILLIS}.
 */
public sealed interface RetryPolicy {
    int MOST_STEPS = 100;
    long LONGEST_MILLIS = 365L * 86_400_000;
    int LARGEST_MULTIPLIER = 1_000;

    /** Milliseconds before the next delivery of a message that failed {@code triesBefore} times before its latest failure. */
    long delayMillis(int triesBefore);

    /** The first entry is for the first retry; the last one for all that follow it. */
    record Customized(List<Long> nextMillis) implements RetryPolicy {
        public Customized {
            nextMillis = List.copyOf(nextMillis);
        }

        @Override
        public long delayMillis(int triesBefore) {
            return nextMillis.get(Math.max(0, Math.min(triesBefore, nextMillis.size() - 1)));
        }
    }

    /** {@code initial * multiplier ^ triesBefore}, at most {@code max}. */
    record Exponential(long initialMillis, long maxMillis, double multiplier) implements RetryPolicy {
        public static final Exponential USUAL = new Exponential(5_000, 7_200_000, 2);

        @Override
        public long delayMillis(int triesBefore) {
            return (long) Math.min(maxMillis, initialMillis * Math.pow(multiplier, Math.max(0, triesBefore)));
        }
    }

    /**
     * Null when the settings leave it to the delay levels: no policy at all, or a CUSTOMIZED one without a table, which is what the tools send for
     * a group nobody chose a policy for.
     *
     * @throws BadField naming the member, its limit and what was seen
     */
    static RetryPolicy parse(JsonObject policy) {
        if (policy == null) {
            return null;
        }
        String type = policy.getString("type", "CUSTOMIZED");
        return switch (type) {
            case "CUSTOMIZED" -> customized(policy.getObject("customizedRetryPolicy"));
            case "EXPONENTIAL" -> exponential(policy.getObject("exponentialRetryPolicy"));
            default -> throw new BadField("groupRetryPolicy.type", "CUSTOMIZED or EXPONENTIAL", type);
        };
    }

    private static RetryPolicy customized(JsonObject table) {
        if (table == null || table.get("next") == null) {
            return null;
        }
        String field = "groupRetryPolicy.customizedRetryPolicy.next";
        List<Long> next = table.getArray("next").longs(field);
        if (next.isEmpty() || next.size() > MOST_STEPS) {
            throw new BadField(field, "1 to " + MOST_STEPS + " delays", next.size() + "");
        }
        List<Long> delays = new ArrayList<>(next.size());
        for (long millis : next) {
            delays.add(inRange(field, millis, 0, LONGEST_MILLIS));
        }
        return new Customized(delays);
    }

    private static RetryPolicy exponential(JsonObject told) {
        if (told == null) {
            return Exponential.USUAL;
        }
        String stem = "groupRetryPolicy.exponentialRetryPolicy.";
        Exponential usual = Exponential.USUAL;
        long initial = inRange(stem + "initial", told.getLong("initial", usual.initialMillis()), 1, LONGEST_MILLIS);
        long max = inRange(
                stem + "max", told.getLong("max", Math.max(initial, usual.maxMillis())), initial, LONGEST_MILLIS);
        double multiplier = told.getDouble("multiplier", usual.multiplier());
        if (!(multiplier >= 1 && multiplier <= LARGEST_MULTIPLIER)) {
            throw new BadField(stem + "multiplier", "from 1 to " + LARGEST_MULTIPLIER, multiplier + "");
        }
        return new Exponential(initial, max, multiplier);
    }

    private static long inRange(String field, long millis, long least, long most) {
        if (millis < least || millis > most) {
            throw new BadField(field, "from " + least + " to " + most + " ms", millis + "");
        }
        return millis;
    }
}
