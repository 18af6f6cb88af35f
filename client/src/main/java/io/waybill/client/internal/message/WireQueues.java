/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import io.waybill.client.MessageQueue;
import io.waybill.protocol.frame.Command;

/** Between a queue as the client names it and as the protocol does. Pure. */
public final class WireQueues {
    private WireQueues() {}

    public static MessageQueue of(io.waybill.protocol.body.MessageQueue wire) {
        return new MessageQueue(wire.topic(), wire.brokerName(), wire.queueId());
    }

    public static io.waybill.protocol.body.MessageQueue toWire(MessageQueue queue) {
        return new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id());
    }

    /** A request about a queue. */
    public static Command.Builder request(int code, MessageQueue queue) {
        return Command.request(code)
                .field("topic", queue.topic())
                .field("queueId", queue.id())
                .field("bname", queue.broker());
    }
}
