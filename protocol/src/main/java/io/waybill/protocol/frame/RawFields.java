/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Fields as a range of validated bytes: the inside of a JSON object, or binary entries. {@link HeaderScan} has walked over them once, so the
 * walks here check nothing again.
 */
final class RawFields implements Fields {
    static final RawFields NONE = new RawFields(new byte[0], 0, 0, 0, SerializeType.JSON);

    private final byte[] bytes;
    private final int from;
    private final int limit;
    private final int count;
    private final SerializeType encoding;

    RawFields(byte[] bytes, int from, int limit, int count, SerializeType encoding) {
        this.bytes = bytes;
        this.from = from;
        this.limit = limit;
        this.count = count;
        this.encoding = encoding;
    }

    byte[] array() {
        return bytes;
    }

    int from() {
        return from;
    }

    int length() {
        return limit - from;
    }

    SerializeType encoding() {
        return encoding;
    }

    @Override
    public int size() {
        return count;
    }

    @Override
    public String get(String key) {
        Slice value = find(key);
        return value == null ? null : value.toString();
    }

    @Override
    public void forEach(Visitor visitor) {
        if (encoding == SerializeType.JSON) {
            forEachJson(visitor);
        } else {
            forEachBinary(visitor);
        }
    }

    @Override
    public Map<String, String> toMap() {
        Map<String, String> map = new LinkedHashMap<>();
        forEach((key, value) -> map.put(key.toString(), value.toString()));
        return map;
    }

    @Override
    public String require(String key) {
        Slice value = find(key);
        if (value == null) {
            throw new BadField(key, "present", null);
        }
        return value.toString();
    }

    @Override
    public int getInt(String key, int otherwise) {
        Slice value = find(key);
        return value == null || value.isEmpty() ? otherwise : value.toInt(key);
    }

    @Override
    public long getLong(String key, long otherwise) {
        Slice value = find(key);
        return value == null || value.isEmpty() ? otherwise : value.toLong(key);
    }

    @Override
    public boolean getBoolean(String key, boolean otherwise) {
        Slice value = find(key);
        return value == null || value.isEmpty() ? otherwise : value.toBoolean(key);
    }

    @Override
    public int requireInt(String key) {
        return present(key).toInt(key);
    }

    @Override
    public long requireLong(String key) {
        return present(key).toLong(key);
    }

    private Slice present(String key) {
        Slice value = find(key);
        if (value == null) {
            throw new BadField(key, "present", null);
        }
        return value;
    }

    private Slice find(String wanted) {
        Finder finder = new Finder(wanted);
        forEach(finder);
        return finder.found;
    }

    private void forEachJson(Visitor visitor) {
        Slice key = new Slice();
        Slice value = new Slice();
        int at = JsonText.skipSpace(bytes, from, limit);
        while (at < limit) {
            int keyFrom = at + 1;
            int end = JsonText.endOfString(bytes, keyFrom, limit);
            int keyEnd = end & ~JsonText.ESCAPED;
            key.set(bytes, keyFrom, keyEnd - keyFrom, end != keyEnd);
            at = JsonText.skipSpace(bytes, keyEnd + 1, limit) + 1;
            at = JsonText.skipSpace(bytes, at, limit);
            if (bytes[at] == '"') {
                int valueFrom = at + 1;
                end = JsonText.endOfString(bytes, valueFrom, limit);
                int valueEnd = end & ~JsonText.ESCAPED;
                value.set(bytes, valueFrom, valueEnd - valueFrom, end != valueEnd);
                visitor.field(key, value);
                at = valueEnd + 1;
            } else {
                int wordEnd = JsonText.endOfWord(bytes, at, limit);
                if (bytes[at] != 'n') {
                    value.set(bytes, at, wordEnd - at, false);
                    visitor.field(key, value);
                }
                at = wordEnd;
            }
            at = JsonText.skipSpace(bytes, at, limit) + 1;
            at = JsonText.skipSpace(bytes, at, limit);
        }
    }

    private void forEachBinary(Visitor visitor) {
        Slice key = new Slice();
        Slice value = new Slice();
        for (int at = from; at < limit; ) {
            int keyLength = HeaderScan.uint16(bytes, at);
            key.set(bytes, at + 2, keyLength, false);
            at += 2 + keyLength;
            int valueLength = HeaderScan.int32(bytes, at);
            value.set(bytes, at + 4, valueLength, false);
            at += 4 + valueLength;
            // The reference reads an entry without a key or a value as none.
            if (keyLength > 0 && valueLength > 0) {
                visitor.field(key, value);
            }
        }
    }

    /** Keeps the last value of one key, in a slice of its own. */
    private static final class Finder implements Visitor {
        private final String wanted;
        private Slice found;

        Finder(String wanted) {
            this.wanted = wanted;
        }

        @Override
        public void field(Slice key, Slice value) {
            if (key.equalsAscii(wanted)) {
                if (found == null) {
                    found = new Slice();
                }
                found.copyFrom(value);
            }
        }
    }
}
