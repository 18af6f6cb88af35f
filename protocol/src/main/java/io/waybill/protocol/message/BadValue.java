/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

/**
 * A value from outside that breaks a rule of the protocol. The text always names the field, the limit and what was seen, and never repeats
 * more than a short piece of the value. Carries no stack trace: it is an answer to a peer, not a bug.
 */
public class BadValue extends RuntimeException {
    private static final int SHOWN_LENGTH = 64;

    private final String field;

    public BadValue(String field, String limit, String seen) {
        super(field + ": must be " + limit + ", but was " + shorten(seen), null, false, false);
        this.field = field;
    }

    /** The name of the field at fault. */
    public final String field() {
        return field;
    }

    private static String shorten(String seen) {
        if (seen == null) {
            return "missing";
        }
        StringBuilder shown = new StringBuilder(Math.min(seen.length(), SHOWN_LENGTH) + 3);
        for (int i = 0; i < seen.length() && i < SHOWN_LENGTH; i++) {
            char c = seen.charAt(i);
            shown.append(Character.isISOControl(c) ? '?' : c);
        }
        return seen.length() > SHOWN_LENGTH ? shown.append("...").toString() : shown.toString();
    }
}
