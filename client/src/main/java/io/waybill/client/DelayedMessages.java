/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;

/** Delayed messages that wait for their time. Reached by {@link Admin#delayed()}; each call asks the brokers anew and waits. */
public interface DelayedMessages {
    /**
     * What waits, the earliest first.
     *
     * @param topic only of this topic, or null
     * @param key only with this business key or message id, or null; needs a topic
     * @param max at most so many
     */
    Waiting list(String topic, String key, int max);

    /**
     * Cancels.
     *
     * @param which the messages meant
     * @param by who does it; recorded
     */
    DelayedChange cancel(Selector which, String by);

    /**
     * Moves to another time; a time that has passed means at once.
     *
     * @param which the messages meant
     * @param by who does it; recorded
     */
    DelayedChange reschedule(Selector which, Instant deliverAt, String by);

    /**
     * Names delayed messages of a topic.
     *
     * @param topic the topic
     * @param by what the name is
     * @param name the name
     * @param broker the broker that keeps it, or null for all; needed with a handle
     */
    record Selector(String topic, By by, String name, String broker) {
        /** Kinds of names. */
        public enum By {
            /** A business key; may speak of several messages. */
            KEY,
            /** The id of one message. */
            MESSAGE_ID,
            /** The number of one message at its broker. */
            HANDLE
        }

        /** All with this business key. */
        public static Selector key(String topic, String key) {
            return new Selector(topic, By.KEY, key, null);
        }

        /** The one with this id. */
        public static Selector message(String topic, String messageId) {
            return new Selector(topic, By.MESSAGE_ID, messageId, null);
        }

        /** One from a list. */
        public static Selector handle(String topic, String broker, long handle) {
            return new Selector(topic, By.HANDLE, Long.toString(handle), broker);
        }
    }

    /**
     * What waits.
     *
     * @param pending all delayed messages of the brokers asked, whatever was filtered
     * @param messages those that were asked for
     */
    record Waiting(long pending, List<DelayedMessage> messages) {}

    /**
     * One delayed message.
     *
     * @param broker the broker that keeps it
     * @param handle its number at that broker
     * @param messageId its id
     * @param topic the topic it will be in
     * @param queueId the queue it will be in
     * @param keys its business keys
     * @param deliverAt when it is delivered
     * @param storedAt when it was stored
     * @param unless it will not be delivered if such a message comes first ({@code topic|key|tag}), or null
     */
    record DelayedMessage(
            String broker,
            long handle,
            String messageId,
            String topic,
            int queueId,
            List<String> keys,
            Instant deliverAt,
            Instant storedAt,
            String unless) {
        /** The name to cancel or move it by. */
        public Selector selector() {
            return Selector.handle(topic, broker, handle);
        }
    }
}
