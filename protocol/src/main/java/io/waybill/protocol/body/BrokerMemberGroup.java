/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Map;

/** Reply body of 901: the living brokers of one name. */
public record BrokerMemberGroup(String cluster, String brokerName, Map<Long, String> brokerAddrs) {

    /** @throws BadField when it is none */
    public static BrokerMemberGroup parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body).getObject("brokerMemberGroup");
        if (json == null) {
            throw new BadField("brokerMemberGroup", "present", null);
        }
        return new BrokerMemberGroup(
                json.getString("cluster"),
                json.getString("brokerName"),
                BrokerData.readAddresses(json.getObject("brokerAddrs")));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("brokerMemberGroup").beginObject();
        BrokerData.writeAddresses(json, brokerAddrs, true);
        return json.field("brokerName", brokerName)
                .field("cluster", cluster)
                .endObject()
                .endObject()
                .toByteArray();
    }
}
