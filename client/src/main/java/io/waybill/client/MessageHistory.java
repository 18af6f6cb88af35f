/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * The life of a message as the records of its broker tell it.
 *
 * @param broker the broker that keeps it
 * @param topic its topic
 * @param messageId its id
 * @param storedId broker address and log position
 * @param events what happened, the oldest first
 */
public record MessageHistory(String broker, String topic, String messageId, String storedId, List<Event> events) {
    /**
     * Something that happened.
     *
     * @param at when
     * @param name STORED, HALF_STORED, CHECKED, COMMITTED, ROLLED_BACK, DELAYED, RESCHEDULED, CANCELLED, VISIBLE, DELIVERED, ACKNOWLEDGED, RETRY,
     *     DEAD_LETTERED, QUARANTINED, RELEASED, REPLAYED, REDRIVEN, DISCARDED, or one of a newer broker
     * @param group the consumer group it happened in, or null
     * @param client who was told or who told it, or null
     * @param sentence what happened
     * @param more further facts, by name
     */
    public record Event(
            Instant at, String name, String group, String client, String sentence, Map<String, String> more) {}
}
