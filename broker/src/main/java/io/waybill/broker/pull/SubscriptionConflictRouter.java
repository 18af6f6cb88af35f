/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.retry.FailureProperties;
import io.waybill.broker.retry.RedeliveryCopy;
import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.TopicChange;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.store.MessageStore;
import io.waybill.store.StoreClock;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings messages that only another member of the group wants to that member, when members subscribe to different
 * things.
 *
 * <p>A queue belongs to one member, and only the retry topic can carry a message from one member's queue to another: so
 * a copy, its tries unchanged, is put into a queue of the group's retry topic whose reader wants it. Readers of the
 * retry topic are judged by what they want of the message's first topic. While no such reader is known the copy waits,
 * longer each time; one that nobody wanted for a day becomes a dead letter.
 *
 * <p>What always holds: a message leaves a queue's reader only after its copy is stored; as long as the memory of this
 * broker holds it is copied once, and given to nobody who reads the same queue later. Safe from any thread.
 */
final class SubscriptionConflictRouter implements DeliveryInterceptor {
    private static final Logger log = LoggerFactory.getLogger(SubscriptionConflictRouter.class);

    /** When a copy was made first, store time in milliseconds. */
    static final String REROUTED_MS = "WAYBILL_REROUTED_MS";

    /** How often it was copied. */
    static final String REROUTED_TIMES = "WAYBILL_REROUTED_TIMES";

    /**
     * Copies made at once; from then on each waits twice as long as the one before, so no disorder among readers makes
     * a storm of copies.
     */
    private static final int MOST_AT_ONCE = 3;

    private static final int FEWEST_QUEUES = 2;
    private static final int MOST_QUEUES = 16;
    private static final long SHORTEST_WAIT_MILLIS = 1_000;
    /** About an hour. */
    private static final int MOST_DOUBLINGS = 12;

    private static final long GIVEN_UP_MILLIS = TimeUnit.DAYS.toMillis(1);
    /** Of one queue; the lowest are forgotten first. */
    private static final int MOST_REMEMBERED = 20_000;

    private final MessageStore messageStore;
    private final TimerStore timers;
    private final StoreClock storeClock;
    private final Topics topics;
    private final Offsets offsets;
    private final Clock clock;
    /** Who read a retry queue last. */
    private final Map<GroupQueue, Connection> readers = new ConcurrentHashMap<>();
    /** Offsets whose messages were copied, and which the group has not committed yet. */
    private final Map<GroupQueue, TreeSet<Long>> copied = new ConcurrentHashMap<>();

    SubscriptionConflictRouter(
            MessageStore messageStore,
            TimerStore timers,
            StoreClock storeClock,
            Topics topics,
            Offsets offsets,
            Clock clock) {
        this.messageStore = messageStore;
        this.timers = timers;
        this.storeClock = storeClock;
        this.topics = topics;
        this.offsets = offsets;
        this.clock = clock;
    }

    @Override
    public void retryPulled(ConsumerGroup group, String topic, int queueId, Connection connection) {
        readers.put(new GroupQueue(group.name(), topic, queueId), connection);
    }

    @Override
    public void closed(Connection connection) {
        if (readers.values().removeIf(reader -> reader.id() == connection.id())) {
            Set.copyOf(copied.keySet()).forEach(this::remembers);
        }
    }

    @Override
    public void reset(String group, String topic, int queueId) {
        copied.remove(new GroupQueue(group, topic, queueId));
    }

    @Override
    public MessageRouter router(
            String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
        if (group == null) {
            return null;
        }
        if (Names.isRetry(topic)) {
            return new CopyingRouter(
                    group, new GroupQueue(group.name(), topic, queueId), connection, wanted, wanted, true);
        }
        Filter union = group.conflicts().isEmpty() ? null : group.union(topic);
        if (union == null && copied.isEmpty()) {
            return null;
        }
        GroupQueue queue = new GroupQueue(group.name(), topic, queueId);
        if (union == null && !remembers(queue)) {
            return null;
        }
        Filter read = union == null ? wanted : Filter.anyOf(List.of(wanted, union));
        return new CopyingRouter(group, queue, connection, wanted, read, false);
    }

    /**
     * Copies messages of a queue that no member reads to those that want them. {@code then} is called exactly once:
     * with null when all are stored or were before, else with the sentence why not.
     */
    void carry(ConsumerGroup group, String topic, int queueId, List<ByteBuffer> messages, Consumer<String> then) {
        GroupQueue queue = new GroupQueue(group.name(), topic, queueId);
        List<ByteBuffer> fresh = new ArrayList<>(messages.size());
        for (ByteBuffer message : messages) {
            if (!isCopied(queue, StoredMessage.queueOffset(message, 0))) {
                fresh.add(message);
            }
        }
        if (fresh.isEmpty()) {
            then.accept(null);
        } else {
            Filter wanted = group.union(topic);
            new CopyingRouter(group, queue, null, wanted, wanted, false).reroute(fresh, then);
        }
    }

