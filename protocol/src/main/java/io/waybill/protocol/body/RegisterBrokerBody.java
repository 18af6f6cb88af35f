/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonArray;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.io.ByteArrayOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * Body of 103: the topics a broker serves. Plain it is JSON; compressed it is a zlib stream of
 *
 * <pre>
 *  length 4, JSON of the data version
 *  count 4, then for each topic: length 4, text "name readQueues writeQueues perm filterType attributes"
 *  length 4, JSON array of filter servers
 *  count 4, then for each queue mapping: length 4, JSON      (not read: static topics are not served)
 * </pre>
 */
public record RegisterBrokerBody(TopicConfigTable topics, List<String> filterServerList) {
    private static final int MAX_INFLATED_LENGTH = 64 * 1024 * 1024;
    private static final int MAX_INFLATE_RATIO = 100;
    /** A small text may be all zeros: below this the ratio does not matter. */
    private static final int RATIO_FREE_LENGTH = 64 * 1024;

    public RegisterBrokerBody(TopicConfigTable topics) {
        this(topics, List.of());
    }

    /** @param compressed the header's field of that name
     * @throws BadField when it is none, or inflates to more than a registration may have
     */
    public static RegisterBrokerBody parse(ByteBuffer body, boolean compressed) {
        if (compressed) {
            return readCompressed(inflate(body));
        }
        JsonObject json = Json.parse(body);
        JsonObject wrapper = json.getObject("topicConfigSerializeWrapper");
        return new RegisterBrokerBody(
                wrapper == null ? new TopicConfigTable(DataVersion.NONE, Map.of()) : TopicConfigTable.read(wrapper),
                json.getArray("filterServerList").strings("filterServerList"));
    }

    /** The value of the header's bodyCrc32 for these bytes. */
    public static int crc(ByteBuffer body) {
        CRC32 crc = new CRC32();
        crc.update(body.duplicate());
        return (int) crc.getValue() & Integer.MAX_VALUE;
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().field("filterServerList", filterServerList).name("topicConfigSerializeWrapper");
        topics.write(json);
        return json.endObject().toByteArray();
    }

    public byte[] toCompressed() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        putText(out, topics.dataVersion().toJson());
        putInt(out, topics.topicConfigTable().size());
        for (TopicConfig topic : topics.topicConfigTable().values()) {
            putText(out, topic.toText().getBytes(StandardCharsets.UTF_8));
        }
        JsonWriter filters = new JsonWriter();
        filters.beginArray();
        filterServerList.forEach(filters::value);
        putText(out, filters.endArray().toByteArray());
        putInt(out, 0);
        return deflate(out.toByteArray());
    }

    private static RegisterBrokerBody readCompressed(ByteBuffer in) {
        try {
            DataVersion version = DataVersion.read(Json.parse(text(in)));
            int count = in.getInt();
            if (count < 0 || count > in.remaining() / 4) {
                throw new BadField("topic count", "0 to " + in.remaining() / 4, Integer.toString(count));
            }
            Map<String, TopicConfig> topics = new LinkedHashMap<>();
            for (int i = 0; i < count; i++) {
                TopicConfig topic = TopicConfig.readText(new String(text(in), StandardCharsets.UTF_8));
                topics.put(topic.topicName(), topic);
            }
            List<String> filters = new ArrayList<>();
            if (Json.parseAny(text(in)) instanceof JsonArray array) {
                filters.addAll(array.strings("filterServerList"));
            }
            return new RegisterBrokerBody(new TopicConfigTable(version, topics), filters);
        } catch (BufferUnderflowException e) {
            throw new BadField("registration", "whole", "cut off at byte " + in.position());
        }
    }

    private static byte[] text(ByteBuffer in) {
        int length = in.getInt();
        if (length < 0 || length > in.remaining()) {
            throw new BadField("text length", "0 to " + in.remaining() + " bytes", length + " bytes");
        }
        byte[] text = new byte[length];
        in.get(text);
        return text;
    }

    private static ByteBuffer inflate(ByteBuffer body) {
        long allowed =
                Math.min(MAX_INFLATED_LENGTH, Math.max(RATIO_FREE_LENGTH, (long) body.remaining() * MAX_INFLATE_RATIO));
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(body.duplicate());
            ByteArrayOutputStream out = new ByteArrayOutputStream(Math.max(64, body.remaining() * 2));
            byte[] piece = new byte[8192];
            while (!inflater.finished()) {
                int size = inflater.inflate(piece);
                if (size == 0 && (inflater.needsInput() || inflater.needsDictionary())) {
                    throw new BadField("body", "a whole zlib stream", "one that ends early");
                }
                if (out.size() + size > allowed) {
                    throw new BadField("body", "at most " + allowed + " bytes inflated", "more");
                }
                out.write(piece, 0, size);
            }
            return ByteBuffer.wrap(out.toByteArray());
        } catch (DataFormatException e) {
            throw new BadField("body", "a zlib stream", e.getMessage());
        } finally {
            inflater.end();
        }
    }

    private static byte[] deflate(byte[] plain) {
        Deflater deflater = new Deflater();
        try {
            deflater.setInput(plain);
            deflater.finish();
            ByteArrayOutputStream out = new ByteArrayOutputStream(plain.length / 2 + 64);
            byte[] piece = new byte[8192];
            while (!deflater.finished()) {
                out.write(piece, 0, deflater.deflate(piece));
            }
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }

    private static void putText(ByteArrayOutputStream out, byte[] text) {
        putInt(out, text.length);
        out.writeBytes(text);
    }

    private static void putInt(ByteArrayOutputStream out, int value) {
        out.writeBytes(ByteBuffer.allocate(4).putInt(value).array());
    }
}
