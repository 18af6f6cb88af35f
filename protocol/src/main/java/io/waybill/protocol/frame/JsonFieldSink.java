/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

/** Writes fields as the inside of a JSON object. Keys are short ASCII names of this code base or keys decoded from a peer. */
final class JsonFieldSink implements FieldSink {
    private static final byte[] TRUE = {'t', 'r', 'u', 'e'};
    private static final byte[] FALSE = {'f', 'a', 'l', 's', 'e'};

    private final Utf8Sink out;
    private int count;

    JsonFieldSink(int capacity) {
        this.out = new Utf8Sink(capacity);
    }

    @Override
    public void put(String key, String value) {
        if (value != null) {
            open(key);
            out.putEscaped(value);
            out.put('"');
        }
    }

    @Override
    public void put(String key, long value) {
        open(key);
        out.putLong(value);
        out.put('"');
    }

    @Override
    public void put(String key, boolean value) {
        open(key);
        byte[] word = value ? TRUE : FALSE;
        out.put(word, 0, word.length);
        out.put('"');
    }

    @Override
    public void put(String key, byte[] utf8) {
        if (utf8 != null) {
            open(key);
            out.putEscaped(utf8, 0, utf8.length);
            out.put('"');
        }
    }

    RawFields toFields() {
        return count == 0 ? RawFields.NONE : new RawFields(out.array(), 0, out.size(), null, count, SerializeType.JSON);
    }

    private void open(String key) {
        if (count++ > 0) {
            out.put(',');
        }
        out.put('"');
        out.putEscaped(key);
        out.put('"');
        out.put(':');
        out.put('"');
    }
}
