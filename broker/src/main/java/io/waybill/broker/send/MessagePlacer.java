/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.remoting.Connection;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Decides where a message goes, and builds the record that will stand there. What always holds: nothing is stored, answered or remembered here, so that a
 * message whose placement fails has left no trace. Throws {@link BadValue} for a message that breaks a limit. Thread-safe.
 */
final class MessagePlacer {
    private final MessageStamp stamp;
    private final Duplicates duplicates;
    private final BatchPlacer batches;
    private final DelayedMessageWriter delays;
    private final HalfMessageWriter halves;
    private final ClientRetries retries;

    MessagePlacer(MessageStamp stamp, DelayedMessageWriter delays, HalfMessageWriter halves, ClientRetries retries) {
        this.stamp = stamp;
        this.duplicates = new Duplicates(stamp.storeClock());
        this.batches = new BatchPlacer(stamp, duplicates);
        this.delays = delays;
        this.halves = halves;
        this.retries = retries;
    }

    /**
     * Places a single message.
     *
     * @param body valid until this returns; what lives longer has a copy
     * @param flags of the header's properties
     */
    Placement place(SendMessageHeader header, TopicConfig topic, ByteBuffer body, int flags, Connection from) {
        boolean isHalf = (flags & PropertyFlags.TRANSACTION) != 0
                || SysFlag.transactionState(header.sysFlag()) == SysFlag.TRANSACTION_PREPARED;
        if ((flags & PropertyFlags.CANCEL) != 0) {
            return cancellation(header, isHalf);
        }
        int queueId = stamp.queueOf(header, topic);
        byte[] properties = header.properties();
        if ((flags & PropertyFlags.POPPED) != 0) {
            properties = MessageProperties.without(properties, MessageProperties.POP_CK);
        }
        if ((flags & PropertyFlags.PRIORITY) != 0) {
            int wanted = Priority.queueOf(topic, properties, isHalf || (flags & PropertyFlags.DELAY) != 0);
            queueId = wanted >= 0 ? wanted : queueId;
            properties = wanted == Priority.TAKE_OUT
                    ? MessageProperties.without(properties, MessageProperties.PRIORITY)
                    : properties;
        }
        MessageDraft.Builder draft = stamp.draft(header, topic, body, from).queueId(queueId);
        boolean isRetry = Names.isRetry(topic.topicName());
        UniqueKey unique = duplicates.claimOf(topic, properties);
        if (isHalf) {
            return half(header, draft, properties, unique, from);
        }
        if (isRetry) {
            return retry(header, draft, body, queueId, properties, unique, from);
        }
        if ((flags & (PropertyFlags.DELAY | PropertyFlags.UNLESS)) != 0) {
            Map<String, String> decoded = decoded(properties);
            DelayedMessageWriter.checkUnless(decoded);
            Delay delay = delays.delayOf(decoded, stamp.clock().wallMillis());
            return byDelay(draft, topic.topicName(), queueId, decoded, unique, delay);
        }
        CopyRoom.checkFirst(properties); // before anything is joined to them
        draft.properties(properties);
        stamp.addTo(draft, flags);
        CopyRoom.checkFirst(draft.properties());
        return new Placement.Visible(draft.build(), unique);
    }

    /** Places a batch. */
    Placement placeBatch(SendMessageHeader header, TopicConfig topic, ByteBuffer body, Connection from) {
        return batches.place(header, topic, body, from);
    }

    private static Placement cancellation(SendMessageHeader header, boolean isHalf) {
        String key = MessageProperties.get(header.properties(), MessageProperties.TIMER_DEL_UNIQKEY);
        String own = isHalf ? "a transaction" : Names.groupOf(header.topic()) != null ? "a retry or dead letter" : null;
        if (own != null || key == null) {
            throw new BadValue(
                    "property " + MessageProperties.TIMER_DEL_UNIQKEY,
                    "absent in " + (own == null ? "this message" : own) + ": it takes back a delayed message",
                    String.valueOf(key));
        }
        return new Placement.Cancellation(header, key);
    }

    private Map<String, String> decoded(byte[] properties) {
        Map<String, String> decoded = MessageProperties.decode(properties);
        stamp.addTo(decoded);
        return decoded;
    }

    private Placement half(
            SendMessageHeader header,
            MessageDraft.Builder draft,
            byte[] properties,
            UniqueKey unique,
            Connection from) {
        Map<String, String> decoded = decoded(properties);
        if (Names.isRetry(header.topic())) {
            DelayedMessageWriter.withoutUnless(decoded);
        }
        DelayedMessageWriter.checkUnless(decoded);
        return new Placement.Half(
                halves.prepare(draft, header.sysFlag(), header.producerGroup(), decoded, from), unique);
    }

    private Placement retry(
            SendMessageHeader header,
            MessageDraft.Builder draft,
            ByteBuffer body,
            int queueId,
            byte[] properties,
            UniqueKey unique,
            Connection from) {
        Map<String, String> decoded = decoded(properties);
        DelayedMessageWriter.withoutUnless(decoded);
        // It may be placed later, when the socket's buffer is gone.
        byte[] copy = new byte[body.remaining()];
        body.get(body.position(), copy);
        return new Placement.Retry(header, draft.body(copy), queueId, decoded, unique, from);
    }

    /** Places a retry that nobody took: not a retry again. */
    Placement placeRetry(Placement.Retry retry) {
        SendMessageHeader header = retry.header();
        Map<String, String> properties = retry.properties();
        ClientRetries.RetryTarget target = retries.place(
                header.topic(), header.reconsumeTimes(), header.maxReconsumeTimes(), properties, retry.from());
        if (target.code() != 0) {
            return new Placement.Refused(target.code(), target.remark());
        }
        if (target.isDeadLetter()) {
            byte[] encoded = CopyRoom.encodeOfClient(properties);
            return new Placement.DeadLetter(retry.draft()
                    .topic(target.topic())
                    .queueId(0)
                    .properties(encoded)
                    .build());
        }
        Delay delay = target.delay() != null
                ? target.delay()
                : delays.delayOf(properties, stamp.clock().wallMillis());
        return byDelay(retry.draft(), header.topic(), retry.queueId(), properties, retry.unique(), delay);
    }

    private Placement byDelay(
            MessageDraft.Builder draft,
            String topic,
            int queueId,
            Map<String, String> properties,
            UniqueKey unique,
            Delay delay) {
        if (delay.isRefused()) {
            return new Placement.Refused(delay.code(), delay.remark());
        }
        if (delay.isDue()) {
            return new Placement.Delayed(
                    delays.prepare(delay, draft, topic, queueId, properties), unique, delay.dueMillis());
        }
        DelayedMessageWriter.withoutUnless(properties);
        boolean isCopy = Names.isRetry(topic); // made by its consumer
        byte[] encoded = isCopy ? CopyRoom.encodeOfClient(properties) : CopyRoom.encodeFirst(properties);
        return new Placement.Visible(draft.properties(encoded).build(), unique);
    }
}
