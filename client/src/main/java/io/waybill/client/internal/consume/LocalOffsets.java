/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * The progress of a broadcast consumer, kept by itself: in memory, or in one file of a directory that belongs to this consumer. The file is replaced
 * as a whole, so it is always of one moment.
 */
final class LocalOffsets {
    private static final String FILE = "offsets.json";
    private static final String FRESH = "offsets.json.new";
    private static final int MAX_LENGTH = 16 << 20;

    private final Files files; // null = in memory
    private final Map<MessageQueue, Long> offsets = new TreeMap<>(); // guarded by this
    private boolean changed; // guarded by this

    private LocalOffsets(Files files) {
        this.files = files;
    }

    static LocalOffsets inMemory() {
        return new LocalOffsets(null);
    }

    /** @throws WaybillException if the directory cannot be used or its file cannot be read */
    static LocalOffsets in(Path directory) {
        try {
            LocalOffsets offsets = new LocalOffsets(Files.real(directory));
            offsets.load();
            return offsets;
        } catch (IOException | RuntimeException e) {
            throw new WaybillException(
                    WaybillException.Kind.UNREADABLE,
                    -1,
                    false,
                    "the offsets in " + directory + " cannot be read: " + e.getMessage(),
                    "give a directory of this consumer's own that can be written, or remove the damaged file",
                    e);
        }
    }

    private synchronized void load() throws IOException {
        if (!files.exists(FILE)) {
            return;
        }
        long size = files.size(FILE);
        if (size > MAX_LENGTH) {
            throw new IOException(FILE + " has " + size + " bytes");
        }
        ByteBuffer text = ByteBuffer.allocate((int) size);
        try (StoreFile file = files.open(FILE, OpenMode.READ)) {
            file.read(0, text);
        }
        for (JsonObject one : Json.parseAnswer(text.flip()).getArray("offsets").objects("offsets")) {
            offsets.put(
                    new MessageQueue(
                            one.requireString("topic"), one.requireString("broker"), one.requireInt("queueId")),
                    one.requireLong("offset"));
        }
    }

    synchronized OptionalLong find(MessageQueue queue) {
        Long offset = offsets.get(queue);
        return offset == null ? OptionalLong.empty() : OptionalLong.of(offset);
    }

    synchronized void put(MessageQueue queue, long offset) {
        Long old = offsets.put(queue, offset);
        changed |= old == null || old != offset;
    }

    /** Makes everything put so far survive a crash of the machine. */
    synchronized void save() throws IOException {
        if (!changed || files == null) {
            return;
        }
        JsonWriter json = new JsonWriter().beginObject().name("offsets").beginArray();
        offsets.forEach((queue, offset) -> json.beginObject()
                .field("topic", queue.topic())
                .field("broker", queue.broker())
                .field("queueId", queue.id())
                .field("offset", offset)
                .endObject());
        byte[] text = json.endArray().endObject().toByteArray();
        if (files.exists(FRESH)) {
            files.delete(FRESH);
        }
        try (StoreFile file = files.open(FRESH, OpenMode.CREATE_NEW)) {
            file.write(0, ByteBuffer.wrap(text));
            file.forceAll();
        }
        files.rename(FRESH, FILE);
        files.forceDirectory("");
        changed = false;
    }
}
