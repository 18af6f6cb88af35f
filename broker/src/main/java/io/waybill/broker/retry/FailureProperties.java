/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageProperties;
import java.util.Map;

/**
 * What is written on a message that failed, so that whoever finds it later can tell where it came from and why it lies there.
 *
 * <p>On every retry copy: RETRY_TOPIC (where it was sent first), ORIGIN_MESSAGE_ID (its first offset id), {@link #RETRY_SINCE_MS}. On a dead
 * letter also DLQ_ORIGIN_TOPIC, DLQ_ORIGIN_MESSAGE_ID and the five below; DELAY is gone, so that sending it again does not delay it.
 */
public final class FailureProperties {
    /** When the message was given back for the first time, wall-clock milliseconds. */
    public static final String RETRY_SINCE_MS = "RETRY_SINCE_MS";
    /** When it was given back for the last time, wall-clock milliseconds. */
    public static final String RETRY_MS = "RETRY_MS";
    /** The client that gave it back the last time. */
    public static final String RETRY_CLIENT = "RETRY_CLIENT";
    /** When it became a dead letter, wall-clock milliseconds. */
    public static final String DLQ_MS = "DLQ_MS";
    /** How often it was delivered in vain. */
    public static final String DLQ_TRIES = "DLQ_TRIES";
    /** One sentence. */
    public static final String DLQ_REASON = "DLQ_REASON";

    /** The group that could not handle it. */
    public static final String DLQ_GROUP = "DLQ_GROUP";
    /** The client that gave it up: its id if that is known, and its address. */
    public static final String DLQ_CLIENT = "DLQ_CLIENT";

    private FailureProperties() {}

    /** A dead letter is given back by a consumer of dead letters: what it says of retries is the life before. */
    static void beginAnew(Map<String, String> properties) {
        properties.remove(MessageProperties.RETRY_TOPIC);
        properties.remove(MessageProperties.ORIGIN_MESSAGE_ID);
        properties.remove(RETRY_SINCE_MS);
        properties.remove(DLQ_MS);
        properties.remove(DLQ_TRIES);
        properties.remove(DLQ_REASON);
    }

    static String triesUsedUp(int maxTries) {
        return "the retries of the group are used up: " + maxTries;
    }

    /** Writes on a message why and when it becomes a dead letter, and who gave it up. */
    public static void mark(
            Map<String, String> properties, String reason, int tries, String group, String client, long nowMillis) {
        properties.remove(MessageProperties.DELAY);
        properties.remove(MessageProperties.REAL_TOPIC);
        properties.remove(MessageProperties.REAL_QID);
        String origin = properties.get(MessageProperties.RETRY_TOPIC);
        boolean wasLetter = origin != null
                && Names.isDeadLetter(origin)
                && properties.containsKey(MessageProperties.DLQ_ORIGIN_TOPIC);
        if (!wasLetter) { // else it tells already where it was really sent
            copy(properties, MessageProperties.RETRY_TOPIC, MessageProperties.DLQ_ORIGIN_TOPIC);
            copy(properties, MessageProperties.ORIGIN_MESSAGE_ID, MessageProperties.DLQ_ORIGIN_MESSAGE_ID);
        }
        properties.putIfAbsent(RETRY_SINCE_MS, Long.toString(nowMillis));
        properties.put(DLQ_MS, Long.toString(nowMillis));
        properties.put(DLQ_TRIES, Integer.toString(tries));
        properties.put(DLQ_REASON, reason);
        properties.put(DLQ_GROUP, group);
        properties.put(DLQ_CLIENT, client);
    }

    private static void copy(Map<String, String> properties, String from, String to) {
        String value = properties.get(from);
        if (value != null) {
            properties.put(to, value);
        }
    }
}