    private final class CopyingRouter implements MessageRouter {
        private final ConsumerGroup group;
        private final GroupQueue queue;
        private final Connection connection;
        private final Filter wanted;
        private final Filter read;
        private final boolean isRetry;

        CopyingRouter(
                ConsumerGroup group,
                GroupQueue queue,
                Connection connection,
                Filter wanted,
                Filter read,
                boolean isRetry) {
            this.group = group;
            this.queue = queue;
            this.connection = connection;
            this.wanted = wanted;
            this.read = read;
            this.isRetry = isRetry;
        }

        @Override
        public Filter filter() {
            return read;
        }

        @Override
        public Verdict verdict(ByteBuffer buffer, int at) {
            if (isCopied(queue, StoredMessage.queueOffset(buffer, at))) {
                return Verdict.SKIP;
            }
            if (!isRetry) {
                return wanted.matches(buffer, at) ? Verdict.DELIVER : Verdict.REROUTE;
            }
            String origin = StoredMessage.property(buffer, at, MessageProperties.RETRY_TOPIC);
            ClientChannelInfo reader = group.memberOn(connection);
            if (origin == null || reader == null || wants(reader, origin, buffer, at)) {
                return Verdict.DELIVER;
            }
            boolean isCopy = StoredMessage.property(buffer, at, REROUTED_MS) != null;
            // One that came here because it failed goes to whoever reads it if nobody wants it any more, as ever.
            return isCopy || isWantedByAnother(origin, buffer, at) ? Verdict.REROUTE : Verdict.DELIVER;
        }

        private boolean wants(ClientChannelInfo member, String topic, ByteBuffer buffer, int at) {
            Subscription own = group.subscriptionsOf(member).get(topic);
            return own != null && own.filter().matches(buffer, at);
        }

        private boolean isWantedByAnother(String origin, ByteBuffer buffer, int at) {
            Filter union = group.union(origin);
            return union != null && union.matches(buffer, at);
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            raise(group, change -> {
                if (change.isRefused()) {
                    then.accept(change.text());
                } else {
                    copy(messages, change.config().readQueueNums(), then);
                }
            });
        }

        private void copy(List<ByteBuffer> messages, int queues, Consumer<String> then) {
            AtomicInteger left = new AtomicInteger(messages.size());
            AtomicReference<String> refusal = new AtomicReference<>();
            for (ByteBuffer message : messages) {
                long offset = StoredMessage.queueOffset(message, 0);
                Completion done = outcome -> {
                    if (outcome instanceof Stored) {
                        remember(queue, offset);
                    } else {
                        refusal.compareAndSet(null, Outcomes.text(outcome));
                    }
                    if (left.decrementAndGet() == 0) {
                        then.accept(refusal.get());
                    }
                };
                try {
                    put(message, queues, done);
                } catch (BadValue e) { // not one that came in as they all do: better its reader waits than it is lost
                    log.warn(
                            "A message of topic {} queue {} at {} cannot be copied for group {}, only another member wants it: {}",
                            queue.topic(),
                            queue.queueId(),
                            offset,
                            queue.group(),
                            e.getMessage());
                    refusal.compareAndSet(null, "the message at offset " + offset + ": " + e.getMessage());
                    if (left.decrementAndGet() == 0) {
                        then.accept(refusal.get());
                    }
                }
            }
        }

        private void put(ByteBuffer message, int queues, Completion done) {
            long now = storeClock.nowMillis();
            Map<String, String> properties = RedeliveryCopy.properties(message, 0);
            properties.putIfAbsent(REROUTED_MS, Long.toString(now));
            properties.remove(MessageProperties.DELAY); // that time is over
            MessageDraft.Builder copy = RedeliveryCopy.of(
                    message, 0, Names.retryTopic(group.name()), StoredMessage.reconsumeTimes(message, 0));
            long times = number(properties.get(REROUTED_TIMES), 0);
            properties.put(REROUTED_TIMES, Long.toString(times + 1));
            int target = target(properties.get(MessageProperties.RETRY_TOPIC), message, queues);
            if (target >= 0 && times < MOST_AT_ONCE) {
                messageStore.append(
                        copy.queueId(target)
                                .properties(CopyRoom.encode(properties))
                                .build(),
                        done);
                return;
            }
            if (target < 0 && now - number(properties.get(REROUTED_MS), now) > GIVEN_UP_MILLIS) {
                giveUp(message, copy, properties, done);
                return;
            }
            long wait = SHORTEST_WAIT_MILLIS << Math.max(0, Math.min(times - MOST_AT_ONCE, MOST_DOUBLINGS));
            long due = clock.wallMillis() + wait; // due times are judged by this clock, store time may be ahead of it
            int queueId = Math.max(0, target);
            DelayedMessageWriter.markDelayed(
                    Delay.dueAt(due, 0), Names.retryTopic(group.name()), queueId, clock.wallMillis(), properties);
            timers.appendTimer(
                    null,
                    copy.queueId(queueId)
                            .properties(CopyRoom.encodeWaiting(properties))
                            .build(),
                    due,
                    done);
        }

