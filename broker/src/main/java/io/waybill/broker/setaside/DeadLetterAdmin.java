/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.setaside;

import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestRefused;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.retry.FailureProperties;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.QueueStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What operators do with dead letters: LIST_DEAD (30569) and SETTLE_DEAD (30570).
 *
 * <p>What always holds: a dead letter is settled once. Its re-driven copy and its settlement are one frame of the log, so that neither is ever there without
 * the other. Each one that was asked for gets an answer, and the request is answered when all have one. Work with a rate is done in pieces by a duty,
 * so that nothing waits on a thread; it stops when the asking connection is gone.
 */
public final class DeadLetterAdmin implements Feature {
    private static final Logger LOG = LoggerFactory.getLogger(DeadLetterAdmin.class);

    static final int MOST_LISTED = 1_000;
    /** Of properties, most of which an answer may repeat. */
    private static final int MOST_LISTED_BYTES = 4 << 20;

    static final int MOST_SETTLED = 1_000;
    private static final int USUALLY_LISTED = 100;
    /** The longest work of one request: clients wait for its answer. */
    static final int LONGEST_SECONDS = 20;

    private static final int MOST_WAITING = 64;
    private static final int MOST_TEXT = 256;
    private static final int MOST_EDITS = 64;
    /** Dead letters of a rate above this in one second go out several at a time. */
    private static final long SHORTEST_SLEEP_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final long BUSY_SLEEP_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private final QueueStore queueStore;
    private final MessageStore messageStore;
    private final SettlementStore settlementStore;
    private final Topics topics;
    private final Clock clock;
    private final RandomSource random;
    private final int maxMessageBytes;
    private final Executor blocking;

    /** Work with a rate. Guarded by itself. */
    private final Deque<Job> jobs = new ArrayDeque<>();

    private final Wakeup wakeup = new Wakeup();

    /** @param lanes for the work that goes on at a rate */
    public DeadLetterAdmin(
            QueueStore queueStore,
            MessageStore messageStore,
            SettlementStore settlementStore,
            Topics topics,
            Clock clock,
            RandomSource random,
            int maxMessageBytes,
            Lanes lanes) {
        this.queueStore = queueStore;
        this.messageStore = messageStore;
        this.settlementStore = settlementStore;
        this.topics = topics;
        this.clock = clock;
        this.random = random;
        this.maxMessageBytes = maxMessageBytes;
        this.blocking = lanes.executor(Lane.OPERATOR);
    }

    @Override
    public void routes(Routes routes) {
        routes.onCommand(RequestCode.LIST_DEAD, Lane.OPERATOR, DeadLetterAdmin::body, this::list)
                .onCommand(RequestCode.SETTLE_DEAD, Lane.OPERATOR, DeadLetterAdmin::body, this::settle);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(new PacedWork(), wakeup);
    }

    private static JsonObject body(Command command) {
        return Json.parse(command.body());
    }

    private static String groupOf(JsonObject wanted) {
        String group = wanted.requireString("group");
        String illegal = Names.checkGroup(group);
        if (illegal != null) {
            throw new BadField("group", "the name of a consumer group", group);
        }
        return group;
    }

    private void checkKnown(String group) {
        boolean unknown = topics.find(Names.deadLetterTopic(group)) == null
                && queueStore.offsetRange(Names.deadLetterTopic(group), 0).maxOffset() == 0;
        if (unknown) {
            throw new RequestRefused(ResponseCode.QUERY_NOT_FOUND, "group " + group + " has no dead letters here");
        }
    }

    // ---- list

