/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.topic.TopicAttributes;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.remoting.Connection;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Places a batch as {@link MessagePlacer} places a single message. A batch takes plain messages of one queue only. */
final class BatchPlacer {
    /** Messages of one batch: each takes an object and an entry of the views, however small it is. */
    private static final int MOST_PARTS = 32_768;
    /** Keys and unique keys of one batch together, for the same reason. */
    private static final int MOST_BATCH_KEYS = 65_536;

    private static final int SPECIAL =
            PropertyFlags.TRANSACTION | PropertyFlags.DELAY | PropertyFlags.UNLESS | PropertyFlags.CANCEL;

    private final MessageStamp stamp;
    private final Duplicates duplicates;

    BatchPlacer(MessageStamp stamp, Duplicates duplicates) {
        this.stamp = stamp;
        this.duplicates = duplicates;
    }

    /** @throws BadValue when the batch cannot be read or breaks a limit */
    Placement place(SendMessageHeader header, TopicConfig topic, ByteBuffer body, Connection from) {
        if (Names.isRetry(topic.topicName()) || Names.isDeadLetter(topic.topicName())) {
            return illegal("a batch cannot be sent to topic '" + topic.topicName() + "'");
        }
        // What the header asks for counts for no part; a client writes no more there than a key and WAIT.
        if (!isPlain(PropertyFlags.of(header.properties()))
                || SysFlag.transactionState(header.sysFlag()) != SysFlag.TRANSACTION_NONE) {
            return illegal("the header of the batch asks for a delay, a condition, a cancellation or a transaction;"
                    + " a batch takes plain messages only");
        }
        List<BatchBody.Part> parts = BatchBody.parse(body);
        if (parts.size() > MOST_PARTS) {
            throw new BadValue("batch", "at most " + MOST_PARTS + " messages", parts.size() + "");
        }
        boolean dedup = TopicAttributes.dedupMillis(topic) > 0;
        if (dedup && parts.size() > SendReplies.MOST_CLAIMS) {
            throw new BadValue(
                    "batch",
                    "at most " + SendReplies.MOST_CLAIMS + " messages in a topic with " + TopicAttributes.DEDUP,
                    parts.size() + "");
        }
        int queueId = stamp.queueOf(header, topic);
        List<MessageDraft> drafts = new ArrayList<>(parts.size());
        List<UniqueKey> unique = dedup ? new ArrayList<>(parts.size()) : null;
        int keys = 0;
        for (BatchBody.Part part : parts) {
            int flags = PropertyFlags.of(part.properties());
            boolean prioritized = (flags & PropertyFlags.PRIORITY) != 0
                    && Priority.queueOf(topic, part.properties(), false) != Priority.NONE;
            if (!isPlain(flags) || prioritized) {
                return illegal("message " + drafts.size() + " of the batch asks for "
                        + (prioritized ? "a priority" : "a delay, a condition, a cancellation or a transaction")
                        + "; a batch takes plain messages only");
            }
            MessageDraft message = message(header, topic, part, flags, queueId, from);
            if (dedup) {
                unique.add(duplicates.claimOf(topic, part.properties()));
            }
            keys += message.indexKeys().length;
            if (keys > MOST_BATCH_KEYS) {
                throw new BadValue(
                        "batch",
                        "at most " + MOST_BATCH_KEYS + " keys in all its messages",
                        keys + " in the first " + (drafts.size() + 1) + " of " + parts.size());
            }
            drafts.add(message);
        }
        String batchKey = MessageProperties.get(header.properties(), MessageProperties.UNIQ_KEY);
        return new Placement.Batch(drafts, unique, queueId, batchKey);
    }

    private MessageDraft message(
            SendMessageHeader header, TopicConfig topic, BatchBody.Part part, int flags, int queueId, Connection from) {
        CopyRoom.checkFirst(part.properties());
        boolean isPopped = (flags & PropertyFlags.POPPED) != 0;
        MessageDraft.Builder draft = stamp.draft(header, topic, part.body(), from)
                .queueId(queueId)
                .flag(part.flag())
                .properties(
                        isPopped
                                ? MessageProperties.without(part.properties(), MessageProperties.POP_CK)
                                : part.properties());
        stamp.addUniqueKey(draft, flags);
        CopyRoom.checkFirst(draft.properties());
        return draft.build();
    }

    private static Placement illegal(String text) {
        return new Placement.Refused(ResponseCode.MESSAGE_ILLEGAL, text);
    }

    private static boolean isPlain(int flags) {
        return (flags & SPECIAL) == 0;
    }
}
