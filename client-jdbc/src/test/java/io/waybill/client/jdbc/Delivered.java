/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Delivery;
import io.waybill.client.ReceivedMessage;
import java.lang.reflect.Proxy;
import java.time.Instant;
import java.util.Map;

/** Messages as a consumer gets them. */
final class Delivered {
    private Delivered() {}

    /** One whose producer gave it this id. */
    static ReceivedMessage message(String id) {
        return message(id, "stored-" + id, Map.of("UNIQ_KEY", id));
    }

    static ReceivedMessage message(String id, String storedId, Map<String, String> properties) {
        return (ReceivedMessage) Proxy.newProxyInstance(
                Delivered.class.getClassLoader(),
                new Class<?>[] {ReceivedMessage.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "messageId" -> id;
                    case "delivery" -> new Delivery(null, 0, storedId, Instant.EPOCH, 1);
                    case "property" -> properties.get((String) arguments[0]);
                    case "toString" -> "message " + id;
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }
}