    private Reply list(Request request, JsonObject wanted) {
        String group = groupOf(wanted);
        long from = wanted.getLong("from", 0);
        int most = Math.max(1, Math.min(wanted.getInt("max", USUALLY_LISTED), MOST_LISTED));
        boolean withSettled = wanted.getBoolean("settled", false);
        checkKnown(group);
        SetAsideQueue queue = SetAsideQueue.ofDeadLetters(queueStore, settlementStore, group);
        JsonWriter json = new JsonWriter().beginObject().field("group", group);
        json.field("total", queue.total()).field("open", queue.open());
        json.name("deadLetters").beginArray();
        AtomicInteger bytes = new AtomicInteger();
        queue.read(queue.offsets(from, most, withSettled), deadLetter -> {
            long offset = StoredMessage.queueOffset(deadLetter, 0);
            write(json, deadLetter, offset, stateOf(queue.settlementAt(offset)));
            return bytes.addAndGet(StoredMessage.propertiesLength(deadLetter, 0)) < MOST_LISTED_BYTES;
        });
        return Reply.success(json.endArray().endObject().toByteArray());
    }

    /** Members without a value are left out. */
    private static void write(JsonWriter json, ByteBuffer deadLetter, long offset, String state) {
        Map<String, String> properties = MessageProperties.decode(StoredMessage.properties(deadLetter, 0));
        json.beginObject().field("offset", offset).field("offsetMsgId", Redrive.offsetId(deadLetter));
        json.field("uniqueKey", properties.get(MessageProperties.UNIQ_KEY));
        json.field("originTopic", Redrive.originTopic(deadLetter));
        json.field("originMessageId", properties.get(MessageProperties.DLQ_ORIGIN_MESSAGE_ID));
        json.field(
                "tries", number(properties, FailureProperties.DLQ_TRIES, StoredMessage.reconsumeTimes(deadLetter, 0)));
        long sinceMillis = number(properties, FailureProperties.RETRY_SINCE_MS, 0);
        if (sinceMillis > 0) {
            json.field("firstMillis", sinceMillis);
        }
        json.field(
                "deadMillis",
                number(properties, FailureProperties.DLQ_MS, StoredMessage.storeTimestamp(deadLetter, 0)));
        json.field("reason", properties.get(FailureProperties.DLQ_REASON));
        json.field("client", properties.get(FailureProperties.DLQ_CLIENT));
        json.field("keys", properties.get(MessageProperties.KEYS));
        json.field("tags", properties.get(MessageProperties.TAGS));
        json.field("bodySize", StoredMessage.bodyLength(deadLetter, 0));
        json.field("state", state).endObject();
    }

    private static String stateOf(Settlement settlement) {
        return settlement == null ? "OPEN" : settlement.how().name();
    }

    private static long number(Map<String, String> properties, String name, long otherwise) {
        try {
            String text = properties.get(name);
            return text == null ? otherwise : Long.parseLong(text);
        } catch (NumberFormatException e) { // somebody else sent it here
            return otherwise;
        }
    }

    // ---- settle

    /** One request: which dead letters, what to do with them, and what became of each so far. */
    private static final class Job {
        final Request request;
        final String group;
        final List<Long> offsets;
        final Redrive redrive; // null = discard
        final String by;
        final double perSecond; // 0 = at once
        final long startNanos;
        final LetterResult[] results;
        final AtomicInteger open;
        int begun; // of the thread that begins them

        Job(Request request, String group, List<Long> offsets, Redrive redrive, String by, double perSecond, long now) {
            this.request = request;
            this.group = group;
            this.offsets = offsets;
            this.redrive = redrive;
            this.by = by;
            this.perSecond = perSecond;
            this.startNanos = now;
            this.results = new LetterResult[offsets.size()];
            this.open = new AtomicInteger(offsets.size());
        }

        /** When one may go out. */
        long atNanos(int index) {
            return startNanos + (long) (index / perSecond * 1e9);
        }
    }

    /** What became of one letter; what is null is not written. */
    private record LetterResult(long offset, String answer, String offsetMsgId, String text) {
        void write(JsonWriter json) {
            json.beginObject().field("offset", offset);
            json.field("answer", answer).field("offsetMsgId", offsetMsgId).field("text", text);
            json.endObject();
        }
    }

