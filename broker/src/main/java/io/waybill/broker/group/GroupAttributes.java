/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.protocol.body.SubscriptionGroupConfig;
import java.util.Map;

/** The attributes of a group that mean something to this broker; others are kept and shown, nothing else. */
public final class GroupAttributes {
    /** Messages per second the group may get from this broker; absent or 0 = as many as it wants. */
    public static final String RATE = "waybill.rate";

    /** Failures of a message after which its key is quarantined, in ordered consumption; absent = never. */
    public static final String QUARANTINE_AFTER = "waybill.quarantine.after";

    private static final int MOST_PER_SECOND = 100_000_000;

    private GroupAttributes() {}

    /** Messages per second, 0 = no limit. */
    public static int rate(SubscriptionGroupConfig group) {
        String text = group.attributes().isEmpty() ? null : group.attributes().get(RATE);
        return text == null ? 0 : Math.max(0, number(text));
    }

    /** Failures before a key is quarantined, 0 = never. */
    public static int quarantineAfter(SubscriptionGroupConfig group) {
        String text = group.attributes().isEmpty() ? null : group.attributes().get(QUARANTINE_AFTER);
        return text == null ? 0 : Math.max(0, number(text));
    }

    /** Null when fine, else the sentence that names attribute, what it may be and what was seen. */
    static String refusal(Map<String, String> attributes) {
        String rate = attributes.get(RATE);
        if (rate != null && number(rate) < 0) {
            return "attribute " + RATE + ": must be a whole number of messages per second from 0 (no limit) to "
                    + MOST_PER_SECOND + ", was " + rate;
        }
        String quarantine = attributes.get(QUARANTINE_AFTER);
        if (quarantine != null && number(quarantine) < 1) {
            return "attribute " + QUARANTINE_AFTER + ": must be a whole number of failures from 1, was " + quarantine;
        }
        return null;
    }

    /** -1 when it is none or too large. */
    private static int number(String text) {
        try {
            int number = Integer.parseInt(text);
            return number <= MOST_PER_SECOND ? number : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
