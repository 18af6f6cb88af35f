/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.time.Instant;
import java.util.Iterator;
import java.util.Map;

/**
 * Writes maps, lists, texts, numbers and truth values as one line of JSON. The stable names are the maps' keys. A time
 * becomes two fields: {@code name} as RFC 3339 and {@code nameMillis} since the epoch.
 */
public final class Json {
    private final StringBuilder text = new StringBuilder();

    private Json() {}

    public static String of(Object value) {
        Json json = new Json();
        json.value(value);
        return json.text.toString();
    }

    private void value(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else if (value instanceof Map<?, ?> map) {
            object(map);
        } else if (value instanceof Iterable<?> list) {
            array(list);
        } else {
            string(value.toString());
        }
    }

    private void object(Map<?, ?> map) {
        text.append('{');
        String between = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            text.append(between);
            between = ",";
            string(entry.getKey().toString());
            text.append(':');
            value(entry.getValue());
            if (entry.getValue() instanceof Instant time) {
                text.append(',');
                string(entry.getKey() + "Millis");
                text.append(':').append(time.toEpochMilli());
            }
        }
        text.append('}');
    }

    private void array(Iterable<?> list) {
        text.append('[');
        for (Iterator<?> items = list.iterator(); items.hasNext(); ) {
            value(items.next());
            if (items.hasNext()) {
                text.append(',');
            }
        }
        text.append(']');
    }

    private void string(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    // Lone surrogates and the two line separators that JavaScript stumbles over, too.
                    boolean pair = Character.isHighSurrogate(c)
                            && i + 1 < value.length()
                            && Character.isLowSurrogate(value.charAt(i + 1));
                    if (pair) {
                        text.append(c).append(value.charAt(++i));
                    } else if (c < ' ' || Character.isSurrogate(c) || c == 0x2028 || c == 0x2029 || c == 0x7f) {
                        text.append(String.format("\\u%04x", (int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        text.append('"');
    }
}
