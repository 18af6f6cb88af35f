/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

import java.util.concurrent.atomic.LongAdder;

/**
 * Messages and bytes of one thing, and what they were at some moments of the past day.
 *
 * <p>What always holds: adding takes no lock. The past is written by one duty; readers see each ring as of some run of it. A window that is
 * longer than the meter's life begins with the meter, so a rate is never made up. All times are of the hand that never goes back.
 */
final class Meter {
    /** The past of one resolution, newest last. Guarded by itself. */
    private static final class Ring {
        private final long[] millis;
        private final long[] messages;
        private final long[] bytes;
        private int count;

        Ring(int size) {
            millis = new long[size];
            messages = new long[size];
            bytes = new long[size];
        }

        synchronized void add(long nowMillis, long messagesNow, long bytesNow) {
            int at = count++ % millis.length;
            millis[at] = nowMillis;
            messages[at] = messagesNow;
            bytes[at] = bytesNow;
        }

        /** The newest moment at or before a time, so that a window is never shorter than asked for; else the oldest; null if there is none. */
        synchronized Moment before(long millisWanted) {
            Moment found = null;
            for (int i = Math.max(0, count - millis.length); i < count; i++) {
                int at = i % millis.length;
                if (found == null || millis[at] <= millisWanted) {
                    found = new Moment(millis[at], messages[at], bytes[at]);
                }
            }
            return found;
        }
    }

    private record Moment(long millis, long messages, long bytes) {}

    private static final int MINUTE_MOMENTS = 7;
    private static final int HOUR_MOMENTS = 7;
    private static final int DAY_MOMENTS = 25;

    private final LongAdder messages = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final Moment birth;
    private final Ring minute = new Ring(MINUTE_MOMENTS);
    private final Ring hour = new Ring(HOUR_MOMENTS);
    private final Ring day = new Ring(DAY_MOMENTS);
    private volatile long lastMessages;
    private volatile long movedMillis;

    Meter(long nowMillis) {
        birth = new Moment(nowMillis, 0, 0);
        movedMillis = nowMillis;
    }

    void add(long moreMessages, long moreBytes) {
        messages.add(moreMessages);
        bytes.add(moreBytes);
    }

    long messages() {
        return messages.sum();
    }

    long bytes() {
        return bytes.sum();
    }

    /** Notes the present; the duty calls it every ten seconds and says which rings are due. */
    void note(long nowMillis, boolean tenMinutes, boolean full) {
        long messagesNow = messages.sum();
        long bytesNow = bytes.sum();
        if (messagesNow != lastMessages) {
            lastMessages = messagesNow;
            movedMillis = nowMillis;
        }
        minute.add(nowMillis, messagesNow, bytesNow);
        if (tenMinutes) {
            hour.add(nowMillis, messagesNow, bytesNow);
        }
        if (full) {
            day.add(nowMillis, messagesNow, bytesNow);
        }
    }

    /** When it last counted something, to ten seconds. */
    long movedMillis() {
        return movedMillis;
    }

    /** What went through since {@code windowMillis} ago or a little earlier; of messages, or of bytes. */
    Flow flow(long nowMillis, long windowMillis, boolean ofBytes) {
        long fromMillis = nowMillis - windowMillis;
        Moment start = birth;
        if (birth.millis() < fromMillis) {
            Ring ring = windowMillis <= Stats.MINUTE_MILLIS ? minute : windowMillis <= Stats.HOUR_MILLIS ? hour : day;
            Moment known = ring.before(fromMillis);
            start = known != null ? known : birth;
        }
        long wentMessages = messages.sum() - start.messages();
        long sum = ofBytes ? bytes.sum() - start.bytes() : wentMessages;
        double seconds = Math.max(1, nowMillis - start.millis()) / 1_000.0;
        // Less than a second is no basis for a rate.
        return new Flow(sum, sum / Math.max(1, seconds), wentMessages == 0 ? 0 : (double) sum / wentMessages);
    }
}