    private Reply settle(Request request, JsonObject wanted) {
        String group = groupOf(wanted);
        String action = wanted.requireString("action");
        String by = text("by", wanted.requireString("by")) + " at "
                + addressOf(request.connection().remoteAddress());
        String reason = wanted.getString("reason");
        String why = reason == null ? by : by + ": " + text("reason", reason);
        boolean all = wanted.getBoolean("all", false);
        List<Long> asked =
                List.copyOf(new LinkedHashSet<>(wanted.getArray("offsets").longs("offsets")));
        double perSecond = wanted.getDouble("maxPerSecond", 0);
        if (!(perSecond >= 0 && perSecond <= 1e9)) {
            throw new BadField("maxPerSecond", "0 (no limit) or more", perSecond + "");
        }
        if (all == !asked.isEmpty()) {
            throw new BadField("offsets", "some offsets, or all = true", asked.size() + " and all = " + all);
        }
        int most = perSecond == 0
                ? MOST_SETTLED
                : (int) Math.max(1, Math.min(MOST_SETTLED, Math.floor(perSecond * LONGEST_SECONDS)));
        if (asked.size() > most) {
            String limit = "at most " + most + " dead letters in one request"
                    + (perSecond == 0 ? "" : " of " + perSecond + " a second, " + LONGEST_SECONDS + " s of work");
            throw new BadField("offsets", limit, asked.size() + "");
        }
        Redrive redrive = switch (action) {
            case "REDRIVE" -> redrive(wanted, why, asked.size() == 1 && !all);
            case "DISCARD" -> null;
            default -> throw new BadField("action", "REDRIVE or DISCARD", action);
        };
        checkKnown(group);
        List<Long> offsets = all
                ? SetAsideQueue.ofDeadLetters(queueStore, settlementStore, group)
                        .offsets(0, most, false)
                : asked;
        return begin(new Job(request, group, offsets, redrive, why, perSecond, clock.nanoTime()));
    }

    private static String addressOf(InetSocketAddress peer) {
        return peer.getHostString() + ":" + peer.getPort();
    }

    private static String text(String field, String text) {
        if (text.isBlank() || text.length() > MOST_TEXT || text.indexOf(1) >= 0 || text.indexOf(2) >= 0) {
            throw new BadField(field, "1 to " + MOST_TEXT + " characters without U+0001 and U+0002", text);
        }
        return text;
    }

    private Redrive redrive(JsonObject wanted, String by, boolean one) {
        JsonObject edit = wanted.getObject("edit");
        boolean toGroupOnly = wanted.getBoolean("toGroupOnly", false);
        if (edit == null) {
            return new Redrive(toGroupOnly, Map.of(), null, by);
        }
        Map<String, String> properties = edit.getStringMap("properties");
        if (properties.size() > MOST_EDITS) {
            throw new BadField("edit.properties", "at most " + MOST_EDITS, properties.size() + "");
        }
        Redrive.check(properties);
        String text = edit.getString("body");
        if (text == null) {
            return new Redrive(toGroupOnly, properties, null, by);
        }
        if (!one) {
            throw new BadField("edit.body", "an edit of one dead letter, named by its offset", "several dead letters");
        }
        byte[] body;
        try {
            body = Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw new BadField("edit.body", "base64", text.length() + " other characters");
        }
        if (body.length > maxMessageBytes) {
            throw new BadField(
                    "edit.body", "at most " + maxMessageBytes + " bytes (maxMessageBytes)", body.length + "");
        }
        return new Redrive(toGroupOnly, properties, body, by);
    }

