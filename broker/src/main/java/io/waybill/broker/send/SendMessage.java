/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.retry.ClientRetryPublisher;
import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.TopicAttributes;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.platform.Clock;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.protocol.message.UniqueKeys;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.record.UniqueKey;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * SEND_MESSAGE (10), SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320).
 *
 * <p>The steps: read the header, check, find the topic or create it, place (visible now, later, or half), store; the reply
 * is sent by the thread that confirmed. The body is copied once, into the record. Nothing is answered with success that
 * the store did not report as stored. Runs on the event loop and does not block.
 */
final class SendMessage implements RequestHandler {
    /** Messages of one batch: each takes an object and an entry of the views, however small it is. */
    private static final int MOST_PARTS = 32_768;
    /** Keys and unique keys of one batch together, for the same reason. */
    private static final int MOST_BATCH_KEYS = 65_536;

    private final Store store;
    private final Topics topics;
    private final SendChecks checks;
    private final HalfMessageWriter halves;
    private final DelayedMessageWriter delays;
    private final ClientRetryPublisher retries;
    private final SendReplies replies;
    private final CancelMarker cancels;
    private final Requesters requesters;
    private final Duplicates duplicates;
    private final Clock clock;
    private final RandomSource random;
    private final UniqueKeys uniqueKeys;
    private final InetSocketAddress storeHost;
    /** What every single message gets: cluster, region and trace switch, encoded once. */
    private final byte[] brokerProperties;

    private final Map<String, String> brokerPropertyTable;

    SendMessage(
            Store store,
            Topics topics,
            SendChecks checks,
            HalfMessageWriter halves,
            DelayedMessageWriter delays,
            ClientRetryPublisher retries,
            SendReplies replies,
            CancelMarker cancels,
            Requesters requesters,
            Clock clock,
            RandomSource random,
            InetSocketAddress storeHost,
            Map<String, String> brokerProperties) {
        this.store = store;
        this.topics = topics;
        this.checks = checks;
        this.halves = halves;
        this.delays = delays;
        this.retries = retries;
        this.replies = replies;
        this.cancels = cancels;
        this.requesters = requesters;
        this.duplicates = new Duplicates(store);
        this.clock = clock;
        this.random = random;
        this.storeHost = storeHost;
        this.brokerPropertyTable = Map.copyOf(brokerProperties);
        this.brokerProperties = MessageProperties.encode(brokerProperties);
        byte[] host = new byte[4];
        random.nextBytes(host);
        this.uniqueKeys = new UniqueKeys(host, random.nextInt(1 << 16), (int) random.nextLong());
    }

    @Override
    public void handle(Request request) {
        try {
            begin(request);
        } catch (BadValue e) {
            refuse(request, e);
        }
    }

    private void begin(Request request) {
        SendMessageHeader header = SendMessageHeader.read(request.command().fields());
        Refusal refusal = checks.ofRequest(header, request.command().bodyLength());
        if (refusal != null) {
            request.refuse(refusal.code(), refusal.text());
            return;
        }
        TopicConfig topic = topics.find(header.topic());
        if (topic != null) {
            place(request, header, topic, request.command().body());
            return;
        }
        ClientRetryPublisher.Placement foreign = retries.refusalOfNew(header.topic());
        if (foreign != null) {
            request.refuse(foreign.code(), foreign.remark());
            return;
        }
        // The creation ends later, when the socket's buffer is gone: this one time the body is copied twice.
        ByteBuffer body = ByteBuffer.wrap(request.command().bodyBytes());
        topics.findOrCreateForSend(
                header.topic(), header.defaultTopic(), header.defaultTopicQueueNums(), header.unitMode(), change -> {
                    if (change.isRefused()) {
                        request.refuse(change.code(), change.text());
                        return;
                    }
                    try {
                        place(request, header, change.config(), body);
                    } catch (BadValue e) {
                        refuse(request, e);
                    }
                });
    }

