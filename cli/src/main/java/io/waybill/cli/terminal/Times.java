/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times and durations as people type them. What is printed is always UTC and says so by its Z. */
public final class Times {
    private static final Pattern DURATION = Pattern.compile("([0-9]{1,15})(ms|s|m|h|d)");
    private static final Pattern MILLIS = Pattern.compile("[0-9]{9,18}");

    private Times() {}

    /**
     * {@code 1500ms}, {@code 10s}, {@code 5m}, {@code 2h}, {@code 3d}.
     *
     * @throws IllegalArgumentException with the forms that work
     */
    public static Duration duration(String text) {
        Matcher match = DURATION.matcher(text);
        if (!match.matches()) {
            throw new IllegalArgumentException(
                    "'" + text + "' is no duration; write for example 500ms, 10s, 5m, 2h or 3d");
        }
        long count = Long.parseLong(match.group(1));
        return switch (match.group(2)) {
            case "ms" -> Duration.ofMillis(count);
            case "s" -> Duration.ofSeconds(count);
            case "m" -> Duration.ofMinutes(count);
            case "h" -> Duration.ofHours(count);
            default -> Duration.ofDays(count);
        };
    }

    /**
     * {@code 10m} (so long before now), {@code 2026-11-22T12:00:00Z}, {@code 2026-11-22 12:00} (in the zone), a date, or
     * milliseconds since the epoch.
     *
     * @throws IllegalArgumentException with the forms that work
     */
    public static Instant instant(String typed, Instant now, ZoneId zone) {
        // Logs and databases write a blank where RFC 3339 has a T.
        String text = typed.replaceFirst("^([0-9]{4}-[0-9]{2}-[0-9]{2})[ _]+(?=[0-9])", "$1T");
        if (DURATION.matcher(text).matches()) {
            return now.minus(duration(text));
        }
        if (MILLIS.matcher(text).matches()) {
            return Instant.ofEpochMilli(Long.parseLong(text));
        }
        try {
            if (text.length() == 10) {
                return LocalDate.parse(text).atStartOfDay(zone).toInstant();
            }
            if (text.endsWith("Z") || text.matches(".*T.*[+-][0-9:]+")) {
                return OffsetDateTime.parse(text).toInstant();
            }
            return LocalDateTime.parse(text).atZone(zone).toInstant();
        } catch (DateTimeException e) {
            throw new IllegalArgumentException("'" + typed + "' is no time; write for example 10m (so long ago),"
                    + " 2026-11-22T12:00:00Z, 2026-11-22T12:00 (zone " + zone + ") or milliseconds since 1970");
        }
    }

    /**
     * A duration as an option's value.
     *
     * @return null for null
     * @throws Failure of wrong usage with the forms that work
     */
    public static Duration durationOption(String option, String text) {
        try {
            return text == null ? null : duration(text);
        } catch (IllegalArgumentException e) {
            throw new Failure(ExitCode.USAGE, option + ": " + e.getMessage());
        }
    }

    /**
     * A time as an option's value.
     *
     * @throws Failure of wrong usage with the forms that work
     */
    public static Instant instantOption(String option, String text) {
        try {
            return instant(text, Instant.now(), ZoneId.systemDefault());
        } catch (IllegalArgumentException e) {
            throw new Failure(ExitCode.USAGE, option + ": " + e.getMessage());
        }
    }

    /** In its two largest units: {@code 2d 3h}, {@code 5m 7s}, {@code 80ms}. */
    public static String text(Duration duration) {
        long seconds = duration.toSeconds();
        if (seconds < 1) {
            return duration.toMillis() + "ms";
        }
        long[] sizes = {86_400, 3_600, 60, 1};
        String[] units = {"d", "h", "m", "s"};
        for (int i = 0; i < sizes.length - 1; i++) {
            if (seconds >= sizes[i]) {
                long rest = seconds % sizes[i] / sizes[i + 1];
                return seconds / sizes[i] + units[i] + (rest == 0 ? "" : " " + rest + units[i + 1]);
            }
        }
        return seconds + "s";
    }

    /** To the millisecond, in UTC. */
    public static String text(Instant time) {
        return DateTimeFormatter.ISO_INSTANT.format(time.truncatedTo(ChronoUnit.MILLIS));
    }
}
