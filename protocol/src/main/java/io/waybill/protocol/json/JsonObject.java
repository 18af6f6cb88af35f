/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A parsed object. Keys are texts, or objects in fastjson's object-keyed maps; bare numeric keys read as text. Values are String, Long, Double,
 * Boolean, {@link JsonObject}, {@link JsonArray} or null. Getters convert leniently, as fastjson does (a number may be a text and the other way
 * round), and name the member when they cannot. A null member counts as missing. Equal when the trees are equal, whatever the order.
 */
public final class JsonObject {
    private final Map<String, Object> members = new LinkedHashMap<>();

    /** Kept as a list: keys chosen by a peer to collide must not make parsing slow. */
    private List<Map.Entry<JsonObject, Object>> keyedByObject = List.of();

    void put(String key, Object value) {
        members.put(key, value);
    }

    void put(JsonObject key, Object value) {
        if (keyedByObject.isEmpty()) {
            keyedByObject = new ArrayList<>();
        }
        keyedByObject.add(new AbstractMap.SimpleImmutableEntry<>(key, value));
    }

    /** The members with text keys, in their order; values may be null. */
    public Map<String, Object> members() {
        return Collections.unmodifiableMap(members);
    }

    /** The members whose keys are objects, in their order, duplicates included; values may be null. */
    public List<Map.Entry<JsonObject, Object>> keyedByObject() {
        return Collections.unmodifiableList(keyedByObject);
    }

    /** The value, or null. */
    public Object get(String name) {
        return members.get(name);
    }

    /** The text, or null; numbers and booleans become text. */
    public String getString(String name) {
        return Json.text(name, members.get(name));
    }

    public String getString(String name, String otherwise) {
        String text = getString(name);
        return text == null ? otherwise : text;
    }

    /** @throws BadField when missing */
    public String requireString(String name) {
        String text = getString(name);
        if (text == null) {
            throw new BadField(name, "present", null);
        }
        return text;
    }

    public int getInt(String name, int otherwise) {
        return Json.toInt(name, getLong(name, otherwise));
    }

    public long getLong(String name, long otherwise) {
        Object value = members.get(name);
        return value == null || "".equals(value) ? otherwise : Json.toLong(name, value);
    }

    /** @throws BadField when missing or no int */
    public int requireInt(String name) {
        return Json.toInt(name, requireLong(name));
    }

    /** @throws BadField when missing or no long */
    public long requireLong(String name) {
        Object value = members.get(name);
        if (value == null) {
            throw new BadField(name, "present", null);
        }
        return Json.toLong(name, value);
    }

    public double getDouble(String name, double otherwise) {
        Object value = members.get(name);
        return value == null ? otherwise : Json.toDouble(name, value);
    }

    public boolean getBoolean(String name, boolean otherwise) {
        Object value = members.get(name);
        if (value instanceof Boolean known) {
            return known;
        }
        String text = Json.text(name, value);
        if (text == null || text.isEmpty()) {
            return otherwise;
        }
        if (text.equalsIgnoreCase("true") || text.equals("1")) {
            return true;
        }
        if (text.equalsIgnoreCase("false") || text.equals("0")) {
            return false;
        }
        throw new BadField(name, "true or false", text);
    }

    /** The object, or null. */
    public JsonObject getObject(String name) {
        return Json.object(name, members.get(name));
    }

    /** The array; an empty one when missing. */
    public JsonArray getArray(String name) {
        Object value = members.get(name);
        if (value == null) {
            return JsonArray.EMPTY;
        }
        if (value instanceof JsonArray array) {
            return array;
        }
        throw new BadField(name, "an array", Json.kind(value));
    }

    /** A member that maps texts to texts; empty when missing. Null values are left out. */
    public Map<String, String> getStringMap(String name) {
        return Json.stringMap(name, members.get(name));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof JsonObject that
                && members.equals(that.members)
                && keyedByObject.size() == that.keyedByObject.size()
                && Set.copyOf(keyedByObject).equals(Set.copyOf(that.keyedByObject));
    }

    @Override
    public int hashCode() {
        return 31 * members.hashCode() + Set.copyOf(keyedByObject).hashCode();
    }

    /** JSON text. */
    @Override
    public String toString() {
        return Json.write(this).toString();
    }
}