    /** A message that breaks a limit of messages is 13, a request that cannot be read is 29. */
    private static void refuse(Request request, BadValue e) {
        boolean ofHeader = e instanceof BadField && !"properties".equals(e.field());
        request.refuse(ofHeader ? ResponseCode.INVALID_PARAMETER : ResponseCode.MESSAGE_ILLEGAL, e.getMessage());
    }

    private void place(Request request, SendMessageHeader header, TopicConfig topic, ByteBuffer body) {
        Refusal refusal = checks.ofTopic(header, topic);
        if (refusal != null) {
            request.refuse(refusal.code(), refusal.text());
            return;
        }
        int queueId = header.queueId() >= 0 ? header.queueId() : random.nextInt(Math.max(1, topic.writeQueueNums()));
        if (header.batch() || request.code() == RequestCode.SEND_BATCH_MESSAGE) {
            placeBatch(request, header, topic, queueId, body);
            return;
        }
        int marks = PropertyFlags.of(header.properties());
        boolean half = (marks & PropertyFlags.TRANSACTION) != 0
                || SysFlag.transactionState(header.sysFlag()) == SysFlag.TRANSACTION_PREPARED;
        byte[] properties = header.properties();
        if ((marks & PropertyFlags.CANCEL) != 0) {
            takeCancel(request, header, half);
            return;
        }
        if ((marks & PropertyFlags.ASKS) != 0 && !Names.isRetry(topic.topicName())) {
            requesters.asks(
                    MessageProperties.get(properties, MessageProperties.REPLY_TO_CLIENT),
                    MessageProperties.get(properties, MessageProperties.TTL),
                    request.connection());
        }
        if ((marks & PropertyFlags.POPPED) != 0) {
            properties = MessageProperties.without(properties, MessageProperties.POP_CK);
        }
        if ((marks & PropertyFlags.PRIORITY) != 0) {
            int wanted = Priority.queueOf(topic, properties, half || (marks & PropertyFlags.DELAY) != 0);
            queueId = wanted >= 0 ? wanted : queueId;
            properties = wanted == Priority.TAKE_OUT
                    ? MessageProperties.without(properties, MessageProperties.PRIORITY)
                    : properties;
        }
        MessageDraft.Builder draft = draft(request, header, topic, body)
                .topic(topic.topicName())
                .queueId(queueId)
                .flag(header.flag())
                .reconsumeTimes(header.reconsumeTimes());
        boolean retry = Names.isRetry(topic.topicName());
        if (half || retry || (marks & (PropertyFlags.DELAY | PropertyFlags.UNLESS)) != 0) {
            placeSpecially(request, header, topic, draft, queueId, properties, half, retry);
            return;
        }
        UniqueKey unique = duplicates.claimOf(topic, properties);
        CopyRoom.checkFirst(properties); // before anything is joined to them
        draft.properties(properties);
        addBrokerProperties(draft, marks);
        CopyRoom.checkFirst(draft.properties());
        MessageDraft message = draft.build();
        store.put(
                unique,
                message,
                outcome -> replies.single(request, outcome, message.queueId(), message.uniqueKey(), null));
    }

    private void takeCancel(Request request, SendMessageHeader header, boolean half) {
        String cancelled = MessageProperties.get(header.properties(), MessageProperties.TIMER_DEL_UNIQKEY);
        String own = half ? "a transaction" : Names.groupOf(header.topic()) != null ? "a retry or dead letter" : null;
        if (own != null || cancelled == null) {
            throw new BadValue(
                    "property " + MessageProperties.TIMER_DEL_UNIQKEY,
                    "absent in " + (own == null ? "this message" : own) + ": it takes back a delayed message",
                    String.valueOf(cancelled));
        }
        cancels.take(request, header, cancelled);
    }

