/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import java.time.Instant;

/** Times as people read them. */
final class Times {
    private Times() {}

    /** An instant, to the second, in UTC. */
    static String at(long millis) {
        return Instant.ofEpochMilli(millis / 1_000 * 1_000).toString();
    }

    /** A length of time in its two largest units. */
    static String length(long millis) {
        long seconds = Math.max(0, millis) / 1_000;
        if (seconds < 60) {
            return seconds + " s";
        }
        if (seconds < 3_600) {
            return seconds / 60 + " min " + seconds % 60 + " s";
        }
        if (seconds < 86_400) {
            return seconds / 3_600 + " h " + seconds % 3_600 / 60 + " min";
        }
        return seconds / 86_400 + " d " + seconds % 86_400 / 3_600 + " h";
    }

    static String ago(long millis, long nowMillis) {
        return at(millis) + ", " + length(nowMillis - millis) + " ago";
    }
}
