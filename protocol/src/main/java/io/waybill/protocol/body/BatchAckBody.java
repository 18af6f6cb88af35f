/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;

/** Body of 200151: messages of several pops are done. */
public record BatchAckBody(String brokerName, List<Entry> acks) {
    /** Messages in one entry; a pop hands out far fewer, but a proxy may join several. */
    static final int MAX_BITS = 8192;

    /**
     * Messages of one queue, taken by one pop.
     *
     * @param topicMark as in a handle
     * @param offsets bit i stands for the message at {@code startOffset + i}
     */
    public record Entry(
            String consumerGroup,
            String topic,
            String topicMark,
            long startOffset,
            int queueId,
            int reviveQid,
            long popTime,
            long invisibleTime,
            BitSet offsets) {

        static Entry read(JsonObject json) {
            return new Entry(
                    either(json, "c", "consumerGroup"),
                    either(json, "t", "topic"),
                    json.getString("r", json.getString("retry", "0")),
                    number(json, "so", "startOffset"),
                    narrow("q", number(json, "q", "queueId")),
                    narrow("rq", number(json, "rq", "reviveQueueId")),
                    number(json, "pt", "popTime"),
                    number(json, "it", "invisibleTime"),
                    bits(either(json, "b", "bitSet")));
        }

        private void write(JsonWriter json) {
            json.beginObject()
                    .field("b", Base64.getEncoder().encodeToString(offsets.toByteArray()))
                    .field("c", consumerGroup)
                    .field("it", invisibleTime)
                    .field("pt", popTime)
                    .field("q", queueId)
                    .field("r", topicMark)
                    .field("rq", reviveQid)
                    .field("so", startOffset)
                    .field("t", topic)
                    .endObject();
        }
    }

    /** @throws BadField when it is none, or an entry has too many bits */
    public static BatchAckBody parse(ByteBuffer body) {
        JsonObject json = Json.parse(body);
        List<Entry> acks = new ArrayList<>();
        for (JsonObject one : json.getArray("acks").objects("acks")) {
            acks.add(Entry.read(one));
        }
        return new BatchAckBody(json.getString("brokerName"), acks);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("acks").beginArray();
        acks.forEach(entry -> entry.write(json));
        return json.endArray().field("brokerName", brokerName).endObject().toByteArray();
    }

    private static String either(JsonObject json, String shortName, String longName) {
        String value = json.getString(shortName);
        return value != null ? value : json.requireString(longName);
    }

    private static long number(JsonObject json, String shortName, String longName) {
        return json.get(shortName) != null ? json.requireLong(shortName) : json.getLong(longName, 0);
    }

    private static int narrow(String field, long value) {
        if (value != (int) value) {
            throw new BadField(field, "a whole number of 32 bits", Long.toString(value));
        }
        return (int) value;
    }

    private static BitSet bits(String base64) {
        if (base64.length() > MAX_BITS / 6 + 4) {
            throw new BadField("b", "at most " + MAX_BITS + " bits", base64.length() + " characters");
        }
        try {
            return BitSet.valueOf(Base64.getDecoder().decode(base64));
        } catch (IllegalArgumentException e) {
            throw new BadField("b", "base64", base64);
        }
    }
}
