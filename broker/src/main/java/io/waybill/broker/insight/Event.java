/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.protocol.json.JsonWriter;

/**
 * Something that happened to a message.
 *
 * @param order of events at the same time
 * @param copy where it happened; null for the message as a whole
 * @param group null when it concerns no group
 * @param client null when nobody is named
 */
record Event(long atMillis, EventType name, long order, StoredCopy copy, String group, String client, String sentence) {
    /** As the wire names them; in the order in which they follow each other when they happen at the same time. */
    enum EventType {
        HALF_STORED,
        CHECKED,
        COMMITTED,
        ROLLED_BACK,
        CONFLICT,
        PUBLISHED,
        EXHAUSTED,
        STORED,
        DELAYED,
        CANCELLED,
        RETRY,
        DEAD_LETTERED,
        QUARANTINED,
        RELEASED,
        REDRIVEN,
        VISIBLE,
        DELIVERED,
        REPLAYED,
        ACKNOWLEDGED,
        DISCARDED
    }

    void write(JsonWriter json) {
        json.beginObject().field("timestamp", atMillis).field("event", name.name());
        if (copy != null) {
            json.field("topic", copy.topic());
            if (copy.isVisible()) {
                json.field("queueId", copy.queueId()).field("offset", copy.offset());
            }
            json.field("offsetMsgId", copy.offsetId());
        }
        if (group != null) {
            json.field("group", group);
        }
        if (client != null && !client.isEmpty()) {
            json.field("client", client);
        }
        json.field("sentence", sentence).endObject();
    }
}
