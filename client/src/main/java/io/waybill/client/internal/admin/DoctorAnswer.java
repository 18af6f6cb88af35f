/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Evidence;
import io.waybill.client.Evidence.Fact;
import io.waybill.client.Evidence.FactType;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.Finding;
import io.waybill.client.Groups.SubCause;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonArray;
import io.waybill.protocol.json.JsonObject;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the findings of a broker; what a newer broker names is kept as it is told. Pure. */
final class DoctorAnswer {
    private DoctorAnswer() {}

    static List<Finding> findings(String broker, JsonObject answer) {
        Instant at = Instant.ofEpochMilli(answer.getLong("nowMillis", 0));
        List<Finding> findings = new ArrayList<>();
        for (JsonObject one : answer.getArray("findings").objects("findings")) {
            String cause = one.getString("cause", "");
            String subCause = one.getString("subCause");
            findings.add(new Finding(
                    broker,
                    at,
                    JsonValues.constant(Cause.class, cause, Cause.OTHER),
                    subCause == null ? null : JsonValues.constant(SubCause.class, subCause, SubCause.OTHER),
                    subCause == null ? cause : cause + '/' + subCause,
                    one.getString("topic"),
                    one.getInt("queueId", -1),
                    one.getLong("offset", -1),
                    one.getString("uniqueKey", one.getString("offsetMsgId")),
                    evidence(one.getObject("evidence"))));
        }
        return findings;
    }

    private static Evidence evidence(JsonObject json) {
        Map<String, Object> facts = new LinkedHashMap<>();
        if (json != null) {
            Map<String, FactType> types = new LinkedHashMap<>();
            for (Fact fact : Fact.values()) {
                types.put(fact.wireName(), fact.type());
            }
            for (String name : json.members().keySet()) {
                Object value = json.get(name);
                if (value != null) {
                    facts.put(name, value(value, types.get(name)));
                }
            }
        }
        return new Evidence(facts);
    }

    /** A value that is not of the type of its fact is kept, but no typed question finds it. */
    private static Object value(Object value, FactType type) {
        if (value instanceof Number number) {
            return type == FactType.TIME ? Instant.ofEpochMilli(number.longValue()) : (Object) number.longValue();
        }
        if (value instanceof JsonArray array && type == FactType.NAMES) {
            return array.values().stream().map(String::valueOf).toList();
        }
        return value instanceof String || value instanceof Boolean
                ? value
                : Json.write(value).toString();
    }
}