    private Reply begin(Job job) {
        if (job.offsets.isEmpty()) {
            return answer(job);
        }
        if (job.perSecond == 0 || job.offsets.size() == 1) {
            job.begun = job.offsets.size();
            work(job, 0, job.offsets.size());
            return Reply.LATER;
        }
        synchronized (jobs) {
            if (jobs.size() >= MOST_WAITING) {
                return Reply.refused(
                        ResponseCode.SYSTEM_BUSY, "[OVERLOAD] " + MOST_WAITING + " such requests are in work already");
            }
            jobs.add(job);
        }
        wakeup.wake();
        return Reply.LATER;
    }

    /** Goes on with the work that has a rate. */
    private final class PacedWork implements Duty {
        @Override
        public String roleName() {
            return "broker-dead-letters";
        }

        @Override
        public long run() {
            List<Job> current;
            synchronized (jobs) {
                current = new ArrayList<>(jobs);
            }
            long now = clock.nanoTime();
            long sleep = WHEN_WOKEN;
            Set<Job> finished = new HashSet<>();
            for (Job job : current) {
                int due = job.begun;
                while (due < job.offsets.size() && job.atNanos(due) - now <= 0) {
                    due++;
                }
                if (!job.request.connection().isOpen()) {
                    LOG.info(
                            "the work on dead letters of {} by {} stopped after {}: nobody waits",
                            job.group,
                            job.by,
                            job.begun);
                    finished.add(job);
                    continue;
                }
                if (due > job.begun) {
                    int upTo = due;
                    int from = job.begun;
                    try {
                        blocking.execute(() -> work(job, from, upTo));
                        job.begun = due;
                    } catch (RejectedExecutionException e) {
                        sleep = Math.min(
                                sleep, BUSY_SLEEP_NANOS); // too much waits for the disk: they go out a little later
                        continue;
                    }
                }
                if (due == job.offsets.size()) {
                    finished.add(job);
                } else {
                    sleep = Math.min(sleep, Math.max(SHORTEST_SLEEP_NANOS, job.atNanos(due) - now));
                }
            }
            synchronized (jobs) {
                for (Iterator<Job> i = jobs.iterator(); i.hasNext(); ) {
                    if (finished.contains(i.next())) {
                        i.remove();
                    }
                }
            }
            return sleep;
        }
    }

    /** Settles some of the job; each is answered on its own, whatever happens to the others. May block on the disk. */
    private void work(Job job, int from, int upTo) {
        SetAsideQueue queue = null;
        for (int i = from; i < upTo; i++) {
            try {
                queue = queue == null ? SetAsideQueue.ofDeadLetters(queueStore, settlementStore, job.group) : queue;
                settleOne(job, i, queue);
            } catch (BadValue e) {
                finish(job, i, "FAILED", null, e.getMessage());
            } catch (RuntimeException e) {
                LOG.error("dead letter {} of group {} was not settled", job.offsets.get(i), job.group, e);
                finish(job, i, "FAILED", null, "the broker's log says why");
            }
        }
    }

    private void settleOne(Job job, int index, SetAsideQueue queue) {
        long offset = job.offsets.get(index);
        if (!queue.holds(offset)) {
            finish(job, index, "NOT_FOUND", null, null);
            return;
        }
        if (queue.isSettled(offset)) {
            finish(job, index, "ALREADY_SETTLED", null, null);
            return;
        }
        if (job.redrive == null) {
            queue.settle(
                    offset,
                    How.DISCARDED,
                    job.by,
                    List.of(),
                    outcome -> settled(job, index, outcome, How.DISCARDED, null));
            return;
        }
        ByteBuffer deadLetter = queue.read(offset);
        if (deadLetter == null) {
            throw new BadValue("dead letter", "readable", "one that is gone or damaged");
        }
        MessageDraft copy = copyOf(job, deadLetter);
        InetSocketAddress host = StoredMessage.storeHost(ByteBuffer.wrap(copy.bytes()), 0);
        queue.settle(
                offset,
                How.REDRIVEN,
                job.by,
                List.of(copy),
                outcome -> settled(job, index, outcome, How.REDRIVEN, host));
    }

