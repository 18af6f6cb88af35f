/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.connection;

import io.waybill.client.WaybillException;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** From the JSON of a broker's answers to values of the public types. Pure. */
public final class JsonValues {
    private JsonValues() {}

    public static Instant instant(JsonObject json, String name) {
        long millis = json.getLong(name, 0);
        return millis <= 0 ? null : Instant.ofEpochMilli(millis);
    }

    public static List<String> words(JsonObject json, String name) {
        if (json.get(name) instanceof String text) {
            return text.isBlank() ? List.of() : List.of(text.strip().split(" +"));
        }
        return List.copyOf(json.getArray(name).strings(name));
    }

    /** Members as texts; what is no text or number is its JSON. */
    public static Map<String, String> texts(JsonObject json) {
        Map<String, String> texts = new LinkedHashMap<>();
        if (json != null) {
            for (String name : json.members().keySet()) {
                Object value = json.get(name);
                if (value != null) {
                    texts.put(
                            name,
                            value instanceof String text
                                    ? text
                                    : Json.write(value).toString());
                }
            }
        }
        return texts;
    }

    /** The constant of this name, or another one if there is none. */
    public static <E extends Enum<E>> E constant(Class<E> type, String name, E otherwise) {
        for (E value : type.getEnumConstants()) {
            if (value.name().equals(name)) {
                return value;
            }
        }
        return otherwise;
    }

    public static WaybillException unknownWord(String what, String seen) {
        return new WaybillException(
                WaybillException.Kind.UNREADABLE,
                -1,
                false,
                "the broker names an unknown " + what + ": " + seen,
                "use a client as new as the broker",
                null);
    }
}
