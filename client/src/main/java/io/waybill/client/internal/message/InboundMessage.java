/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import io.waybill.client.Delivery;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** A message from a pull, a query or a check. The body is inflated when it is first asked for. */
public class InboundMessage implements ReceivedMessage {
    private final Message stored;
    private final MessageQueue queue;
    private final int localAttempts;
    private volatile byte[] inflated;

    /**
     * @param queue where it was read
     * @param localAttempts tries in this process since it was fetched that the broker knows nothing of
     */
    public InboundMessage(Message stored, MessageQueue queue, int localAttempts) {
        this.stored = stored;
        this.queue = queue;
        this.localAttempts = localAttempts;
    }

    public static InboundMessage of(Message stored, String broker) {
        return new InboundMessage(stored, new MessageQueue(stored.topic(), broker, stored.queueId()), 0);
    }

    /** The same message, tried once more here. */
    public InboundMessage triedOnceMore() {
        return new InboundMessage(stored, queue, localAttempts + 1);
    }

    public Message stored() {
        return stored;
    }

    @Override
    public String messageId() {
        String id = stored.uniqueKey();
        return id == null ? stored.offsetId() : id;
    }

    @Override
    public String topic() {
        String original = Names.isRetry(stored.topic()) ? stored.property(MessageProperties.RETRY_TOPIC) : null;
        return original == null ? stored.topic() : original;
    }

    public MessageQueue queue() {
        return queue;
    }

    public long offset() {
        return stored.queueOffset();
    }

    @Override
    public byte[] body() {
        byte[] body = inflated;
        if (body == null) {
            body = BodyCompression.inflate(stored.body(), stored.sysFlag(), "message " + messageId());
            inflated = body;
        }
        return body;
    }

    @Override
    public String tag() {
        return stored.tags();
    }

    @Override
    public List<String> keys() {
        String keys = stored.keys();
        return keys == null || keys.isBlank() ? List.of() : List.of(keys.strip().split(" +"));
    }

    @Override
    public String orderingKey() {
        return stored.property(MessageProperties.SHARDING_KEY);
    }

    @Override
    public Map<String, String> properties() {
        return stored.properties();
    }

    @Override
    public Instant bornAt() {
        return Instant.ofEpochMilli(stored.bornTimestamp());
    }

    public int attempt() {
        return stored.reconsumeTimes() + localAttempts + 1;
    }

    @Override
    public Delivery delivery() {
        return new Delivery(
                queue, offset(), stored.offsetId(), Instant.ofEpochMilli(stored.storeTimestamp()), attempt());
    }

    @Override
    public int flag() {
        return stored.flag();
    }

    @Override
    public String toString() {
        return "ReceivedMessage[" + messageId() + " from " + queue + " offset " + offset() + "]";
    }
}
