/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Limits;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * Entry to JSON bodies. Nothing in the text is ever taken as a type or a class. Depth, length and the number of values are bounded, so that a
 * small body cannot become a large heap.
 */
public final class Json {
    public static final int MAX_DEPTH = Limits.MAX_JSON_DEPTH;
    public static final int MAX_LENGTH = Limits.MAX_FRAME_LENGTH;
    /** Values of an answer that was asked for; a list of 100 000 topics has nine for each. */
    public static final int MAX_ANSWER_VALUES = 1_000_000;
    /** Values and bytes of a request: a value may take 200 bytes of heap, and every event loop may be reading one. */
    public static final int MAX_VALUES = 20_000;

    public static final int MAX_REQUEST_LENGTH = 1024 * 1024;

    private Json() {}

    /** Parses an object of a request, or anything else a peer sends unasked, from position to limit; the position is not moved.
     *
     * @throws BadField when it is no object, too deep, too long or too large
     */
    public static JsonObject parse(ByteBuffer text) {
        return parse(text, MAX_VALUES);
    }

    /** Like {@link #parse(ByteBuffer)} with a limit of its own for the number of values. */
    public static JsonObject parse(ByteBuffer text, int maxValues) {
        checkLength(text.remaining(), MAX_REQUEST_LENGTH);
        return object(new JsonParser(copy(text), maxValues).document());
    }

    /** Like {@link #parse(ByteBuffer)}. */
    public static JsonObject parse(byte[] text) {
        return object(parseAny(text));
    }

    /** Like {@link #parse(ByteBuffer)} for the answer of a server that was asked, which may be as large as a frame. */
    public static JsonObject parseAnswer(ByteBuffer text) {
        checkLength(text.remaining(), MAX_LENGTH);
        return object(new JsonParser(copy(text), MAX_ANSWER_VALUES).document());
    }

    /**
     * Reads an object as {@link #parseAnswer} does, but hands out the members of one object inside, reached by the path, one by one instead of keeping them: for
     * tables that are larger than what is made of them.
     *
     * @return the rest
     */
    public static JsonObject parseTable(ByteBuffer text, List<String> path, BiConsumer<String, Object> member) {
        checkLength(text.remaining(), MAX_LENGTH);
        return object(new JsonParser(copy(text), MAX_ANSWER_VALUES, path, member).document());
    }

    private static byte[] copy(ByteBuffer text) {
        byte[] copy = new byte[text.remaining()];
        text.get(text.position(), copy);
        return copy;
    }

    private static JsonObject object(Object value) {
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
        checkLength(text.length, MAX_REQUEST_LENGTH);
        return new JsonParser(text, MAX_VALUES).document();
    }

    /** A writer that holds the value's text. */
    public static JsonWriter write(Object value) {
        JsonWriter writer = new JsonWriter();
        write(writer, value);
        return writer;
    }

    /** Writes a parsed value where one is due. */
    public static void write(JsonWriter writer, Object value) {
        if (value instanceof JsonObject object) {
            writer.beginObject();
            for (Map.Entry<String, Object> member : object.members().entrySet()) {
                writer.name(member.getKey());
                write(writer, member.getValue());
            }
            for (Map.Entry<JsonObject, Object> member : object.keyedByObject()) {
                write(writer, member.getKey());
                write(writer, member.getValue());
            }
            writer.endObject();
        } else if (value instanceof JsonArray array) {
            writer.beginArray();
            for (Object element : array.values()) {
                write(writer, element);
            }
            writer.endArray();
        } else if (value instanceof Long number) {
            writer.value(number.longValue());
        } else if (value instanceof Double number) {
            writer.value(number.doubleValue());
        } else if (value instanceof Boolean known) {
            writer.value(known.booleanValue());
        } else if (value == null) {
            writer.value((String) null);
        } else {
            writer.value((String) value);
        }
    }

    /** A parsed value that maps texts to texts; empty for null. Null values are left out.
     *
     * @throws BadField naming {@code field} when it is no object, or naming a member that is no text
     */
    public static Map<String, String> stringMap(String field, Object value) {
        JsonObject object = object(field, value);
        if (object == null) {
            return Map.of();
        }
        Map<String, String> map = new LinkedHashMap<>();
        for (String key : object.members().keySet()) {
            String text = object.getString(key);
            if (text != null) {
                map.put(key, text);
            }
        }
        return map;
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

    private static void checkLength(int length, int limit) {
        if (length > limit) {
            throw new BadField("body", "at most " + limit + " bytes", length + " bytes");
        }
    }
}
