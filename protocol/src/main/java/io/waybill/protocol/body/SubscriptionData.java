/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * What a group wants of a topic.
 *
 * @param subString the expression as the user wrote it; {@code *} means everything
 * @param tagsSet the wanted tags, empty for everything
 * @param codeSet their hash codes
 * @param subVersion milliseconds of the moment of subscribing; larger is newer
 * @param expressionType TAG or SQL92
 */
public record SubscriptionData(
        String topic,
        String subString,
        Set<String> tagsSet,
        Set<Integer> codeSet,
        long subVersion,
        String expressionType,
        boolean classFilterMode) {
    public static final String ALL = "*";
    public static final String TAG = "TAG";
    public static final String SQL92 = "SQL92";

    /** A subscription by tags, version 0: nothing, empty or {@code *} for all, else tags separated by {@code ||}.
     *
     * @throws BadField when an expression is there but holds no tag
     */
    public static SubscriptionData of(String topic, String expression) {
        return of(topic, expression, 0);
    }

    /** Like {@link #of(String, String)} with a version. */
    public static SubscriptionData of(String topic, String expression, long subVersion) {
        Set<String> tags = new LinkedHashSet<>();
        Set<Integer> codes = new LinkedHashSet<>();
        if (expression == null || expression.isEmpty() || expression.equals(ALL)) {
            return new SubscriptionData(topic, ALL, tags, codes, subVersion, TAG, false);
        }
        for (String part : expression.split("\\|\\|")) {
            String tag = part.trim();
            if (!tag.isEmpty()) {
                tags.add(tag);
                codes.add(tag.hashCode());
            }
        }
        if (tags.isEmpty()) {
            throw new BadField("subscription", "* or tags separated by ||", expression);
        }
        return new SubscriptionData(topic, expression, tags, codes, subVersion, TAG, false);
    }

    public static SubscriptionData read(JsonObject json) {
        Set<Integer> codes = new LinkedHashSet<>();
        for (Long code : json.getArray("codeSet").longs("codeSet")) {
            codes.add((int) (long) code);
        }
        return new SubscriptionData(
                json.requireString("topic"),
                json.getString("subString", ALL),
                new LinkedHashSet<>(json.getArray("tagsSet").strings("tagsSet")),
                codes,
                json.getLong("subVersion", 0),
                json.getString("expressionType", TAG),
                json.getBoolean("classFilterMode", false));
    }

    /** True when the filter is a set of tags, not SQL. */
    public boolean isTagType() {
        return expressionType == null || expressionType.isEmpty() || expressionType.equals(TAG);
    }

    /** True when every message of the topic is wanted. */
    public boolean isAll() {
        return isTagType() && (subString == null || subString.isEmpty() || subString.equals(ALL));
    }

    public void write(JsonWriter json) {
        json.beginObject()
                .field("classFilterMode", classFilterMode)
                .name("codeSet")
                .beginArray();
        codeSet.forEach(code -> json.value((long) code));
        json.endArray()
                .field("expressionType", expressionType)
                .field("subString", subString)
                .field("subVersion", subVersion)
                .field("tagsSet", tagsSet)
                .field("topic", topic)
                .endObject();
    }
}
