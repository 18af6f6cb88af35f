/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.internal.id.UniqueIds;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One send as it goes over the wire: the same bytes in every attempt.
 *
 * @param topic where to
 * @param queue the queue it must go to, or null
 * @param orderingKey chooses the queue if none is given, or null
 * @param sysFlag compression and transaction bits
 * @param bornMillis when it was sent, by this process's clock
 * @param properties encoded
 * @param body the body or the parts of a batch
 * @param ids the id of each message
 * @param batch true for several messages in one body
 */
public record EncodedMessage(
        String topic,
        MessageQueue queue,
        String orderingKey,
        int sysFlag,
        long bornMillis,
        String properties,
        byte[] body,
        List<String> ids,
        boolean batch) {
    /** Queues asked for when a topic is made by its first send. */
    public static final int NEW_TOPIC_QUEUES = 4;

    static final String DEDUP_KEY = "WAYBILL_DEDUP_KEY";
    static final String UNLESS = "WAYBILL_UNLESS";

    /** How errors name it. */
    public String name() {
        return batch
                ? "sending a batch of " + ids.size() + " messages to " + topic
                : "sending message " + ids.get(0) + " to " + topic;
    }

    /** The request that sends it. */
    public Command.Builder sendRequest(String group, MessageQueue target) {
        return sendRequest(batch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2, group, target);
    }

    /** The request that sends it under a code of the sending kind. */
    public Command.Builder sendRequest(int code, String group, MessageQueue target) {
        return Command.request(code)
                .field("a", group)
                .field("b", topic)
                .field("c", Names.DEFAULT_TOPIC)
                .field("d", NEW_TOPIC_QUEUES)
                .field("e", target.id())
                .field("f", sysFlag)
                .field("g", bornMillis)
                .field("h", 0)
                .field("i", properties)
                .field("j", 0)
                .field("k", false)
                .field("m", batch)
                .field("n", target.broker())
                .body(body);
    }

    public static EncodedMessage single(Message message, long nowMillis, int compressFrom) {
        return encode(message, nowMillis, compressFrom, 0, Map.of());
    }

    /** A message that waits for an answer. */
    public static EncodedMessage question(
            Message message, Map<String, String> extra, long nowMillis, int compressFrom) {
        return encode(message, nowMillis, compressFrom, 0, extra);
    }

    /** A half message of a transaction of this group. */
    public static EncodedMessage half(Message message, String group, long nowMillis, int compressFrom) {
        return encode(
                message,
                nowMillis,
                compressFrom,
                SysFlag.TRANSACTION_PREPARED,
                Map.of(MessageProperties.TRAN_MSG, "true", MessageProperties.PGROUP, group));
    }

    private static EncodedMessage encode(
            Message message, long nowMillis, int compressFrom, int flags, Map<String, String> extra) {
        Map<String, String> properties = properties(message);
        properties.putAll(extra);
        byte[] body = message.body();
        int sysFlag = flags;
        if (body.length >= compressFrom) {
            byte[] shorter = BodyCompression.deflate(body);
            if (shorter != null) {
                body = shorter;
                sysFlag |= BodyCompression.COMPRESSED | BodyCompression.KIND_ZLIB;
            }
        }
        return new EncodedMessage(
                message.topic(),
                message.queue(),
                message.orderingKey(),
                sysFlag,
                nowMillis,
                text(properties),
                body,
                List.of(message.id()),
                false);
    }

    /** Several messages as one; the caller has checked that they fit together. */
    public static EncodedMessage batch(List<Message> messages, long nowMillis) {
        List<BatchBody.Part> parts = new ArrayList<>(messages.size());
        List<String> ids = new ArrayList<>(messages.size());
        for (Message message : messages) {
            parts.add(new BatchBody.Part(0, ByteBuffer.wrap(message.body()), encoded(properties(message))));
            ids.add(message.id());
        }
        byte[] body = BatchBody.encode(parts);
        if (body.length > Message.MAX_BODY_BYTES) {
            throw ClientExceptions.invalid(
                    "a batch must have at most " + Message.MAX_BODY_BYTES + " bytes, properties included, but has "
                            + body.length,
                    "send it in several batches");
        }
        Message first = messages.get(0);
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, UniqueIds.next());
        properties.put(MessageProperties.WAIT, "true");
        return new EncodedMessage(
                first.topic(),
                first.queue(),
                first.orderingKey(),
                0,
                nowMillis,
                text(properties),
                body,
                List.copyOf(ids),
                true);
    }

    private static Map<String, String> properties(Message message) {
        Map<String, String> all = new LinkedHashMap<>(message.properties());
        all.put(MessageProperties.UNIQ_KEY, message.id());
        all.put(MessageProperties.WAIT, "true");
        if (message.tag() != null) {
            all.put(MessageProperties.TAGS, message.tag());
        }
        if (!message.keys().isEmpty()) {
            all.put(MessageProperties.KEYS, String.join(" ", message.keys()));
        }
        if (message.orderingKey() != null) {
            all.put(MessageProperties.SHARDING_KEY, message.orderingKey());
        }
        if (message.priority() >= 0) {
            all.put(MessageProperties.PRIORITY, Integer.toString(message.priority()));
        }
        if (message.dedupKey() != null) {
            all.put(DEDUP_KEY, message.dedupKey());
        }
        if (message.unless() != null) {
            Message.Unless unless = message.unless();
            all.put(UNLESS, unless.topic() + "|" + unless.key() + (unless.tag() == null ? "" : "|" + unless.tag()));
        }
        if (message.deliverAt() != null) {
            all.put(MessageProperties.TIMER_DELIVER_MS, Long.toString(millisNotBefore(message.deliverAt())));
        } else if (message.deliverAfter() != null && message.deliverAfter().toMillis() > 0) {
            // Relative, so that it counts by the broker's clock and a transaction's delay begins with its commit.
            all.put(
                    MessageProperties.TIMER_DELAY_MS,
                    Long.toString(message.deliverAfter().toMillis()));
        }
        return all;
    }

    /** The first whole millisecond that is not before a time: a delivery is never early. */
    public static long millisNotBefore(Instant time) {
        long millis = time.toEpochMilli();
        return time.getNano() % 1_000_000 == 0 ? millis : millis + 1;
    }

    private static byte[] encoded(Map<String, String> properties) {
        try {
            return MessageProperties.encode(properties);
        } catch (RuntimeException e) {
            throw ClientExceptions.invalid(e.getMessage(), "shorten the properties");
        }
    }

    public static String text(Map<String, String> properties) {
        return new String(encoded(properties), StandardCharsets.UTF_8);
    }
}
