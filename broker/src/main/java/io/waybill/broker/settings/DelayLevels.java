/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The table of delay levels. Level 1 is the first entry; a level past the table means its last entry; 0 and below mean no delay.
 */
public final class DelayLevels {
    /** The table every stock client assumes. */
    public static final String DEFAULT = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";

    private final List<Long> millis;

    private DelayLevels(List<Long> millis) {
        this.millis = millis;
    }

    /**
     * Reads {@code "1s 5s 10m 2h 1d"}.
     *
     * @throws IllegalArgumentException names the entry that is not a positive number with a unit of ms, s, m, h or d
     */
    public static DelayLevels parse(String text) {
        List<Long> millis = new ArrayList<>();
        for (String entry : text.trim().split("\\s+")) {
            millis.add(millisOf(entry));
        }
        return new DelayLevels(Collections.unmodifiableList(millis));
    }

    public static DelayLevels defaults() {
        return parse(DEFAULT);
    }

    public int highest() {
        return millis.size();
    }

    /** The level that is really used: within 0 and the highest one. */
    public int clamp(int level) {
        return Math.max(0, Math.min(level, highest()));
    }

    /** The delay of a level in milliseconds, 0 for level 0 and below. */
    public long delayMillis(int level) {
        int clamped = clamp(level);
        return clamped == 0 ? 0 : millis.get(clamped - 1);
    }

    private static long millisOf(String entry) {
        int digits = 0;
        while (digits < entry.length() && Character.digit(entry.charAt(digits), 10) >= 0) {
            digits++;
        }
        long unit = switch (entry.substring(digits)) {
            case "ms" -> 1L;
            case "s" -> 1_000L;
            case "m" -> 60_000L;
            case "h" -> 3_600_000L;
            case "d" -> 86_400_000L;
            default -> 0L;
        };
        if (digits == 0 || digits > 9 || unit == 0 || Long.parseLong(entry.substring(0, digits)) == 0) {
            throw new IllegalArgumentException(
                    "delay level '" + entry + "' is not a positive number with a unit of ms, s, m, h or d");
        }
        return Long.parseLong(entry.substring(0, digits)) * unit;
    }
}