    private MessageDraft copyOf(Job job, ByteBuffer deadLetter) {
        String origin = Redrive.originTopic(deadLetter);
        if (origin == null) {
            throw new BadValue(
                    "dead letter", "one that names the topic it was sent to", "one that was sent here by hand");
        }
        String target = job.redrive.toGroupOnly() ? Names.retryTopic(job.group) : origin;
        TopicConfig topic = topics.find(target);
        if (topic == null || Names.isSendForbidden(target)) {
            throw new BadValue("topic", "one that is there", target);
        }
        if (!Perm.isWriteable(topic.perm())) {
            throw new BadValue("topic " + target, "open for sending", "perm " + topic.perm());
        }
        int queues = Math.max(1, Math.min(topic.writeQueueNums(), topic.readQueueNums()));
        int queueId = job.redrive.toGroupOnly() ? random.nextInt(queues) : queueOf(deadLetter, origin, queues);
        return job.redrive.of(deadLetter, origin, target, queueId, clock.wallMillis());
    }

    /** The queue the message was first in if that can still be found, so that what is ordered stays together; else one by its sharding key, else any. */
    private int queueOf(ByteBuffer deadLetter, String topic, int queues) {
        String uniqueKey = StoredMessage.property(deadLetter, 0, MessageProperties.UNIQ_KEY);
        String firstId = StoredMessage.property(deadLetter, 0, MessageProperties.DLQ_ORIGIN_MESSAGE_ID);
        ByteBuffer first = MessageIds.isOffsetId(firstId)
                ? messageStore.readAt(MessageIds.decode(firstId).position())
                : null;
        if (!isCopyOf(first, topic, uniqueKey)) {
            List<ByteBuffer> same =
                    uniqueKey == null ? List.of() : messageStore.findByKey(topic, uniqueKey, 1, 0, Long.MAX_VALUE);
            first = same.isEmpty() ? null : same.get(0);
        }
        if (first != null && StoredMessage.queueId(first, 0) < queues) {
            return StoredMessage.queueId(first, 0);
        }
        String shardingKey = StoredMessage.property(deadLetter, 0, MessageProperties.SHARDING_KEY);
        return shardingKey == null ? random.nextInt(queues) : Math.floorMod(shardingKey.hashCode(), queues);
    }

    private static boolean isCopyOf(ByteBuffer message, String topic, String uniqueKey) {
        return message != null
                && uniqueKey != null
                && StoredMessage.topicEquals(message, 0, topic)
                && uniqueKey.equals(StoredMessage.property(message, 0, MessageProperties.UNIQ_KEY));
    }

    private void settled(Job job, int index, Outcome outcome, How how, InetSocketAddress host) {
        if (outcome instanceof Refused refused && refused.reason() == Refused.Reason.ALREADY_DECIDED) {
            finish(job, index, "ALREADY_SETTLED", null, null); // by another request meanwhile
        } else if (outcome instanceof Stored stored) {
            String id = host == null ? null : MessageIds.offsetId(host, stored.position());
            finish(job, index, how.name(), id, null);
        } else {
            finish(job, index, "FAILED", null, Outcomes.text(outcome));
        }
    }

    private void finish(Job job, int index, String answer, String offsetMsgId, String text) {
        job.results[index] = new LetterResult(job.offsets.get(index), answer, offsetMsgId, text);
        if (job.open.decrementAndGet() == 0) {
            answer(job).send(job.request);
        }
    }

    private static Reply answer(Job job) {
        LOG.info(
                "{} dead letters of group {} were {} by {}",
                job.offsets.size(),
                job.group,
                job.redrive == null ? "discarded" : "re-driven",
                job.by);
        JsonWriter json = new JsonWriter().beginObject().field("group", job.group);
        json.name("results").beginArray();
        for (LetterResult result : job.results) {
            result.write(json);
        }
        return Reply.success(json.endArray().endObject().toByteArray());
    }
}
