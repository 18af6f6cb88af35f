/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Limits;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Entry to JSON bodies. Nothing in the text is ever taken as a type or a class. Depth, length and the number of values are bounded, so that a
 * small body cannot become a large heap.
 */
public final class Json {
    public static final int MAX_DEPTH = Limits.MAX_JSON_DEPTH;
    public static final int MAX_LENGTH = Limits.MAX_FRAME_LENGTH;
    /** Values of a whole body; a registration of 100 000 topics has nine for each. */
    public static final int MAX_VALUES = 1_000_000;

    private Json() {}

    /** Parses an object from position to limit; the position is not moved.
     *
     * @throws BadField when it is no object, too deep, too long or too large
     */
    public static JsonObject parse(ByteBuffer text) {
        checkLength(text.remaining());
        byte[] copy = new byte[text.remaining()];
        text.get(text.position(), copy);
        return parse(copy);
    }

    /** Like {@link #parse(ByteBuffer)}. */
    public static JsonObject parse(byte[] text) {
        Object value = parseAny(text);
        if (value instanceof JsonObject object) {
            return object;
        }
        throw new BadField("body", "a JSON object", kind(value));
    }

    /** Like {@link #parse(ByteBuffer)}. */
    public static JsonObject parse(String text) {
        return parse(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Parses any value: what {@link JsonObject} lists.
     *
     * @throws BadField when it is no JSON, too deep, too long or too large
     */
    public static Object parseAny(byte[] text) {
        checkLength(text.length);
        return new JsonParser(text).document();
    }

    /** A writer that holds the value's text. */
    public static JsonWriter write(Object value) {
        JsonWriter writer = new JsonWriter();
        writeAny(writer, value);
        return writer;
    }

    static void writeAny(JsonWriter writer, Object value) {
        if (value instanceof JsonObject object) {
            writer.beginObject();
            for (Map.Entry<String, Object> member : object.members().entrySet()) {
                writer.name(member.getKey());
                writeAny(writer, member.getValue());
            }
            for (Map.Entry<JsonObject, Object> member : object.keyedByObject()) {
                writeAny(writer, member.getKey());
                writeAny(writer, member.getValue());
            }
            writer.endObject();
        } else if (value instanceof JsonArray array) {
            writer.beginArray();
            for (Object element : array.values()) {
                writeAny(writer, element);
            }
            writer.endArray();
        } else if (value instanceof Long number) {
            writer.value(number.longValue());
        } else if (value instanceof Double number) {
            writer.value(number.doubleValue());
        } else if (value instanceof Boolean known) {
            writer.value(known.booleanValue());
        } else if (value == null) {
            writer.nullValue();
        } else {
            writer.value((String) value);
        }
    }

    static String text(String field, Object value) {
        if (value == null || value instanceof String) {
            return (String) value;
        }
        if (value instanceof JsonObject || value instanceof JsonArray) {
            throw new BadField(field, "a text", kind(value));
        }
        return value.toString();
    }

    static JsonObject object(String field, Object value) {
        if (value == null || value instanceof JsonObject) {
            return (JsonObject) value;
        }
        throw new BadField(field, "an object", kind(value));
    }

    static long toLong(String field, Object value) {
        if (value instanceof Long number) {
            return number;
        }
        if (value instanceof Double number && number == Math.rint(number) && Math.abs(number) < 1L << 53) {
            return number.longValue();
        }
        if (value instanceof String text) {
            try {
                return Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw new BadField(field, "a whole number", text);
            }
        }
        throw new BadField(field, "a whole number", value instanceof Double ? value.toString() : kind(value));
    }

    static int toInt(String field, long value) {
        if (value != (int) value) {
            throw new BadField(field, "a whole number of 32 bits", Long.toString(value));
        }
        return (int) value;
    }

    static double toDouble(String field, Object value) {
        if (value instanceof Long number) {
            return number;
        }
        if (value instanceof Double number) {
            return number;
        }
        throw new BadField(field, "a number", kind(value));
    }

    static String kind(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof JsonObject) {
            return "an object";
        }
        if (value instanceof JsonArray) {
            return "an array";
        }
        return value instanceof String ? "a text" : value.toString();
    }

    private static void checkLength(int length) {
        if (length > MAX_LENGTH) {
            throw new BadField("body", "at most " + MAX_LENGTH + " bytes", length + " bytes");
        }
    }
}
