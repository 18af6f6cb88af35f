/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonArray;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import java.util.zip.ZipException;

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
    /** Inflated bytes; what is inflated is read and dropped piece by piece. */
    private static final long MAX_INFLATED_LENGTH = 32L << 20;
    /** Of the data version, of one topic, of the filter servers. */
    private static final int MAX_TEXT_LENGTH = 64 * 1024;
    /** What a topic takes of the heap beside its texts, and what a character takes. */
    private static final int TOPIC_BYTES = 250;

    public RegisterBrokerBody(TopicConfigTable topics) {
        this(topics, List.of());
    }

    /**
     * Reads a registration without ever holding more than the body, one topic in its making, and the topics.
     *
     * @param compressed the header's field of that name
     * @param maxHeapBytes about what the topics may take
     * @throws BadField when it is none, or has more topics than that
     */
    public static RegisterBrokerBody parse(ByteBuffer body, boolean compressed, long maxHeapBytes) {
        ReadTopics topics = new ReadTopics(maxHeapBytes);
        if (compressed) {
            return readCompressed(body, topics);
        }
        JsonObject json = Json.parseTable(body, TABLE, topics::add);
        JsonObject wrapper = json.getObject("topicConfigSerializeWrapper");
        DataVersion version = wrapper == null ? DataVersion.NONE : DataVersion.read(wrapper.getObject("dataVersion"));
        return new RegisterBrokerBody(
                new TopicConfigTable(version, topics.byName),
                json.getArray("filterServerList").strings("filterServerList"));
    }

    private static final List<String> TABLE = List.of("topicConfigSerializeWrapper", "topicConfigTable");

    /** Topics as they are read, counted as they will lie on the heap. */
    private static final class ReadTopics {
        final Map<String, TopicConfig> byName = new LinkedHashMap<>();
        private final long maxBytes;
        private long bytes;

        ReadTopics(long maxBytes) {
            this.maxBytes = maxBytes;
        }

        void add(String name, Object member) {
            if (member instanceof JsonObject topic) {
                add(name, TopicConfig.read(topic));
            } else if (member != null) {
                throw new BadField(name, "an object", "another value");
            }
        }

        void add(String name, TopicConfig topic) {
            bytes += TOPIC_BYTES
                    + 2L * topic.topicName().length()
                    + topic.topicFilterType().length();
            for (Map.Entry<String, String> attribute : topic.attributes().entrySet()) {
                bytes +=
                        2L * (attribute.getKey().length() + attribute.getValue().length()) + TOPIC_BYTES / 2;
            }
            if (bytes > maxBytes) {
                throw new BadField(
                        "registration", "topics of about " + maxBytes + " bytes of heap", "more than " + byName.size());
            }
            byName.put(name, topic);
        }
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

    private static RegisterBrokerBody readCompressed(ByteBuffer body, ReadTopics topics) {
        Inflater inflater = new Inflater();
        inflater.setInput(body.duplicate());
        try (DataInputStream in = new DataInputStream(
                new Bounded(new InflaterInputStream(InputStream.nullInputStream(), inflater, 512)))) {
            DataVersion version = DataVersion.read(Json.parse(text(in)));
            int count = in.readInt();
            if (count < 0 || count > topics.maxBytes / TOPIC_BYTES) {
                throw new BadField("topic count", "0 to " + topics.maxBytes / TOPIC_BYTES, Integer.toString(count));
            }
            for (int i = 0; i < count; i++) {
                TopicConfig topic = TopicConfig.readText(new String(text(in), StandardCharsets.UTF_8));
                topics.add(topic.topicName(), topic);
            }
            List<String> filters = new ArrayList<>();
            if (Json.parseAny(text(in)) instanceof JsonArray array) {
                filters.addAll(array.strings("filterServerList"));
            }
            return new RegisterBrokerBody(new TopicConfigTable(version, topics.byName), filters);
        } catch (EOFException e) {
            throw new BadField("registration", "whole", "one that ends early");
        } catch (ZipException e) {
            throw new BadField("body", "a zlib stream", e.getMessage());
        } catch (IOException e) {
            throw new BadField("body", "a zlib stream", e.toString());
        } finally {
            inflater.end();
        }
    }

    private static byte[] text(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > MAX_TEXT_LENGTH) {
            throw new BadField("text length", "0 to " + MAX_TEXT_LENGTH + " bytes", length + " bytes");
        }
        byte[] text = new byte[length];
        in.readFully(text);
        return text;
    }

    /** Refuses what inflates to more than a registration may have. */
    private static final class Bounded extends FilterInputStream {
        private long left = MAX_INFLATED_LENGTH;

        Bounded(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int from, int length) throws IOException {
            int count = super.read(target, from, length);
            left -= Math.max(0, count);
            if (left < 0) {
                throw new BadField("body", "at most " + MAX_INFLATED_LENGTH + " bytes inflated", "more");
            }
            return count;
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
