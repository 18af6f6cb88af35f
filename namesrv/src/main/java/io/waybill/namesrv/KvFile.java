/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * Where a name server keeps its small table. At any moment the file holds one whole table, the newest or the one before: a new one is written beside it,
 * forced, and takes its name in one step. One thread at a time.
 *
 * <pre>
 *   waybill-kv 1 crc32c of the rest, 8 hex digits
 *   {"namespace":{"key":"value",...},...}
 * </pre>
 */
final class KvFile {
    static final String NAME = "namesrv.kv";
    private static final String FRESH = "namesrv.kv.new";
    private static final String MAGIC = "waybill-kv 1 ";
    private static final int HEAD_BYTES = MAGIC.length() + 9;

    /** Far more than a table has, escaped. */
    private static final long MAX_BYTES = 32L << 20;

    private final Files files;

    KvFile(Files files) {
        this.files = files;
    }

    /**
     * The table as it was written last; empty when there is none.
     *
     * @throws IOException when it is there and cannot be read whole: nothing is guessed and nothing is overwritten
     */
    Map<String, TreeMap<String, String>> read() throws IOException {
        Map<String, TreeMap<String, String>> table = new TreeMap<>();
        if (!files.exists(NAME)) {
            return table;
        }
        try (StoreFile file = files.open(NAME, OpenMode.READ)) {
            long size = file.size();
            if (size < HEAD_BYTES || size > MAX_BYTES) {
                throw damaged("it has " + size + " bytes");
            }
            ByteBuffer bytes = ByteBuffer.allocate((int) size);
            file.read(0, bytes);
            byte[] body = new byte[(int) size - HEAD_BYTES];
            System.arraycopy(bytes.array(), HEAD_BYTES, body, 0, body.length);
            String head = new String(bytes.array(), 0, HEAD_BYTES, StandardCharsets.US_ASCII);
            if (!head.equals(head(body))) {
                throw damaged("its checksum or version does not fit");
            }
            JsonObject json = Json.parse(ByteBuffer.wrap(body));
            for (String namespace : json.members().keySet()) {
                table.put(namespace, new TreeMap<>(json.getStringMap(namespace)));
            }
            return table;
        } catch (BadField e) {
            throw damaged(e.getMessage());
        }
    }

    private static IOException damaged(String why) {
        return new IOException("the file " + NAME + " of the name server's key-value table is damaged: " + why
                + ". Restore it from a copy, or move it away to begin with an empty table");
    }

    private static String head(byte[] body) {
        CRC32C crc = new CRC32C();
        crc.update(body);
        return MAGIC + String.format("%08x", crc.getValue()) + "\n";
    }

    /** Durable when this returns. */
    void write(Map<String, TreeMap<String, String>> table) throws IOException {
        JsonWriter json = new JsonWriter().beginObject();
        table.forEach(json::field);
        byte[] body = json.endObject().toByteArray();
        if (files.exists(FRESH)) {
            files.delete(FRESH); // a crash left it
        }
        try (StoreFile file = files.open(FRESH, OpenMode.CREATE_NEW)) {
            file.write(0, ByteBuffer.wrap(head(body).getBytes(StandardCharsets.US_ASCII)));
            file.write(HEAD_BYTES, ByteBuffer.wrap(body));
            file.forceAll();
        }
        files.rename(FRESH, NAME);
        files.forceDirectory("");
    }
}
