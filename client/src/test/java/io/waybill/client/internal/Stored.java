/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.protocol.message.Message;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Stored messages for tests without a broker. */
public final class Stored {
    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 10_911);

    private Stored() {}

    public static Message message(MessageQueue queue, long offset, String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        return new Message(
                100 + bytes.length,
                0,
                queue.id(),
                0,
                offset,
                offset * 1_000,
                0,
                1,
                HOST,
                2,
                HOST,
                0,
                0,
                bytes,
                queue.topic(),
                Map.of("UNIQ_KEY", "id-" + offset));
    }
}