        private void giveUp(
                ByteBuffer message, MessageDraft.Builder copy, Map<String, String> properties, Completion done) {
            properties.remove(REROUTED_MS);
            properties.remove(REROUTED_TIMES);
            FailureProperties.mark(
                    properties,
                    "no member of the group wanted it for a day",
                    StoredMessage.reconsumeTimes(message, 0),
                    group.name(),
                    "broker",
                    clock.wallMillis());
            String topic = Names.deadLetterTopic(group.name());
            MessageDraft deadLetter = copy.topic(topic)
                    .queueId(0)
                    .properties(CopyRoom.encode(properties))
                    .build();
            topics.ensure(topic, 1, change -> messageStore.append(deadLetter, done));
        }

        /**
         * The retry queue to put it in: one whose reader wants it, else one that nobody reads; -1 when there is
         * neither.
         */
        private int target(String origin, ByteBuffer message, int queues) {
            List<Integer> wanting = new ArrayList<>();
            int free = -1;
            for (int queueId = 0; queueId < queues; queueId++) {
                if (isRetry && queueId == queue.queueId()) {
                    continue; // a pull from before its queue went to another member would copy for ever
                }
                Connection reader = readers.get(new GroupQueue(group.name(), Names.retryTopic(group.name()), queueId));
                ClientChannelInfo member = reader == null || !reader.isOpen() ? null : group.memberOn(reader);
                if (member == null) {
                    free = queueId;
                } else if (wants(member, origin, message, 0)) {
                    wanting.add(queueId);
                }
            }
            // By the queue it comes from, so that messages keep their order as far as they can.
            boolean isWanted = isWantedByAnother(origin, message, 0);
            return !wanting.isEmpty()
                    ? wanting.get(StoredMessage.queueId(message, 0) % wanting.size())
                    : isWanted ? free : -1;
        }
    }

    /** What a copy tells of itself; a producer may have written anything there. */
    private static long number(String text, long otherwise) {
        try {
            return text == null ? otherwise : Math.max(0, Math.min(Long.parseLong(text), Long.MAX_VALUE - 1));
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    /**
     * Gives the group's retry topic a queue for each member, so that each of them can be reached; at once if it has
     * them.
     */
    void raise(ConsumerGroup group, Consumer<TopicChange> then) {
        String name = Names.retryTopic(group.name());
        int wanted = Math.max(FEWEST_QUEUES, Math.min(group.clientIds().size(), MOST_QUEUES));
        TopicConfig known = topics.find(name);
        if (known == null || known.readQueueNums() >= wanted) {
            topics.ensure(name, wanted, then);
        } else {
            TopicConfig more = new TopicConfig(
                    name,
                    wanted,
                    Math.max(wanted, known.writeQueueNums()),
                    known.perm(),
                    known.topicFilterType(),
                    known.topicSysFlag(),
                    known.order(),
                    known.attributes());
            topics.put(more, then);
        }
    }

    private boolean isCopied(GroupQueue queue, long offset) {
        TreeSet<Long> seen = copied.get(queue);
        if (seen == null) {
            return false;
        }
        synchronized (seen) {
            return seen.contains(offset);
        }
    }

    private void remember(GroupQueue queue, long offset) {
        long committed = offsets.query(queue.group(), queue.topic(), queue.queueId());
        copied.compute(queue, (same, before) -> {
            TreeSet<Long> seen = before == null ? new TreeSet<>() : before;
            synchronized (seen) {
                seen.headSet(committed).clear(); // nobody reads them again, unless after a reset
                seen.add(offset);
                while (seen.size() > MOST_REMEMBERED) {
                    seen.pollFirst();
                }
            }
            return seen;
        });
    }

    /** Whether something of the queue is remembered that the group has not committed; else it is forgotten. */
    private boolean remembers(GroupQueue queue) {
        TreeSet<Long> there = copied.computeIfPresent(queue, (same, seen) -> {
            synchronized (seen) {
                seen.headSet(offsets.query(queue.group(), queue.topic(), queue.queueId()))
                        .clear();
                return seen.isEmpty() ? null : seen;
            }
        });
        return there != null;
    }
}
