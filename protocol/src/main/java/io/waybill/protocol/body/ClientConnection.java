/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * One connected client.
 *
 * @param clientAddr {@code ip:port}
 * @param language as in {@link io.waybill.protocol.frame.Language}
 */
public record ClientConnection(String clientId, String clientAddr, String language, int version) {

    static List<ClientConnection> readSet(JsonObject json) {
        List<ClientConnection> connections = new ArrayList<>();
        for (JsonObject one : json.getArray("connectionSet").objects("connectionSet")) {
            connections.add(new ClientConnection(
                    one.getString("clientId"),
                    one.getString("clientAddr"),
                    one.getString("language"),
                    one.getInt("version", 0)));
        }
        return connections;
    }

    static void writeSet(JsonWriter json, Collection<ClientConnection> connections) {
        json.name("connectionSet").beginArray();
        for (ClientConnection one : connections) {
            json.beginObject()
                    .field("clientAddr", one.clientAddr)
                    .field("clientId", one.clientId)
                    .field("language", one.language)
                    .field("version", one.version)
                    .endObject();
        }
        json.endArray();
    }
}
