/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Fields as a range of bytes: the inside of a JSON object, or binary entries. {@link HeaderScan} has checked a received range and noted where
 * each field with a value stands, in one long:
 *
 * <pre>
 *  63..58 free | 57..42 keyFrom | 41..34 keyLength | 33 key has escapes | 32..17 valueFrom | 16..1 valueLength | 0 value has escapes
 * </pre>
 *
 * A header has at most 64 KiB, so 16 bits are enough. A range built here, by {@link JsonFieldSink}, has no such index and is always JSON
 * without spaces whose values are all quoted; it is walked when somebody asks.
 */
final class RawFields implements Fields {
    static final RawFields NONE = new RawFields(new byte[0], 0, 0, null, 0, SerializeType.JSON);

    private static final long KEY_ESCAPED = 1L << 33;
    private static final long VALUE_ESCAPED = 1;

    private final byte[] bytes;
    private final int from;
    private final int limit;
    private final long[] index;
    private final int count;
    private final SerializeType encoding;

    RawFields(byte[] bytes, int from, int limit, long[] index, int count, SerializeType encoding) {
        this.bytes = bytes;
        this.from = from;
        this.limit = limit;
        this.index = index;
        this.count = count;
        this.encoding = encoding;
    }

    static long entry(
            int keyFrom, int keyLength, boolean keyEscaped, int valueFrom, int valueLength, boolean valueEscaped) {
        return (long) keyFrom << 42
                | (long) keyLength << 34
                | (keyEscaped ? KEY_ESCAPED : 0)
                | (long) valueFrom << 17
                | (long) valueLength << 1
                | (valueEscaped ? VALUE_ESCAPED : 0);
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
        if (index == null) {
            walk(visitor);
            return;
        }
        Slice key = new Slice();
        Slice value = new Slice();
        for (int i = 0; i < count; i++) {
            long entry = index[i];
            key.set(bytes, (int) (entry >>> 42), (int) (entry >>> 34) & 0xFF, (entry & KEY_ESCAPED) != 0);
            value.set(bytes, (int) (entry >>> 17) & 0xFFFF, (int) (entry >>> 1) & 0xFFFF, (entry & VALUE_ESCAPED) != 0);
            visitor.field(key, value);
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

    private void walk(Visitor visitor) {
        Slice key = new Slice();
        Slice value = new Slice();
        for (int at = from; at < limit; ) {
            int keyEnd = quoted(at, key);
            at = quoted(keyEnd + 1, value) + 1;
            visitor.field(key, value);
        }
    }

    /** Reads the string whose opening quote is at an index; returns the index after its closing quote. */
    private int quoted(int at, Slice slice) {
        int end = JsonText.endOfString(bytes, at + 1, limit);
        int closing = end & ~JsonText.ESCAPED;
        slice.set(bytes, at + 1, closing - at - 1, end != closing);
        return closing + 1;
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
