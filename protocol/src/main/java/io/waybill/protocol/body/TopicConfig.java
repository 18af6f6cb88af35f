/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * One topic of a broker.
 *
 * @param perm {@link Perm} bits
 * @param topicFilterType SINGLE_TAG or MULTI_TAG
 * @param order the user asked for a global order
 * @param attributes such as message.type; never null
 */
public record TopicConfig(
        String topicName,
        int readQueueNums,
        int writeQueueNums,
        int perm,
        String topicFilterType,
        int topicSysFlag,
        boolean order,
        Map<String, String> attributes) {
    public static final String SINGLE_TAG = "SINGLE_TAG";
    public static final String MULTI_TAG = "MULTI_TAG";

    /** A topic without flags, order and attributes. */
    public TopicConfig(String topicName, int readQueueNums, int writeQueueNums, int perm) {
        this(topicName, readQueueNums, writeQueueNums, perm, SINGLE_TAG, 0, false, Map.of());
    }

    /** @throws BadField when it is none */
    public static TopicConfig parse(ByteBuffer body) {
        return read(Json.parse(body));
    }

    public static TopicConfig read(JsonObject json) {
        return new TopicConfig(
                json.requireString("topicName"),
                json.getInt("readQueueNums", 16),
                json.getInt("writeQueueNums", 16),
                json.getInt("perm", Perm.READ_WRITE),
                json.getString("topicFilterType", SINGLE_TAG),
                json.getInt("topicSysFlag", 0),
                json.getBoolean("order", false),
                json.getStringMap("attributes"));
    }

    /** The compact form: {@code name readQueues writeQueues perm filterType attributes}; the attributes may be missing. */
    static TopicConfig readText(String text) {
        String[] words = text.split(" ", 6);
        if (words.length < 5) {
            throw new BadField("topic config", "at least 5 words", words.length + " words");
        }
        try {
            return new TopicConfig(
                    words[0],
                    Integer.parseInt(words[1]),
                    Integer.parseInt(words[2]),
                    Integer.parseInt(words[3]),
                    words[4],
                    0,
                    false,
                    words.length < 6 || words[5].isBlank() ? Map.of() : attributes(words[5]));
        } catch (NumberFormatException e) {
            throw new BadField("topic config", "numbers in words 2 to 4", text);
        }
    }

    private static Map<String, String> attributes(String json) {
        return Json.stringMap("attributes", Json.parseAny(json.getBytes(StandardCharsets.UTF_8)));
    }

    public TopicConfig withQueues(int read, int write) {
        return new TopicConfig(topicName, read, write, perm, topicFilterType, topicSysFlag, order, attributes);
    }

    String toText() {
        JsonWriter json = new JsonWriter();
        json.beginObject();
        attributes.forEach(json::field);
        json.endObject();
        return topicName + ' ' + readQueueNums + ' ' + writeQueueNums + ' ' + perm + ' ' + topicFilterType + ' ' + json;
    }

    public void write(JsonWriter json) {
        json.beginObject()
                .field("attributes", attributes)
                .field("order", order)
                .field("perm", perm)
                .field("readQueueNums", readQueueNums)
                .field("topicFilterType", topicFilterType)
                .field("topicName", topicName)
                .field("topicSysFlag", topicSysFlag)
                .field("writeQueueNums", writeQueueNums)
                .endObject();
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }
}
