/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import java.time.Duration;

/** Ranges of settings. */
final class Checks {
    private static final long MAX_MILLIS = Duration.ofDays(1).toMillis();

    private Checks() {}

    static long millis(String setting, Duration value) {
        long millis = value == null ? 0 : value.toMillis();
        if (millis < 1 || millis > MAX_MILLIS) {
            throw Failures.invalid(setting + " must be 1 ms to 1 day, but is " + value, "correct the setting");
        }
        return millis;
    }

    static int positive(String setting, int value) {
        if (value < 1) {
            throw Failures.invalid(setting + " must be at least 1, but is " + value, "correct the setting");
        }
        return value;
    }

    static <T> T given(String setting, T value) {
        if (value == null) {
            throw Failures.invalid(setting + " is missing", "set it before building");
        }
        return value;
    }
}