    private MessageDraft.Builder draft(Request request, SendMessageHeader header, TopicConfig topic, ByteBuffer body) {
        boolean multiTag = "MULTI_TAG".equals(topic.topicFilterType());
        return MessageDraft.builder()
                .sysFlag(multiTag ? header.sysFlag() | SysFlag.MULTI_TAGS : header.sysFlag())
                .bornTimestamp(header.bornTimestamp())
                .bornHost(request.connection().remoteAddress())
                .storeHost(storeHost)
                .body(body);
    }

    private void addBrokerProperties(MessageDraft.Builder draft, int marks) {
        if ((marks & PropertyFlags.UNIQUE_KEY) == 0) {
            draft.property(MessageProperties.UNIQ_KEY, uniqueKeys.next(clock.wallMillis()));
        }
        if ((marks & PropertyFlags.CLUSTER) == 0) {
            draft.appendProperties(brokerProperties);
        } else {
            // A message that went through a broker before: replace what that one wrote.
            brokerPropertyTable.forEach(draft::property);
        }
    }

    /** The ways that read or change the properties: half messages, retries, delays. */
    private void placeSpecially(
            Request request,
            SendMessageHeader header,
            TopicConfig topic,
            MessageDraft.Builder draft,
            int queueId,
            byte[] encoded,
            boolean half,
            boolean retry) {
        UniqueKey unique = duplicates.claimOf(topic, encoded);
        Map<String, String> properties = MessageProperties.decode(encoded);
        properties.putAll(brokerPropertyTable);
        properties.computeIfAbsent(MessageProperties.UNIQ_KEY, k -> uniqueKeys.next(clock.wallMillis()));
        String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
        if (retry) {
            DelayedMessageWriter.withoutUnless(properties);
        }
        DelayedMessageWriter.checkUnless(properties);
        if (half) {
            halves.accept(
                    unique,
                    draft,
                    header.sysFlag(),
                    header.producerGroup(),
                    properties,
                    request.connection(),
                    outcome -> replies.single(request, outcome, queueId, uniqueKey, null));
            return;
        }
        if (!retry) {
            Delay delay = delays.delayOf(properties, clock.wallMillis());
            placeByDelay(request, unique, draft, header.topic(), queueId, properties, delay);
            return;
        }
        // Answered later, when the socket's buffer is gone.
        byte[] body = request.command().bodyBytes();
        boolean isTaken = retries.isTaken(header.topic(), properties, request.connection(), outcome -> {
            if (outcome != null) {
                replies.single(request, outcome, queueId, uniqueKey, null);
                return;
            }
            try {
                placeRetry(request, header, draft.body(ByteBuffer.wrap(body)), queueId, properties, unique);
            } catch (BadValue e) {
                refuse(request, e);
            }
        });
        if (!isTaken) {
            placeRetry(request, header, draft, queueId, properties, unique);
        }
    }

    private void placeRetry(
            Request request,
            SendMessageHeader header,
            MessageDraft.Builder draft,
            int queueId,
            Map<String, String> properties,
            UniqueKey unique) {
        ClientRetryPublisher.Placement place = retries.place(
                header.topic(), header.reconsumeTimes(), header.maxReconsumeTimes(), properties, request.connection());
        if (place.code() != 0) {
            request.refuse(place.code(), place.remark());
        } else if (place.deadLetter()) {
            String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
            placeDeadLetter(request, place.topic(), draft.properties(CopyRoom.encodeOfClient(properties)), uniqueKey);
        } else {
            Delay delay = place.delay() != null ? place.delay() : delays.delayOf(properties, clock.wallMillis());
            placeByDelay(request, unique, draft, header.topic(), queueId, properties, delay);
        }
    }

    private void placeDeadLetter(Request request, String topic, MessageDraft.Builder draft, String uniqueKey) {
        MessageDraft message = draft.topic(topic).queueId(0).build();
        store.put(message, outcome -> replies.single(request, outcome, 0, uniqueKey, null));
    }

