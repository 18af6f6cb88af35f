/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.List;

/** Reply body of 204: the clients of a producer group. */
public record ProducerConnections(List<ClientConnection> connectionSet) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ProducerConnections parse(ByteBuffer body) {
        return new ProducerConnections(ClientConnection.readSet(Json.parseAnswer(body)));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        ClientConnection.writeSet(json.beginObject(), connectionSet);
        return json.endObject().toByteArray();
    }
}
