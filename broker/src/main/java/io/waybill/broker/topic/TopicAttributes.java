/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.protocol.body.TopicConfig;
import java.util.Map;
import java.util.Set;

/** The attributes of a topic that mean something to this broker; others are kept and shown, nothing else. */
public final class TopicAttributes {
    /** Which kind of messages the topic is for. */
    public static final String MESSAGE_TYPE = "message.type";

    /** For how long a key of a message is remembered: a second send with it within that time is answered with the first. */
    public static final String DEDUP = "waybill.dedup";

    /** The message.type of topics whose messages go to the queue of their priority, whatever else they ask for. */
    public static final String PRIORITY = "PRIORITY";

    /** The message.type of topics whose messages are consumed in order. */
    private static final String FIFO = "FIFO";

    private static final Set<String> MESSAGE_TYPES =
            Set.of("UNSPECIFIED", "NORMAL", FIFO, "DELAY", "TRANSACTION", PRIORITY, "MIXED", "LITE");

    private static final int MAX_NAME_LENGTH = 128;

    private static final long LONGEST_DEDUP_MILLIS = 366 * 86_400_000L;

    private TopicAttributes() {}

    public static boolean isPriority(TopicConfig topic) {
        return !topic.attributes().isEmpty()
                && PRIORITY.equals(topic.attributes().get(MESSAGE_TYPE));
    }

    /** Whether the messages of the topic are to be consumed in order. */
    public static boolean isFifo(TopicConfig topic) {
        return !topic.attributes().isEmpty() && FIFO.equals(topic.attributes().get(MESSAGE_TYPE));
    }

    /** How long the topic remembers keys, milliseconds; 0 when it does not. */
    public static long dedupMillis(TopicConfig topic) {
        String window = topic.attributes().isEmpty() ? null : topic.attributes().get(DEDUP);
        return window == null ? 0 : windowMillis(window);
    }

    /** Null when fine, else the sentence that names attribute, what it may be and what was seen. */
    static String refusal(Map<String, String> attributes) {
        for (Map.Entry<String, String> attribute : attributes.entrySet()) {
            String refusal = refusal(attribute.getKey(), attribute.getValue());
            if (refusal != null) {
                return refusal;
            }
        }
        String type = attributes.get(MESSAGE_TYPE);
        if (type != null && !MESSAGE_TYPES.contains(type)) {
            return "attribute " + MESSAGE_TYPE + " must be one of UNSPECIFIED, NORMAL, FIFO, DELAY, TRANSACTION,"
                    + " PRIORITY, MIXED, LITE, seen: " + type;
        }
        String window = attributes.get(DEDUP);
        if (window != null && windowMillis(window) == 0) {
            return "attribute " + DEDUP + " must be a time such as 7d, 12h, 30m or 10s, at most 366d, seen: " + window;
        }
        return null;
    }

    /** Of any attribute: its name is one word, its value one line. */
    private static String refusal(String name, String value) {
        boolean isWord = !name.isEmpty()
                && name.length() <= MAX_NAME_LENGTH
                && name.chars()
                        .allMatch(c -> c >= 'a' && c <= 'z'
                                || c >= 'A' && c <= 'Z'
                                || c >= '0' && c <= '9'
                                || "._-".indexOf(c) >= 0);
        if (!isWord) {
            return "the name of an attribute must have 1 to " + MAX_NAME_LENGTH
                    + " letters, digits and . _ - only, seen: "
                    + (name.length() <= MAX_NAME_LENGTH ? "'" + name + "'" : name.length() + " characters");
        }
        if (value == null || value.chars().anyMatch(c -> c < ' ' || c >= 0x7f && c < 0xa0)) {
            return "attribute " + name + " must have a value without control characters";
        }
        return null;
    }

    /** 0 when it is no time or too long. */
    private static long windowMillis(String text) {
        int last = text.length() - 1;
        if (last < 1 || last > 9) {
            return 0;
        }
        long unit = switch (text.charAt(last)) {
            case 's' -> 1_000L;
            case 'm' -> 60_000L;
            case 'h' -> 3_600_000L;
            case 'd' -> 86_400_000L;
            default -> 0L;
        };
        long number = 0;
        for (int i = 0; i < last; i++) {
            char digit = text.charAt(i);
            if (digit < '0' || digit > '9') {
                return 0;
            }
            number = number * 10 + digit - '0';
        }
        long millis = number * unit;
        return millis <= LONGEST_DEDUP_MILLIS ? millis : 0;
    }
}
