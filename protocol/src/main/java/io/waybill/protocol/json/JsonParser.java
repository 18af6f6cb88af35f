/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.JsonText;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Reads one document. Its depth and the number of its values are bounded, each checked before anything is kept, because a value of two bytes may
 * take 200 of heap; whatever the text, it ends in a value or a {@link BadField} that says what is wrong. Besides standard JSON it takes what fastjson
 * writes: a key may be a bare number ({@code {0:"a"}}) or an object ({@code {{"topic":"T"}:5}}).
 */
final class JsonParser {
    private static final int MAX_NUMBER_LENGTH = 64;
    private static final int MAX_LONG_LENGTH = 20;

    private final byte[] b;
    private final int maxValues;
    private final List<String> path;
    private final BiConsumer<String, Object> member;
    private int at;
    private int values;
    /** How many names of the path lead to where the parser is: one less than the depth of an object on the path. */
    private int onPath;

    JsonParser(byte[] text, int maxValues) {
        this(text, maxValues, null, null);
    }

    /** @param path names of the object whose members are handed out instead of kept; null = none */
    JsonParser(byte[] text, int maxValues, List<String> path, BiConsumer<String, Object> member) {
        this.b = text;
        this.maxValues = maxValues;
        this.path = path;
        this.member = member;
    }

    Object document() {
        Object value = value(0);
        space();
        if (at != b.length) {
            throw bad("the end of the text");
        }
        return value;
    }

    private Object value(int depth) {
        if (++values > maxValues) {
            throw new BadField("body", "at most " + maxValues + " values", "more");
        }
        space();
        byte c = peek();
        if (c == '{') {
            return object(deeper(depth));
        }
        if (c == '[') {
            return array(deeper(depth));
        }
        return c == '"' ? string() : word();
    }

    private JsonObject object(int depth) {
        at++;
        JsonObject object = new JsonObject();
        if (endsAtOnce('}')) {
            return object;
        }
        do {
            space();
            if (peek() == '{') {
                JsonObject key = object(deeper(depth));
                colon();
                object.put(key, value(depth));
            } else {
                String key = key();
                colon();
                put(object, key, depth);
            }
        } while (nextIs(',', '}'));
        return object;
    }

    private void put(JsonObject object, String key, int depth) {
        if (path == null || onPath != depth - 1) {
            object.put(key, value(depth));
        } else if (onPath == path.size()) {
            onPath = -1; // what is inside of the member is no part of the path
            Object value = value(depth);
            onPath = path.size();
            member.accept(key, value);
        } else if (key.equals(path.get(onPath))) {
            onPath++;
            object.put(key, value(depth));
            onPath--;
        } else {
            object.put(key, value(depth));
        }
    }

    private void colon() {
        space();
        if (peek() != ':') {
            throw bad("':'");
        }
        at++;
    }

    private String key() {
        byte c = peek();
        if (c == '"') {
            return string();
        }
        int end = JsonText.endOfWord(b, at, b.length);
        if (end == at || !isDigitOrMinus(c)) {
            throw bad("a key");
        }
        String number = new String(b, at, end - at, StandardCharsets.US_ASCII);
        at = end;
        return number;
    }

    private JsonArray array(int depth) {
        at++;
        JsonArray array = new JsonArray();
        if (endsAtOnce(']')) {
            return array;
        }
        do {
            array.add(value(depth));
        } while (nextIs(',', ']'));
        return array;
    }

    private String string() {
        int from = at + 1;
        int end = JsonText.endOfString(b, from, b.length);
        if (end < 0) {
            throw bad("a string");
        }
        int last = end & ~JsonText.ESCAPED;
        at = last + 1;
        if (end == last) {
            return new String(b, from, last - from, StandardCharsets.UTF_8);
        }
        return new String(JsonText.unescape(b, from, last - from), StandardCharsets.UTF_8);
    }

    private Object word() {
        int end = JsonText.endOfWord(b, at, b.length);
        int length = end - at;
        if (length == 0 || length > MAX_NUMBER_LENGTH) {
            throw bad("a value");
        }
        String word = new String(b, at, length, StandardCharsets.US_ASCII);
        Object value = switch (word) {
            case "true" -> Boolean.TRUE;
            case "false" -> Boolean.FALSE;
            case "null" -> null;
            default -> number(word);
        };
        at = end;
        return value;
    }

    private Object number(String word) {
        boolean whole = word.length() <= MAX_LONG_LENGTH;
        for (int i = 0; i < word.length(); i++) {
            char c = word.charAt(i);
            boolean digit = c >= '0' && c <= '9';
            boolean sign = c == '-' && i == 0;
            whole &= digit || sign;
            if (!digit && !sign && (i == 0 || "eE+-.".indexOf(c) < 0)) {
                throw bad("a value");
            }
        }
        try {
            if (whole) {
                return Long.valueOf(word);
            }
        } catch (NumberFormatException e) {
            // Whole but beyond 64 bits, or a lone minus: the next attempt decides.
        }
        try {
            return Double.valueOf(word);
        } catch (NumberFormatException e) {
            throw bad("a number");
        }
    }

    private int deeper(int depth) {
        if (depth == Json.MAX_DEPTH) {
            throw new BadField("body", "nested to " + Json.MAX_DEPTH + " levels", "deeper");
        }
        return depth + 1;
    }

    private boolean endsAtOnce(char close) {
        space();
        if (peek() != close) {
            return false;
        }
        at++;
        return true;
    }

    private boolean nextIs(char more, char close) {
        space();
        byte c = peek();
        if (c != more && c != close) {
            throw bad("'" + more + "' or '" + close + "'");
        }
        at++;
        return c == more;
    }

    private byte peek() {
        if (at >= b.length) {
            throw bad("more");
        }
        return b[at];
    }

    private void space() {
        at = JsonText.skipSpace(b, at, b.length);
    }

    private static boolean isDigitOrMinus(byte c) {
        return (c >= '0' && c <= '9') || c == '-';
    }

    private BadField bad(String wanted) {
        String seen = at >= b.length ? "the end" : "0x" + Integer.toHexString(b[at] & 0xFF);
        return new BadField("body", "JSON with " + wanted + " at byte " + at, seen);
    }
}
