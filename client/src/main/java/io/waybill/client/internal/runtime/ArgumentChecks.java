/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.protocol.Names;
import java.time.Duration;

/** What callers give: names, and ranges of settings. */
public final class ArgumentChecks {
    private static final long MAX_MILLIS = Duration.ofDays(1).toMillis();

    private ArgumentChecks() {}

    public static long millis(String setting, Duration value) {
        long millis = value == null ? 0 : value.toMillis();
        if (millis < 1 || millis > MAX_MILLIS) {
            throw ClientExceptions.invalid(setting + " must be 1 ms to 1 day, but is " + value, "correct the setting");
        }
        return millis;
    }

    public static int positive(String setting, int value) {
        if (value < 1) {
            throw ClientExceptions.invalid(setting + " must be at least 1, but is " + value, "correct the setting");
        }
        return value;
    }

    public static void topic(String topic) {
        String problem = topic == null ? "topic is missing" : Names.checkTopic(topic);
        if (problem != null) {
            throw ClientExceptions.invalid(problem, "correct the name");
        }
    }

    public static void group(String group) {
        String problem = group == null ? "group is missing" : Names.checkGroup(group);
        if (problem != null) {
            throw ClientExceptions.invalid(problem, "correct the name");
        }
    }

    public static <T> T given(String setting, T value) {
        if (value == null) {
            throw ClientExceptions.invalid(setting + " is missing", "set it before building");
        }
        return value;
    }
}
