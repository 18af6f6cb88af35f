/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.delivery.QueueOwner;
import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import io.waybill.store.record.PopKey;
import io.waybill.store.view.Boundary;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings to its group what lies in queues that no member reads, because clients share out the queues of a topic among all members of their group, also
 * among those that do not subscribe to it.
 *
 * <p>What always holds: a queue is touched only when it has messages that some member wants, nobody has pulled it for a while, and all members that
 * subscribe to its topic have just said, twice in a row, that it is not theirs; one that does not answer is taken for its owner. A
 * group with a member that pulls by hand is left alone. Then its messages go
 * to the members that want them through the group's retry topic ({@link SubscriptionConflictRouter}), and the group's offset passes them once they are stored there.
 * At most {@value #MOST_ROUNDS} times {@value #ROUND_MESSAGES} messages of a queue in one go, within the group's rate; one queue at a time.
 */
final class UnreadQueues implements Duty {
    private static final Logger log = LoggerFactory.getLogger(UnreadQueues.class);

    private static final long SCAN_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** A client asks again at once; a wait of a pull has no messages to wait for here. */
    private static final long UNREAD_MILLIS = 10_000;

    private static final long ANSWER_MILLIS = 3_000;
    private static final int CONFIRMATIONS = 2;
    /** What a client that pops calls its queue when it pops from all. */
    private static final int ALL_QUEUES = -1;

    static final int ROUND_MESSAGES = 32;
    private static final int ROUND_BYTES = 256 << 10;
    static final int MOST_ROUNDS = 64;
    private static final int MOST_QUEUES = 256;
    /** Where a client that starts by a time begins unless told otherwise. */
    private static final long FROM_TIME_MILLIS = 1_800_000;

    private record Queue(String group, String topic, int queueId) {}

    private final Store store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final DeliveryLog deliveries;
    private final SubscriptionConflictRouter conflictRouter;
    private final RateLimits limits;
    private final String brokerName;
    private final Executor blocking;
    private final LogRateLimiter lines;

    /** How often in a row all members said that a queue is not theirs. Of the duty's runs and what follows from them, one at a time. */
    private Map<Queue, Integer> confirmed = new HashMap<>();

    /** Whether what an earlier run began still goes on. */
    private volatile boolean isBusy;

    UnreadQueues(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            DeliveryLog deliveries,
            SubscriptionConflictRouter conflictRouter,
            RateLimits limits,
            String brokerName,
            Clock clock,
            Executor blocking) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
        this.deliveries = deliveries;
        this.conflictRouter = conflictRouter;
        this.limits = limits;
        this.brokerName = brokerName;
        this.blocking = blocking;
        this.lines = new LogRateLimiter(clock);
    }

    @Override
    public String roleName() {
        return "broker-unread-queues";
    }

    @Override
    public long run() {
        if (!isBusy) {
            List<Queue> suspects = suspects();
            if (suspects.isEmpty()) {
                confirmed = new HashMap<>();
            } else {
                isBusy = true;
                ask(suspects);
            }
        }
        return SCAN_NANOS;
    }

    // ---- which queues nobody seems to read

    private List<Queue> suspects() {
        List<Queue> suspects = new ArrayList<>();
        for (ConsumerGroup group : members.consumerGroups()) {
            if (group.conflicts().isEmpty()
                    || group.isBroadcasting()
                    || !group.consumeType().equals(ConsumerData.CONSUME_PASSIVELY)
                    || group.members().stream().anyMatch(member -> !group.takesRetries(member))) {
                continue; // one without the retry topic pulls by hand: any queue may be its, whatever it says and
                // however seldom it pulls
            }
            SubscriptionGroupConfig config = groups.find(group.name());
            for (Conflict conflict : group.conflicts()) {
                if (config != null
                        && config.consumeEnable()
                        && conflict.clients().containsKey(Conflict.NOTHING)
                        && group.union(conflict.topic()) != null
                        && groups.mayRead(group.name(), conflict.topic())) {
                    addUnread(group.name(), conflict.topic(), suspects);
                }
            }
        }
        return suspects;
    }

    private void addUnread(String group, String topic, List<Queue> suspects) {
        TopicConfig config = topics.find(topic);
        if (config == null || !Perm.isReadable(config.perm())) {
            return;
        }
        long nowMillis = store.nowMillis();
        for (int queueId = 0; queueId < config.readQueueNums() && suspects.size() < MOST_QUEUES; queueId++) {
            QueueRange range = store.range(topic, queueId);
            boolean hasMore = range.maxOffset() > Math.max(range.minOffset(), offsets.query(group, topic, queueId));
            if (!hasMore || store.popState(new PopKey(group, topic, queueId)) != null) {
                continue;
            }
            QueueOwner out = deliveries.puller(group, topic, queueId);
            if (out == null || nowMillis - out.lastPullMillis() > UNREAD_MILLIS) {
                suspects.add(new Queue(group, topic, queueId));
            }
        }
    }

    // ---- whether their members say so too

    private void ask(List<Queue> suspects) {
        Map<String, Set<ClientChannelInfo>> readers = new HashMap<>();
        for (Queue queue : suspects) {
            ConsumerGroup group = members.consumerGroup(queue.group());
            for (ClientChannelInfo member : group == null ? List.<ClientChannelInfo>of() : group.members()) {
                if (group.subscriptionsOf(member).containsKey(queue.topic())) {
                    readers.computeIfAbsent(queue.group(), g -> new HashSet<>()).add(member);
                }
            }
        }
        Map<String, List<CompletableFuture<Command>>> answers = new HashMap<>();
        List<CompletableFuture<Command>> all = new ArrayList<>();
        readers.forEach((group, ofGroup) -> {
            for (ClientChannelInfo member : ofGroup) {
                CompletableFuture<Command> answer = member.connection()
                        .call(
                                Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                                        .header(new RunningInfoHeader(group, member.clientId(), false))
                                        .build(),
                                ANSWER_MILLIS);
                answers.computeIfAbsent(group, g -> new ArrayList<>()).add(answer);
                all.add(answer);
            }
        });
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
                .whenComplete((done, failure) -> later(() -> confirm(suspects, answers)));
    }

    private void confirm(List<Queue> suspects, Map<String, List<CompletableFuture<Command>>> answers) {
        Map<String, Set<MessageQueue>> owned = new HashMap<>();
        answers.forEach((group, ofGroup) -> owned.put(group, owned(ofGroup)));
        Map<Queue, Integer> now = new HashMap<>();
        Deque<Queue> unread = new ArrayDeque<>();
        for (Queue queue : suspects) {
            Set<MessageQueue> known = owned.get(queue.group());
            if (known == null
                    || known.contains(new MessageQueue(queue.topic(), brokerName, queue.queueId()))
                    || known.contains(new MessageQueue(queue.topic(), brokerName, ALL_QUEUES))) {
                continue;
            }
            int times = confirmed.getOrDefault(queue, 0) + 1;
            now.put(queue, times);
            if (times >= CONFIRMATIONS) {
                unread.add(queue);
            }
            if (times == CONFIRMATIONS) {
                say(queue);
            }
        }
        confirmed = now;
        next(unread);
    }

    /** The queues that the members of a group hold; null when one of them did not tell. */
    private static Set<MessageQueue> owned(List<CompletableFuture<Command>> answers) {
        Set<MessageQueue> owned = new HashSet<>();
        for (CompletableFuture<Command> answer : answers) {
            if (answer.isCompletedExceptionally() || answer.join().code() != ResponseCode.SUCCESS) {
                return null;
            }
            try {
                ConsumerRunningInfo info =
                        ConsumerRunningInfo.parse(answer.join().body());
                owned.addAll(info.mqTable().keySet());
                owned.addAll(info.mqPopTable().keySet());
            } catch (RuntimeException e) { // a peer's malformed text: as one that did not answer
                log.debug("A member told its queues in a form that cannot be read", e);
                return null;
            }
        }
        return owned;
    }

    private void say(Queue queue) {
        ConsumerGroup group = members.consumerGroup(queue.group());
        String more = group == null ? null : lines.admit();
        if (more != null) {
            log.warn(
                    "Queue {} of topic {} is read by no member of group {}: {}. Clients share it out to one that does not subscribe to the topic;"
                            + " its messages go to the others through the retry topic{}",
                    queue.queueId(),
                    queue.topic(),
                    queue.group(),
                    group.conflicts().stream()
                            .filter(conflict -> conflict.topic().equals(queue.topic()))
                            .findFirst()
                            .map(Conflict::toString)
                            .orElse("all want the same"),
                    more);
        }
    }

    // ---- carrying on

    private void next(Deque<Queue> unread) {
        Queue queue = unread.poll();
        if (queue == null) {
            isBusy = false;
        } else {
            round(queue, MOST_ROUNDS, unread);
        }
    }

    private void round(Queue queue, int left, Deque<Queue> unread) {
        later(() -> {
            ConsumerGroup group = members.consumerGroup(queue.group());
            Filter wanted = group == null ? null : group.union(queue.topic());
            long start = wanted == null || left == 0 ? -1 : start(group, queue);
            int granted = start < 0 ? 0 : (int) limits.take(queue.group(), ROUND_MESSAGES);
            if (granted == 0) {
                next(unread);
                return;
            }
            ReadResult read = store.read(
                    queue.topic(),
                    queue.queueId(),
                    start,
                    granted,
                    ROUND_BYTES,
                    wanted.isAll() ? null : wanted::mayMatch,
                    wanted.isAll() ? null : wanted::matches);
            limits.giveBack(queue.group(), granted - read.count());
            if (read.status() == ReadResult.Status.FOUND) {
                // Behind the store's own completion, whose failure nobody here would see.
                conflictRouter.carry(
                        group,
                        queue.topic(),
                        queue.queueId(),
                        messages(read),
                        refusal -> later(() -> {
                            boolean goesOn = refusal == null && passed(queue, start, read.nextOffset());
                            round(queue, goesOn ? left - 1 : 0, unread);
                        }));
            } else if (read.status() == ReadResult.Status.NO_MATCH) {
                round(queue, passed(queue, start, read.nextOffset()) ? left - 1 : 0, unread);
            } else {
                next(unread);
            }
        });
    }

    /** The group is behind these; not when somebody else moved its offset meanwhile. */
    private boolean passed(Queue queue, long from, long to) {
        long committed = offsets.query(queue.group(), queue.topic(), queue.queueId());
        return (committed < 0 || committed <= from)
                && offsets.commit(queue.group(), queue.topic(), queue.queueId(), to);
    }

    /** Where the group goes on in a queue that nobody ever read for it: where its clients would begin. */
    private long start(ConsumerGroup group, Queue queue) {
        QueueRange range = store.range(queue.topic(), queue.queueId());
        long committed = offsets.query(queue.group(), queue.topic(), queue.queueId());
        long start = committed;
        if (committed < 0) {
            start = offsets.isYoung(queue.topic(), queue.queueId())
                            || group.consumeFromWhere().endsWith("FIRST_OFFSET")
                    ? range.minOffset()
                    : group.consumeFromWhere().endsWith("TIMESTAMP")
                            ? store.offsetByTime(
                                    queue.topic(),
                                    queue.queueId(),
                                    store.nowMillis() - FROM_TIME_MILLIS,
                                    Boundary.LOWER)
                            : range.maxOffset();
            if (start == range.maxOffset()) {
                offsets.commit(queue.group(), queue.topic(), queue.queueId(), start); // what comes from now on counts
            }
        }
        start = Math.max(start, range.minOffset());
        return start < range.maxOffset() ? start : -1;
    }

    private static List<ByteBuffer> messages(ReadResult read) {
        List<ByteBuffer> messages = new ArrayList<>(read.count());
        for (ByteBuffer slice : read.slices()) {
            for (int at = slice.position(); at < slice.limit(); ) {
                ByteBuffer message = slice.slice(at, StoredMessage.totalSize(slice, at));
                at += message.limit();
                messages.add(message);
            }
        }
        return messages;
    }

    /** In a thread that may wait for the disk; whatever happens, the next run of the duty can begin anew. */
    private void later(Runnable work) {
        try {
            blocking.execute(() -> {
                try {
                    work.run();
                } catch (RuntimeException | Error e) {
                    isBusy = false;
                    log.error("Messages of a queue that nobody reads could not be brought to their group", e);
                }
            });
        } catch (RejectedExecutionException e) {
            isBusy = false; // too much to read just now
        }
    }
}
