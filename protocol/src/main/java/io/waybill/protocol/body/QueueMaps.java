/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import java.util.Map;
import java.util.function.BiConsumer;

/** Reads maps keyed by a queue: the key is a bare object, or its text quoted, which some tools write. */
final class QueueMaps {
    private QueueMaps() {}

    static void forEach(JsonObject json, String name, BiConsumer<MessageQueue, Object> entry) {
        JsonObject map = json.getObject(name);
        if (map == null) {
            return;
        }
        for (Map.Entry<JsonObject, Object> one : map.keyedByObject()) {
            entry.accept(MessageQueue.read(one.getKey()), one.getValue());
        }
        for (Map.Entry<String, Object> one : map.members().entrySet()) {
            entry.accept(MessageQueue.read(Json.parse(one.getKey())), one.getValue());
        }
    }

    static long number(String field, Object value) {
        if (value instanceof Long number) {
            return number;
        }
        throw new BadField(field, "whole numbers by queue", String.valueOf(value));
    }

    static JsonObject object(String field, Object value) {
        if (value instanceof JsonObject object) {
            return object;
        }
        throw new BadField(field, "objects by queue", String.valueOf(value));
    }
}
