/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.GroupAttributes;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.quarantine.ParkedKey.Origin;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.retry.DeadLetterDesk;
import io.waybill.broker.retry.GivenUp;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The quarantine of all groups: parks the messages of a key as the group's pulls meet them, and gives them back.
 *
 * <p>What always holds: a message of a parked key is in {@link Names#parkedTopic} before a pull passes it, and no pull hands it out; the key's parked
 * messages are given back in the order of their topic, and until the group has consumed them no later one of the key is handed out. Which of the parked
 * are given back or discarded is the pop state of {@link Names#DESK_GROUP}, written in one frame with the copies. The keys are in the catalog, so a
 * restart changes nothing.
 *
 * <p>Safe from any thread; a pull of a group without parked keys pays one lookup.
 */
public final class Quarantine implements DeliveryInterceptor, GivenUp, Duty {
    private static final Logger log = LoggerFactory.getLogger(Quarantine.class);

    static final int MOST_KEYS = 10_000;
    /** Messages of a group that wait in quarantine, each remembered here: about 13 MiB. Then the queues that bring more stand still. */
    static final int MOST_WAITING = 100_000;

    private static final String CATALOG_PREFIX = "parked/";
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    /** Longer than any read needs to park what it met. */
    private static final long FORGOTTEN_NANOS = TimeUnit.MINUTES.toNanos(5);

    /**
     * A member that gave a message up goes on with the next one as soon as it is answered; by then its pull must have told it to drop what it has at
     * hand, which another of its threads does.
     */
    private static final long GIVEN_UP_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private static final int RELEASED_COUNT = 256;
    private static final long RELEASED_BYTES = 1 << 20;
    private static final int READ_BYTES = 1 << 20;

    private final Store store;
    private final Topics topics;
    private final Offsets offsets;
    private final Clock clock;
    private final Rules rules;
    private final Executor blocking;
    private final Map<String, ParkedGroup> groups = new ConcurrentHashMap<>();
    /** Answers to those who gave up, in the order of their time. */
    private final Queue<Later> answers = new ConcurrentLinkedQueue<>();

    private record Later(long nanos, Runnable answer) {}

    private volatile DutyHandle self;
    private DeadLetterDesk.Discards discards = (topic, offset, by) -> {};

    /** What the doctor tells of a parked key. */
    public record Known(long sinceMillis, String reason) {}

    /** Reads the catalog and the parked messages. */
    public Quarantine(Store store, Topics topics, Offsets offsets, Clock clock, Rules rules, Executor blocking) {
        this.store = store;
        this.topics = topics;
        this.offsets = offsets;
        this.clock = clock;
        this.rules = rules;
        this.blocking = blocking;
        store.catalogAll(CatalogKind.SETTING).forEach((name, value) -> {
            String[] parts = name.startsWith(CATALOG_PREFIX) ? name.split("/", 4) : new String[0];
            if (parts.length == 4) {
                group(parts[1]).add(ParkedKey.parse(parts[2], parts[3], value));
            }
        });
        Set<String> named = new HashSet<>(groups.keySet());
        topics.all().forEach(topic -> {
            if (Names.isParked(topic.topicName())) {
                named.add(Names.groupOfParked(topic.topicName()));
            }
        });
        named.forEach(this::findParked);
    }

    private ParkedGroup group(String name) {
        return groups.computeIfAbsent(name, ParkedGroup::new);
    }

    private void findParked(String name) {
        String topic = Names.parkedTopic(name);
        QueueRange range = store.range(topic, 0);
        PopState settled = store.popState(new PopKey(Names.DESK_GROUP, topic, 0));
        long from = Math.max(range.minOffset(), settled == null ? 0 : settled.base());
        ParkedGroup group = group(name);
        List<Long> twice = new ArrayList<>();
        for (long offset = from; offset < range.maxOffset(); ) {
            ReadResult read = store.read(topic, 0, offset, 1024, READ_BYTES, null, null);
            for (ByteBuffer slice : read.slices()) {
                for (int at = slice.position(); at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    long parkedAt = StoredMessage.queueOffset(slice, at);
                    if ((settled == null || !settled.isAcked(parkedAt)) && !found(group, slice, at, parkedAt)) {
                        twice.add(parkedAt);
                    }
                }
            }
            offset = Math.max(offset + 1, read.nextOffset());
        }
        settle(name, twice);
    }

    /** Copies that are one too many are never given back. */
    private void settle(String name, List<Long> twice) {
        if (twice.isEmpty()) {
            return;
        }
        List<PopChange> settled = new ArrayList<>(List.of(new PopChange.Start(0)));
        twice.forEach(offset -> settled.add(new PopChange.Ack(offset, offset + 1)));
        PopKey desk = new PopKey(Names.DESK_GROUP, Names.parkedTopic(name), 0);
        store.pop(List.of(new PopDelta(desk, settled)), Completion.NONE);
    }

    /** False when the same message was found before. */
    private boolean found(ParkedGroup group, ByteBuffer message, int at, long parkedAt) {
        String key = ParkedMessage.keyOf(message, at);
        String topic = ParkedMessage.topicOf(message, at, Names.parkedTopic(group.name));
        Origin origin = ParkedMessage.originOf(message, at);
        if (key != null && topic != null && origin != null) {
            ParkedKey known = group.find(topic, key);
            if (known == null) {
                // Parked by a read that was overtaken by the end of its key: it goes after the others.
                known = new ParkedKey(topic, key, store.nowMillis(), "parked at the end of its quarantine", "broker");
                known.releasing = true;
                group.add(known);
            }
            return known.waiting.putIfAbsent(origin, parkedAt) == null;
        }
        return true;
    }

    // ---- pulls

    @Override
    public MessageRouter router(
            String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
        ParkedGroup parked = groups.isEmpty() ? null : groups.get(name);
        return parked == null || parked.isEmpty() ? null : new Sorting(parked, topic, queueId, wanted);
    }

    /** A group that goes back wants again what was given back. */
    @Override
    public void reset(String name, String topic, int queueId) {
        ParkedGroup group = groups.get(name);
        if (group != null) {
            synchronized (group) {
                group.keys().forEach(key -> {
                    if (key.topic.equals(topic)) {
                        key.givenBack.remove(queueId);
                    }
                });
            }
        }
    }

    private final class Sorting implements MessageRouter {
        private final ParkedGroup group;
        private final String topic;
        private final int queueId;
        private final Filter wanted;
        private final Set<ParkedKey> met = new HashSet<>();

        Sorting(ParkedGroup group, String topic, int queueId, Filter wanted) {
            this.group = group;
            this.topic = topic;
            this.queueId = queueId;
            this.wanted = wanted;
        }

        @Override
        public Filter filter() {
            return wanted;
        }

        @Override
        public Verdict verdict(ByteBuffer buffer, int at) {
            String key = ParkedMessage.keyOf(buffer, at);
            String origin = key == null ? null : ParkedMessage.topicOf(buffer, at, topic);
            if (origin == null) {
                return Verdict.DELIVER;
            }
            boolean isRetry = Names.isRetry(topic);
            synchronized (group) {
                ParkedKey parked = group.find(origin, key);
                if (parked == null || isRetry && (parked.releasing || ParkedMessage.originOf(buffer, at) == null)) {
                    return Verdict.DELIVER;
                }
                Origin here = origin(buffer, at);
                if (parked.waiting.containsKey(here) || !isRetry && parked.isGivenBack(here)) {
                    return Verdict.SKIP;
                }
                parked.divertedNanos = clock.nanoTime();
                if (met.add(parked)) {
                    parked.diverting++;
                }
                return Verdict.REROUTE;
            }
        }

        private Origin origin(ByteBuffer buffer, int at) {
            Origin known = Names.isRetry(topic) ? ParkedMessage.originOf(buffer, at) : null;
            return known != null ? known : new Origin(queueId, StoredMessage.queueOffset(buffer, at));
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            String parkedTopic = Names.parkedTopic(group.name);
            topics.ensure(parkedTopic, 1, change -> {
                String full = change.isRefused() ? change.text() : noRoomFor(messages.size());
                if (full != null) {
                    parked(null, List.of(), full, then);
                    return;
                }
                List<MessageDraft> copies = new ArrayList<>(messages.size());
                try {
                    for (ByteBuffer message : messages) {
                        copies.add(ParkedMessage.parked(
                                group.name,
                                ParkedMessage.keyOf(message, 0),
                                origin(message, 0),
                                message,
                                clock.wallMillis()));
                    }
                } catch (BadValue e) {
                    parked(null, List.of(), "a message cannot be parked: " + e.getMessage(), then);
                    return;
                }
                store.putAndPop(copies, List.of(), outcome -> parked(outcome, messages, null, then));
            });
        }

        private String noRoomFor(int messages) {
            synchronized (group) {
                return group.waiting() + messages <= MOST_WAITING
                        ? null
                        : "group " + group.name + " may have " + MOST_WAITING
                                + " messages in quarantine; release or discard a key";
            }
        }

        private void parked(Outcome outcome, List<ByteBuffer> messages, String refusal, Consumer<String> then) {
            String why = refusal;
            List<Long> twice = new ArrayList<>();
            synchronized (group) {
                if (outcome instanceof Stored stored) {
                    for (int i = 0; i < messages.size(); i++) {
                        long parkedAt = stored.queueOffset() + i;
                        if (!found(messages.get(i), parkedAt)) {
                            twice.add(parkedAt);
                        }
                    }
                } else if (outcome != null) {
                    why = Outcomes.text(outcome);
                }
                met.forEach(key -> key.diverting--);
                met.clear();
            }
            settle(group.name, twice);
            then.accept(why);
            wake();
        }

        /** False when another read parked the same message before, and this copy is one too many. */
        private boolean found(ByteBuffer message, long parkedAt) {
            String key = ParkedMessage.keyOf(message, 0);
            String origin = ParkedMessage.topicOf(message, 0, topic);
            ParkedKey known = group.find(origin, key);
            if (known == null) {
                known = new ParkedKey(origin, key, store.nowMillis(), "parked at the end of its quarantine", "broker");
                known.releasing = true;
                group.add(known);
            }
            Origin here = origin(message, 0);
            if (known.waiting.containsKey(here) || !Names.isRetry(topic) && known.isGivenBack(here)) {
                return false;
            }
            known.waiting.put(here, parkedAt);
            return true;
        }
    }

    // ---- what operators and members do

    /** The quarantine of a key, or null. */
    public Known find(String group, String topic, String key) {
        ParkedGroup parked = groups.get(group);
        if (parked == null) {
            return null;
        }
        synchronized (parked) {
            ParkedKey known = parked.find(topic, key);
            return known == null ? null : new Known(known.sinceMillis, known.reason);
        }
    }

    /** A key as it is told. */
    record Row(String topic, String key, int messages, long sinceMillis, String reason, String by, boolean releasing) {}

    /** The keys of a group, the longest parked first. */
    List<Row> list(String name) {
        ParkedGroup group = groups.get(name);
        List<Row> rows = new ArrayList<>();
        if (group != null) {
            synchronized (group) {
                for (ParkedKey key : group.keys()) {
                    rows.add(new Row(
                            key.topic,
                            key.key,
                            key.waiting.size(),
                            key.sinceMillis,
                            key.reason,
                            key.by,
                            key.releasing));
                }
            }
        }
        rows.sort((a, b) -> Long.compare(a.sinceMillis(), b.sinceMillis()));
        return rows;
    }

    /**
     * Parks a key from now on. {@code then} is called exactly once: with true when it was not parked before, false when it was, and with a refusal
     * when it could not be kept.
     */
    void park(String name, String topic, String key, String reason, String by, Parked then) {
        ParkedGroup group = group(name);
        ParkedKey parked;
        boolean isNew;
        synchronized (group) {
            parked = group.find(topic, key);
            isNew = parked == null;
            if (!isNew && !parked.releasing) {
                then.done(false, null);
                return;
            }
            if (isNew && group.size() >= MOST_KEYS) {
                then.done(false, "group " + name + " has " + MOST_KEYS + " keys in quarantine, no more are taken");
                return;
            }
            if (isNew) {
                parked = new ParkedKey(topic, key, store.nowMillis(), reason, by);
                group.add(parked);
            } else { // what was given back fails again
                parked.releasing = false;
                parked.sinceMillis = store.nowMillis();
                parked.reason = reason;
                parked.by = by;
            }
        }
        rules.changed();
        log.info("Key {} of topic {} is in quarantine for group {}: {}, by {}", key, topic, name, reason, by);
        ParkedKey added = parked;
        keep(name, parked, outcome -> {
            if (!(outcome instanceof Stored) && isNew) {
                synchronized (group) {
                    group.remove(added);
                }
            }
            then.done(outcome instanceof Stored, outcome instanceof Stored ? null : Outcomes.text(outcome));
        });
    }

    /** How a change of a key ended. */
    @FunctionalInterface
    interface Parked {
        /** @param refusal null, or why it was not done */
        void done(boolean changed, String refusal);
    }

    /**
     * An ordered consumer gave a message up: if its group has a quarantine, its key is parked and the group goes back to the message, which is then
     * parked as the first of its key; so the member drops what it has at hand.
     */
    @Override
    public boolean take(
            SubscriptionGroupConfig group, Map<String, String> properties, String client, Consumer<Outcome> then) {
        String topic = properties.get(MessageProperties.RETRY_TOPIC);
        String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
        String key = ParkedMessage.keyOf(properties);
        if (GroupAttributes.quarantineAfter(group) == 0 || topic == null || uniqueKey == null || key == null) {
            return false;
        }
        blocking.execute(() -> {
            try {
                take(group.groupName(), topic, uniqueKey, key, client, then);
            } catch (RuntimeException e) {
                log.error("A message of key {} that group {} gave up could not be parked", key, group.groupName(), e);
                then.accept(null);
            }
        });
        return true;
    }

    private void take(String group, String topic, String uniqueKey, String key, String client, Consumer<Outcome> then) {
        ByteBuffer message = givenBack(group, uniqueKey);
        if (message == null) {
            List<ByteBuffer> first = store.byKey(topic, uniqueKey, 1, 0, Long.MAX_VALUE);
            message = first.isEmpty() ? null : first.get(0);
        }
        if (message == null) {
            then.accept(null);
            return;
        }
        ByteBuffer found = message;
        String queueTopic = StoredMessage.topic(found, 0);
        int queueId = StoredMessage.queueId(found, 0);
        long offset = StoredMessage.queueOffset(found, 0);
        if (offsets.query(group, queueTopic, queueId) > offset) {
            // Its client lost the queue meanwhile and another one is past it: the group must not go back for it.
            then.accept(null);
            return;
        }
        park(group, topic, key, "given up by its consumer", client, (changed, refusal) -> {
            if (refusal != null) {
                then.accept(null);
                return;
            }
            offsets.reset(group, queueTopic, queueId, offset, outcome -> {
                if (!(outcome instanceof Stored)) {
                    then.accept(outcome);
                    return;
                }
                Stored parked = new Stored(
                        StoredMessage.position(found, 0),
                        offset,
                        StoredMessage.storeTimestamp(found, 0),
                        StoredMessage.totalSize(found, 0),
                        0);
                answers.add(new Later(clock.nanoTime() + GIVEN_UP_PAUSE_NANOS, () -> then.accept(parked)));
                wake();
            });
        });
    }

    /** The copy that was given back and not consumed yet, or null. */
    private ByteBuffer givenBack(String group, String uniqueKey) {
        String retryTopic = Names.retryTopic(group);
        for (ByteBuffer copy : store.byKey(retryTopic, uniqueKey, 1, 0, Long.MAX_VALUE)) {
            long committed = offsets.query(group, retryTopic, StoredMessage.queueId(copy, 0));
            if (ParkedMessage.originOf(copy, 0) != null && StoredMessage.queueOffset(copy, 0) >= committed) {
                return copy;
            }
        }
        return null;
    }

    private void keep(String group, ParkedKey key, Consumer<Outcome> then) {
        byte[] json;
        synchronized (group(group)) {
            json = key.toJson();
        }
        store.putCatalog(CatalogKind.SETTING, catalogName(group, key), json, then::accept);
    }

    private static String catalogName(String group, ParkedKey key) {
        return CATALOG_PREFIX + group + "/" + key.topic + "/" + key.key;
    }

    /** How an end of a quarantine ended: how many messages, or negative when there is no such key; and a refusal or null. */
    @FunctionalInterface
    interface Ended {
        void done(int messages, String refusal);
    }

    /** Gives the parked messages of a key back. Blocks on the disk; {@code then} is called exactly once. */
    void release(String name, String topic, String key, Ended then) {
        ParkedGroup group = groups.get(name);
        ParkedKey parked = claim(group, topic, key, then);
        if (parked != null) {
            release(group, parked, then);
        }
    }

    /** Null when it is answered already: there is none, or another one works on it. */
    private static ParkedKey claim(ParkedGroup group, String topic, String key, Ended then) {
        ParkedKey parked = null;
        boolean isBusy = false;
        if (group != null) {
            synchronized (group) {
                parked = group.find(topic, key);
                isBusy = parked != null && parked.busy;
                if (parked != null && !isBusy) {
                    parked.busy = true;
                }
            }
        }
        if (parked == null || isBusy) {
            then.done(-1, isBusy ? "key " + key + " is being released or discarded right now" : null);
            return null;
        }
        return parked;
    }

    private void release(ParkedGroup group, ParkedKey parked, Ended then) {
        Map<Long, Origin> offered = new LinkedHashMap<>();
        synchronized (group) {
            parked.waiting.forEach((origin, parkedAt) -> offered.put(parkedAt, origin));
        }
        topics.ensure(Names.retryTopic(group.name), 1, change -> {
            if (change.isRefused()) {
                end(group, parked, 0, change.text(), then);
                return;
            }
            TopicConfig retry = change.config();
            synchronized (group) {
                if (parked.retryQueue < 0 || parked.retryQueue >= retry.readQueueNums()) {
                    parked.retryQueue = Math.floorMod(parked.key.hashCode(), Math.max(1, retry.readQueueNums()));
                }
            }
            goOnReleasing(group, parked, new ArrayList<>(offered.keySet()), 0, then);
        });
    }

    /** In a thread that may block; when too much waits for those, the rest stays parked and the caller is told. */
    private void goOnReleasing(ParkedGroup group, ParkedKey parked, List<Long> parkedAt, int done, Ended then) {
        try {
            blocking.execute(() -> releaseNext(group, parked, parkedAt, done, then));
        } catch (RejectedExecutionException e) {
            end(group, parked, done, "[OVERLOAD] too many reads of old messages are waiting, try again", then);
        }
    }

    /** Gives back the next piece, then the rest. */
    private void releaseNext(ParkedGroup group, ParkedKey parked, List<Long> parkedAt, int done, Ended then) {
        List<MessageDraft> copies = new ArrayList<>();
        List<PopChange> settled = new ArrayList<>(List.of(new PopChange.Start(0)));
        List<Long> taken = new ArrayList<>();
        long bytes = 0;
        try {
            while (done + taken.size() < parkedAt.size() && copies.size() < RELEASED_COUNT && bytes < RELEASED_BYTES) {
                long offset = parkedAt.get(done + taken.size());
                ByteBuffer message = read(Names.parkedTopic(group.name), offset);
                if (message != null) {
                    copies.add(ParkedMessage.released(group.name, parked.retryQueue, message));
                    bytes += message.limit();
                } else {
                    log.error("Parked message {} of group {} is gone or cannot be read", offset, group.name);
                }
                taken.add(offset);
                settled.add(new PopChange.Ack(offset, offset + 1));
            }
        } catch (RuntimeException e) {
            log.error("Key {} of group {} could not be released", parked.key, group.name, e);
            end(group, parked, done, "the broker's log says why", then);
            return;
        }
        if (taken.isEmpty()) {
            end(group, parked, done, null, then);
            return;
        }
        PopKey desk = new PopKey(Names.DESK_GROUP, Names.parkedTopic(group.name), 0);
        store.putAndPop(copies, List.of(new PopDelta(desk, settled)), outcome -> {
            if (!(outcome instanceof Stored stored)) {
                end(group, parked, done, Outcomes.text(outcome), then);
                return;
            }
            synchronized (group) {
                Set<Long> gone = new HashSet<>(taken);
                parked.waiting.forEach((origin, at) -> {
                    if (gone.contains(at)) {
                        parked.givenBack.merge(origin.queueId(), origin.offset(), Math::max);
                    }
                });
                parked.waiting.values().removeAll(gone);
                if (!copies.isEmpty()) {
                    parked.consumedAt = stored.queueOffset() + copies.size();
                }
                parked.releasing = true;
            }
            goOnReleasing(group, parked, parkedAt, done + taken.size(), then);
        });
    }

    private ByteBuffer read(String topic, long offset) {
        ReadResult read = store.read(topic, 0, offset, 1, READ_BYTES, null, null);
        for (ByteBuffer slice : read.slices()) {
            int at = slice.position();
            if (StoredMessage.queueOffset(slice, at) == offset) {
                return slice.slice(at, StoredMessage.totalSize(slice, at));
            }
        }
        return null;
    }

    private void end(ParkedGroup group, ParkedKey parked, int messages, String refusal, Ended then) {
        boolean isForgotten;
        synchronized (group) {
            parked.busy = false;
            parked.releasing |= refusal == null;
            isForgotten = group.find(parked.topic, parked.key) != parked;
        }
        if (refusal != null || isForgotten) {
            then.done(messages, refusal);
            return;
        }
        keep(group.name, parked, outcome -> {
            then.done(messages, outcome instanceof Stored ? null : Outcomes.text(outcome));
            wake();
        });
    }

    /** Sets who is told of each message that is dropped; once, before the first request. */
    public void onDiscard(DeadLetterDesk.Discards listener) {
        discards = listener;
    }

    /** Drops the parked messages of a key; later ones are delivered again. {@code then} is called exactly once. */
    void discard(String name, String topic, String key, String by, Ended then) {
        ParkedGroup group = groups.get(name);
        ParkedKey parked = claim(group, topic, key, then);
        if (parked == null) {
            return;
        }
        List<Long> offsetsOfKey;
        synchronized (group) {
            offsetsOfKey = new ArrayList<>(parked.waiting.values());
        }
        List<PopChange> settled = new ArrayList<>(List.of(new PopChange.Start(0)));
        offsetsOfKey.forEach(offset -> settled.add(new PopChange.Ack(offset, offset + 1)));
        String parkedTopic = Names.parkedTopic(name);
        List<PopDelta> deltas = List.of(
                new PopDelta(new PopKey(Names.DESK_GROUP, parkedTopic, 0), settled),
                new PopDelta(new PopKey(Names.DISCARD_GROUP, parkedTopic, 0), settled));
        store.pop(deltas, outcome -> {
            if (!(outcome instanceof Stored)) {
                synchronized (group) {
                    parked.busy = false;
                }
                then.done(0, Outcomes.text(outcome));
                return;
            }
            synchronized (group) {
                parked.waiting.values().removeAll(new HashSet<>(offsetsOfKey));
                parked.busy = false;
                parked.releasing = true; // a read may have met one more
                parked.consumedAt = 0;
            }
            offsetsOfKey.forEach(offset -> discards.discarded(parkedTopic, offset, by));
            then.done(offsetsOfKey.size(), null);
            wake();
        });
    }

    // ---- the end of a group

    /**
     * Forgets the keys of a group, its parked messages and what became of them. {@code then} is called exactly once, with null or with the sentence
     * why not all is forgotten; then it may be asked again.
     */
    public void forget(String name, Consumer<String> then) {
        ParkedGroup group = groups.remove(name);
        List<ParkedKey> gone = new ArrayList<>();
        if (group != null) {
            synchronized (group) {
                gone.addAll(group.keys());
                gone.forEach(group::remove);
            }
        }
        forgetNext(name, gone, 0, then);
    }

    private void forgetNext(String name, List<ParkedKey> gone, int done, Consumer<String> then) {
        if (done == gone.size()) {
            forgetMessages(name, then);
            return;
        }
        store.putCatalog(CatalogKind.SETTING, catalogName(name, gone.get(done)), null, outcome -> {
            if (!(outcome instanceof Stored)) {
                synchronized (group(name)) { // they are parked still
                    gone.subList(done, gone.size()).forEach(group(name)::add);
                }
                then.accept(Outcomes.text(outcome));
            } else {
                blocking.execute(() -> forgetNext(name, gone, done + 1, then));
            }
        });
    }

    private void forgetMessages(String name, Consumer<String> then) {
        String topic = Names.parkedTopic(name);
        if (topics.find(topic) == null) {
            then.accept(null);
            return;
        }
        topics.delete(topic, "the deletion of its group", change -> {
            if (change.isRefused() && topics.find(topic) != null) {
                then.accept(change.text());
                return;
            }
            List<PopDelta> deltas = List.of(
                    new PopDelta(new PopKey(Names.DESK_GROUP, topic, 0), List.of(new PopChange.Drop())),
                    new PopDelta(new PopKey(Names.DISCARD_GROUP, topic, 0), List.of(new PopChange.Drop())));
            store.pop(deltas, outcome -> then.accept(outcome instanceof Stored ? null : Outcomes.text(outcome)));
        });
    }

    // ---- the end of a quarantine

    /** Sets the hold on this duty; once, before the first request. */
    public void startedAs(DutyHandle handle) {
        self = handle;
    }

    private void wake() {
        DutyHandle handle = self;
        if (handle != null) {
            handle.wake();
        }
    }

    @Override
    public String roleName() {
        return "broker-quarantine";
    }

    /** Ends the quarantine of keys whose messages the group has consumed; gives back what came meanwhile. */
    @Override
    public long run() {
        long untilAnswer = answer();
        boolean more = false;
        for (ParkedGroup group : groups.values()) {
            List<ParkedKey> consumed = new ArrayList<>();
            synchronized (group) {
                for (ParkedKey key : group.keys()) {
                    if (key.releasing && !key.busy) {
                        more = true;
                        if (isConsumed(group, key)) {
                            consumed.add(key);
                        }
                    }
                }
            }
            consumed.forEach(key -> goOn(group, key));
        }
        return Math.min(untilAnswer, more ? LOOK_NANOS : WHEN_WOKEN);
    }

    private long answer() {
        for (Later next = answers.peek(); next != null; next = answers.peek()) {
            long left = next.nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            answers.remove();
            next.answer().run();
        }
        return WHEN_WOKEN;
    }

    private boolean isConsumed(ParkedGroup group, ParkedKey key) {
        return key.retryQueue < 0
                || key.consumedAt == 0
                || offsets.query(group.name, Names.retryTopic(group.name), key.retryQueue) >= key.consumedAt;
    }

    private void goOn(ParkedGroup group, ParkedKey key) {
        boolean isOver;
        synchronized (group) {
            if (key.busy || group.find(key.topic, key.key) != key) {
                return;
            }
            boolean isMet = key.diverting > 0 && clock.nanoTime() - key.divertedNanos < FORGOTTEN_NANOS;
            isOver = key.waiting.isEmpty() && !isMet;
            if (isOver) {
                group.remove(key);
            } else if (key.waiting.isEmpty()) {
                return;
            } else {
                key.busy = true;
            }
        }
        if (!isOver) {
            release(group, key, (messages, refusal) -> {
                if (refusal != null) {
                    log.warn("Key {} of group {} is not given back yet: {}", key.key, group.name, refusal);
                }
            });
            return;
        }
        log.info("Key {} of topic {} is out of quarantine for group {}", key.key, key.topic, group.name);
        store.putCatalog(CatalogKind.SETTING, catalogName(group.name, key), null, outcome -> {
            if (!(outcome instanceof Stored)) {
                log.warn("That key {} left its quarantine is only in memory: {}", key.key, Outcomes.text(outcome));
            }
        });
    }
}
