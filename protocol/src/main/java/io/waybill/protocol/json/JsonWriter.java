/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Utf8Sink;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;

/**
 * Writes JSON text step by step into memory. Commas and colons come by themselves. Where a key is due, {@link #beginObject} starts an object
 * that serves as key, which is how fastjson writes maps keyed by objects: {@code {{"topic":"T"}:5}}. Calls in an impossible order throw
 * IllegalStateException; a text longer than an answer can be throws {@link BadField}. Not thread-safe.
 */
public final class JsonWriter {
    private static final byte TOP = 0;
    private static final byte ARRAY = 1;
    private static final byte OBJECT = 2;

    /** What fits a frame: a text that grows with the number of topics or groups is refused before it is whole, not after. */
    static final int MAX_BYTES = (16 << 20) - (64 << 10);

    private final Utf8Sink out = new Utf8Sink(256);
    private byte[] kinds = new byte[16];
    /** Per level: keys and values begun so far; in an object an even count means a key is due. */
    private int[] counts = new int[16];

    private int depth;

    public JsonWriter beginObject() {
        open(OBJECT, '{');
        return this;
    }

    public JsonWriter endObject() {
        close(OBJECT, '}');
        return this;
    }

    public JsonWriter beginArray() {
        if (kinds[depth] == OBJECT && keyIsDue()) {
            throw new IllegalStateException("an array cannot be a key");
        }
        open(ARRAY, '[');
        return this;
    }

    public JsonWriter endArray() {
        close(ARRAY, ']');
        return this;
    }

    public JsonWriter name(String name) {
        beforeKey();
        string(name);
        return this;
    }

    /** A bare number as key, as fastjson writes integer keys: {@code {0:"a"}}. */
    public JsonWriter bareName(long name) {
        beforeKey();
        out.putLong(name);
        return this;
    }

    /** Null writes the word null. */
    public JsonWriter value(String value) {
        beforeValue();
        if (value == null) {
            out.putAscii("null");
        } else {
            string(value);
        }
        return this;
    }

    public JsonWriter value(long value) {
        beforeValue();
        out.putLong(value);
        return this;
    }

    /** What is no number becomes 0.0. */
    JsonWriter value(double value) {
        beforeValue();
        out.putAscii(Double.isFinite(value) ? Double.toString(value) : "0.0");
        return this;
    }

    JsonWriter value(boolean value) {
        beforeValue();
        out.putAscii(value ? "true" : "false");
        return this;
    }

    /** Name and value; a null value writes nothing at all. */
    public JsonWriter field(String name, String value) {
        return value == null ? this : name(name).value(value);
    }

    public JsonWriter field(String name, long value) {
        return name(name).value(value);
    }

    public JsonWriter field(String name, double value) {
        return name(name).value(value);
    }

    public JsonWriter field(String name, boolean value) {
        return name(name).value(value);
    }

    /** An array of texts; null writes nothing at all. */
    public JsonWriter field(String name, Collection<String> values) {
        if (values == null) {
            return this;
        }
        name(name).beginArray();
        values.forEach(this::value);
        return endArray();
    }

    /** An object of texts; null writes nothing at all. */
    public JsonWriter field(String name, Map<String, String> values) {
        if (values == null) {
            return this;
        }
        name(name).beginObject();
        values.forEach(this::field);
        return endObject();
    }

    /** The UTF-8 text. */
    public byte[] toByteArray() {
        if (depth != 0) {
            throw new IllegalStateException(depth + " objects or arrays are still open");
        }
        return out.toByteArray();
    }

    /** The text. */
    @Override
    public String toString() {
        return new String(toByteArray(), StandardCharsets.UTF_8);
    }

    private void string(String text) {
        out.put('"');
        out.putEscaped(text);
        out.put('"');
    }

    private boolean keyIsDue() {
        return (counts[depth] & 1) == 0;
    }

    private void beforeKey() {
        if (kinds[depth] != OBJECT || !keyIsDue()) {
            throw new IllegalStateException("a key is not due here");
        }
        separate();
    }

    private void beforeValue() {
        if (kinds[depth] == OBJECT && keyIsDue()) {
            throw new IllegalStateException("a value needs a key first");
        }
        separate();
    }

    private void separate() {
        if (out.size() > MAX_BYTES) {
            throw new BadField("answer", "at most " + MAX_BYTES + " bytes", "more; ask for a part of it");
        }
        int count = counts[depth]++;
        if (kinds[depth] == OBJECT && (count & 1) == 1) {
            out.put(':');
        } else if (count > 0) {
            if (kinds[depth] == TOP) {
                throw new IllegalStateException("a document has one value");
            }
            out.put(',');
        }
    }

    private void open(byte kind, char bracket) {
        separate();
        out.put(bracket);
        depth++;
        if (depth == kinds.length) {
            kinds = Arrays.copyOf(kinds, depth * 2);
            counts = Arrays.copyOf(counts, depth * 2);
        }
        kinds[depth] = kind;
        counts[depth] = 0;
    }

    private void close(byte kind, char bracket) {
        if (kinds[depth] != kind || (kind == OBJECT && !keyIsDue())) {
            throw new IllegalStateException("'" + bracket + "' is not due here");
        }
        depth--;
        out.put(bracket);
    }
}
