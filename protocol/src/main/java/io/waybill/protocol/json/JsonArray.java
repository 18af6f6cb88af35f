/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.json;

import io.waybill.protocol.frame.BadField;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A parsed array; values as in {@link JsonObject}. Equal when the trees are equal. */
public final class JsonArray {
    static final JsonArray EMPTY = new JsonArray();

    private final List<Object> values = new ArrayList<>();

    void add(Object value) {
        values.add(value);
    }

    public int size() {
        return values.size();
    }

    public Object get(int index) {
        return values.get(index);
    }

    /** All values in order; some may be null. */
    public List<Object> values() {
        return Collections.unmodifiableList(values);
    }

    /** The values as texts.
     *
     * @throws BadField naming {@code field} when one is null, an object or an array
     */
    public List<String> strings(String field) {
        List<String> texts = new ArrayList<>(values.size());
        for (Object value : values) {
            if (value == null) {
                throw new BadField(field, "without null", "null");
            }
            texts.add(Json.text(field, value));
        }
        return texts;
    }

    /** The values as objects.
     *
     * @throws BadField naming {@code field} when one is not
     */
    public List<JsonObject> objects(String field) {
        List<JsonObject> objects = new ArrayList<>(values.size());
        for (Object value : values) {
            JsonObject object = Json.object(field, value);
            if (object == null) {
                throw new BadField(field, "objects only", "null");
            }
            objects.add(object);
        }
        return objects;
    }

    /** The values as whole numbers.
     *
     * @throws BadField naming {@code field} when one is not
     */
    public List<Long> longs(String field) {
        List<Long> numbers = new ArrayList<>(values.size());
        for (Object value : values) {
            if (value == null) {
                throw new BadField(field, "without null", "null");
            }
            numbers.add(Json.toLong(field, value));
        }
        return numbers;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof JsonArray that && values.equals(that.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    /** JSON text. */
    @Override
    public String toString() {
        return Json.write(this).toString();
    }
}
