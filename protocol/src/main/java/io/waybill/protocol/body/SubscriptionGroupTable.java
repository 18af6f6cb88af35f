/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** Reply body of 201: all consumer groups of a broker. */
public record SubscriptionGroupTable(
        DataVersion dataVersion, Map<String, SubscriptionGroupConfig> subscriptionGroupTable) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static SubscriptionGroupTable parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        Map<String, SubscriptionGroupConfig> groups = new LinkedHashMap<>();
        JsonObject table = json.getObject("subscriptionGroupTable");
        if (table != null) {
            for (String name : table.members().keySet()) {
                if (table.get(name) != null) {
                    groups.put(name, SubscriptionGroupConfig.read(table.getObject(name)));
                }
            }
        }
        return new SubscriptionGroupTable(DataVersion.read(json.getObject("dataVersion")), groups);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        dataVersion.write(json.beginObject().name("dataVersion"));
        json.field("forbiddenTable", Map.of()).name("subscriptionGroupTable").beginObject();
        subscriptionGroupTable.forEach((name, group) -> group.write(json.name(name)));
        return json.endObject().endObject().toByteArray();
    }
}