    private void placeByDelay(
            Request request,
            UniqueKey unique,
            MessageDraft.Builder draft,
            String topic,
            int queueId,
            Map<String, String> properties,
            Delay delay) {
        String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
        if (delay.isRefused()) {
            request.refuse(delay.code(), delay.remark());
        } else if (delay.isDue()) {
            RecallHandleFactory recall = key -> delays.recallHandle(topic, delay.dueMillis(), key);
            delays.accept(
                    unique,
                    delay,
                    draft,
                    topic,
                    queueId,
                    properties,
                    outcome -> replies.single(request, outcome, queueId, uniqueKey, recall));
        } else {
            DelayedMessageWriter.withoutUnless(properties);
            boolean isCopy = Names.isRetry(topic); // made by its consumer
            byte[] encoded = isCopy ? CopyRoom.encodeOfClient(properties) : CopyRoom.encodeFirst(properties);
            MessageDraft message = draft.properties(encoded).build();
            store.put(unique, message, outcome -> replies.single(request, outcome, queueId, uniqueKey, null));
        }
    }

    private void placeBatch(
            Request request, SendMessageHeader header, TopicConfig topic, int queueId, ByteBuffer body) {
        if (Names.isRetry(topic.topicName()) || Names.isDeadLetter(topic.topicName())) {
            request.refuse(ResponseCode.MESSAGE_ILLEGAL, "a batch cannot be sent to topic '" + topic.topicName() + "'");
            return;
        }
        // What the header asks for counts for no part; a client writes no more there than a key and WAIT.
        if (!isPlain(PropertyFlags.of(header.properties()))
                || SysFlag.transactionState(header.sysFlag()) != SysFlag.TRANSACTION_NONE) {
            request.refuse(
                    ResponseCode.MESSAGE_ILLEGAL,
                    "the header of the batch asks for a delay, a condition, a cancellation or a transaction;"
                            + " a batch takes plain messages only");
            return;
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
        List<MessageDraft> drafts = new ArrayList<>(parts.size());
        List<UniqueKey> unique = new ArrayList<>(parts.size());
        int keys = 0;
        for (BatchBody.Part part : parts) {
            int marks = PropertyFlags.of(part.properties());
            boolean prioritized = (marks & PropertyFlags.PRIORITY) != 0
                    && Priority.queueOf(topic, part.properties(), false) != Priority.NONE;
            if (!isPlain(marks) || prioritized) {
                request.refuse(
                        ResponseCode.MESSAGE_ILLEGAL,
                        "message " + drafts.size() + " of the batch asks for "
                                + (prioritized ? "a priority" : "a delay, a condition, a cancellation or a transaction")
                                + "; a batch takes plain messages only");
                return;
            }
            MessageDraft.Builder draft = draft(request, header, topic, part.body())
                    .topic(topic.topicName())
                    .queueId(queueId)
                    .flag(part.flag())
                    .reconsumeTimes(header.reconsumeTimes())
                    .properties(
                            (marks & PropertyFlags.POPPED) == 0
                                    ? part.properties()
                                    : MessageProperties.without(part.properties(), MessageProperties.POP_CK));
            CopyRoom.checkFirst(part.properties());
            if ((marks & PropertyFlags.UNIQUE_KEY) == 0) {
                draft.property(MessageProperties.UNIQ_KEY, uniqueKeys.next(clock.wallMillis()));
            }
            CopyRoom.checkFirst(draft.properties());
            unique.add(duplicates.claimOf(topic, part.properties()));
            MessageDraft message = draft.build();
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
        if (!dedup) {
            store.putBatch(drafts, outcome -> replies.batch(request, outcome, queueId, drafts, batchKey));
        } else {
            store.putBatch(drafts, unique, outcome -> replies.batch(request, outcome, queueId, drafts, batchKey));
        }
    }

    private static boolean isPlain(int marks) {
        int special = PropertyFlags.TRANSACTION | PropertyFlags.DELAY | PropertyFlags.UNLESS | PropertyFlags.CANCEL;
        return (marks & special) == 0;
    }
}
