/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.GroupAttributes;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.retry.ConsumeFailureHandler;
import io.waybill.broker.retry.DeadLetterAdmin;
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
 * The quarantine of all groups: sets the messages of a key aside as the group's pulls meet them, and gives them back.
 *
 * <p>What always holds: a message of a quarantined key is in {@link Names#quarantineTopic} before a pull passes it, and no pull hands it out; the key's quarantined
 * messages are given back in the order of their topic, and until the group has consumed them no later one of the key is handed out. Which of the quarantined
 * are given back or discarded is the pop state of {@link Names#DESK_GROUP}, written in one frame with the copies. The keys are in the catalog, so a
 * restart changes nothing.
 *
 * <p>Safe from any thread; a pull of a group without quarantined keys pays one lookup.
 */
public final class Quarantine implements DeliveryInterceptor, ConsumeFailureHandler, Duty {
    private static final Logger log = LoggerFactory.getLogger(Quarantine.class);

    static final int MOST_KEYS = 10_000;
    /** Messages of a group that wait in quarantine, each remembered here: about 13 MiB. Then the queues that bring more stand still. */
    static final int MOST_WAITING = 100_000;

    private static final String CATALOG_PREFIX = "quarantine/";
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    /** Longer than any read needs to quarantine what it met. */
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
    private final Map<String, QuarantinedGroup> groups = new ConcurrentHashMap<>();
    /** Answers to those who gave up, in the order of their time. */
    private final Queue<Later> answers = new ConcurrentLinkedQueue<>();

    private record Later(long nanos, Runnable answer) {}

    private volatile DutyHandle self;
    private DeadLetterAdmin.Discards discards = (topic, offset, by) -> {};

    /** What the doctor tells of a quarantined key. */
    public record Known(long sinceMillis, String reason) {}

    /** Reads the catalog and the quarantined messages. */
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
                group(parts[1]).add(QuarantinedKey.parse(parts[2], parts[3], value));
            }
        });
        Set<String> named = new HashSet<>(groups.keySet());
        topics.all().forEach(topic -> {
            if (Names.isQuarantine(topic.topicName())) {
                named.add(Names.groupOfQuarantine(topic.topicName()));
            }
        });
        named.forEach(this::findQuarantined);
    }

    private QuarantinedGroup group(String name) {
        return groups.computeIfAbsent(name, QuarantinedGroup::new);
    }

    private void findQuarantined(String name) {
        String topic = Names.quarantineTopic(name);
        QueueRange range = store.range(topic, 0);
        PopState settled = store.popState(new PopKey(Names.DESK_GROUP, topic, 0));
        long from = Math.max(range.minOffset(), settled == null ? 0 : settled.base());
        QuarantinedGroup group = group(name);
        List<Long> twice = new ArrayList<>();
        for (long offset = from; offset < range.maxOffset(); ) {
            ReadResult read = store.read(topic, 0, offset, 1024, READ_BYTES, null, null);
            for (ByteBuffer slice : read.slices()) {
                for (int at = slice.position(); at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    long quarantinedAt = StoredMessage.queueOffset(slice, at);
                    if ((settled == null || !settled.isAcked(quarantinedAt))
                            && !found(group, slice, at, quarantinedAt)) {
                        twice.add(quarantinedAt);
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
        PopKey desk = new PopKey(Names.DESK_GROUP, Names.quarantineTopic(name), 0);
        store.pop(List.of(new PopDelta(desk, settled)), Completion.NONE);
    }

    /** False when the same message was found before. */
    private boolean found(QuarantinedGroup group, ByteBuffer message, int at, long quarantinedAt) {
        String key = QuarantinedMessage.keyOf(message, at);
        String topic = QuarantinedMessage.topicOf(message, at, Names.quarantineTopic(group.name));
        Origin origin = QuarantinedMessage.originOf(message, at);
        if (key != null && topic != null && origin != null) {
            QuarantinedKey known = group.find(topic, key);
            if (known == null) {
                // Quarantined by a read that was overtaken by the end of its key: it goes after the others.
                known = new QuarantinedKey(
                        topic, key, store.nowMillis(), "quarantined at the end of its quarantine", "broker");
                known.releasing = true;
                group.add(known);
            }
            return known.waiting.putIfAbsent(origin, quarantinedAt) == null;
        }
        return true;
    }

    // ---- pulls

    @Override
    public MessageRouter router(
            String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
        QuarantinedGroup quarantined = groups.isEmpty() ? null : groups.get(name);
        return quarantined == null || quarantined.isEmpty() ? null : new Sorting(quarantined, topic, queueId, wanted);
    }

    /** A group that goes back wants again what was given back. */
    @Override
    public void reset(String name, String topic, int queueId) {
        QuarantinedGroup group = groups.get(name);
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
        private final QuarantinedGroup group;
        private final String topic;
        private final int queueId;
        private final Filter wanted;
        private final Set<QuarantinedKey> met = new HashSet<>();

        Sorting(QuarantinedGroup group, String topic, int queueId, Filter wanted) {
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
            String key = QuarantinedMessage.keyOf(buffer, at);
            String origin = key == null ? null : QuarantinedMessage.topicOf(buffer, at, topic);
            if (origin == null) {
                return Verdict.DELIVER;
            }
            boolean isRetry = Names.isRetry(topic);
            synchronized (group) {
                QuarantinedKey quarantined = group.find(origin, key);
                if (quarantined == null
                        || isRetry && (quarantined.releasing || QuarantinedMessage.originOf(buffer, at) == null)) {
                    return Verdict.DELIVER;
                }
                Origin here = origin(buffer, at);
                if (quarantined.waiting.containsKey(here) || !isRetry && quarantined.isGivenBack(here)) {
                    return Verdict.SKIP;
                }
                quarantined.divertedNanos = clock.nanoTime();
                if (met.add(quarantined)) {
                    quarantined.diverting++;
                }
                return Verdict.REROUTE;
            }
        }

        private Origin origin(ByteBuffer buffer, int at) {
            Origin known = Names.isRetry(topic) ? QuarantinedMessage.originOf(buffer, at) : null;
            return known != null ? known : new Origin(queueId, StoredMessage.queueOffset(buffer, at));
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            String quarantineTopic = Names.quarantineTopic(group.name);
            topics.ensure(quarantineTopic, 1, change -> {
                String full = change.isRefused() ? change.text() : noRoomFor(messages.size());
                if (full != null) {
                    quarantined(null, List.of(), full, then);
                    return;
                }
                List<MessageDraft> copies = new ArrayList<>(messages.size());
                try {
                    for (ByteBuffer message : messages) {
                        copies.add(QuarantinedMessage.quarantined(
                                group.name,
                                QuarantinedMessage.keyOf(message, 0),
                                origin(message, 0),
                                message,
                                clock.wallMillis()));
                    }
                } catch (BadValue e) {
                    quarantined(null, List.of(), "a message cannot be quarantined: " + e.getMessage(), then);
                    return;
                }
                store.putAndPop(copies, List.of(), outcome -> quarantined(outcome, messages, null, then));
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

        private void quarantined(Outcome outcome, List<ByteBuffer> messages, String refusal, Consumer<String> then) {
            String why = refusal;
            List<Long> twice = new ArrayList<>();
            synchronized (group) {
                if (outcome instanceof Stored stored) {
                    for (int i = 0; i < messages.size(); i++) {
                        long quarantinedAt = stored.queueOffset() + i;
                        if (!found(messages.get(i), quarantinedAt)) {
                            twice.add(quarantinedAt);
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

        /** False when another read quarantined the same message before, and this copy is one too many. */
        private boolean found(ByteBuffer message, long quarantinedAt) {
            String key = QuarantinedMessage.keyOf(message, 0);
            String origin = QuarantinedMessage.topicOf(message, 0, topic);
            QuarantinedKey known = group.find(origin, key);
            if (known == null) {
                known = new QuarantinedKey(
                        origin, key, store.nowMillis(), "quarantined at the end of its quarantine", "broker");
                known.releasing = true;
                group.add(known);
            }
            Origin here = origin(message, 0);
            if (known.waiting.containsKey(here) || !Names.isRetry(topic) && known.isGivenBack(here)) {
                return false;
            }
            known.waiting.put(here, quarantinedAt);
            return true;
        }
    }

    // ---- what operators and members do

    /** The quarantine of a key, or null. */
    public Known find(String group, String topic, String key) {
        QuarantinedGroup quarantined = groups.get(group);
        if (quarantined == null) {
            return null;
        }
        synchronized (quarantined) {
            QuarantinedKey known = quarantined.find(topic, key);
            return known == null ? null : new Known(known.sinceMillis, known.reason);
        }
    }

    /** A key as it is told. */
    record Row(String topic, String key, int messages, long sinceMillis, String reason, String by, boolean releasing) {}

    /** The keys of a group, the longest quarantined first. */
    List<Row> list(String name) {
        QuarantinedGroup group = groups.get(name);
        List<Row> rows = new ArrayList<>();
        if (group != null) {
            synchronized (group) {
                for (QuarantinedKey key : group.keys()) {
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
     * Puts a key into quarantine from now on. {@code then} is called exactly once: with true when it was not quarantined before, false when it was, and with a refusal
     * when it could not be kept.
     */
    void add(String name, String topic, String key, String reason, String by, Added then) {
        QuarantinedGroup group = group(name);
        QuarantinedKey quarantined;
        boolean isNew;
        synchronized (group) {
            quarantined = group.find(topic, key);
            isNew = quarantined == null;
            if (!isNew && !quarantined.releasing) {
                then.done(false, null);
                return;
            }
            if (isNew && group.size() >= MOST_KEYS) {
                then.done(false, "group " + name + " has " + MOST_KEYS + " keys in quarantine, no more are taken");
                return;
            }
            if (isNew) {
                quarantined = new QuarantinedKey(topic, key, store.nowMillis(), reason, by);
                group.add(quarantined);
            } else { // what was given back fails again
                quarantined.releasing = false;
                quarantined.sinceMillis = store.nowMillis();
                quarantined.reason = reason;
                quarantined.by = by;
            }
        }
        rules.changed();
        log.info("Key {} of topic {} is in quarantine for group {}: {}, by {}", key, topic, name, reason, by);
        QuarantinedKey added = quarantined;
        keep(name, quarantined, outcome -> {
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
    interface Added {
        /** @param refusal null, or why it was not done */
        void done(boolean changed, String refusal);
    }

    /**
     * An ordered consumer gave a message up: if its group has a quarantine, its key is quarantined and the group goes back to the message, which is then
     * quarantined as the first of its key; so the member drops what it has at hand.
     */
    @Override
    public boolean take(
            SubscriptionGroupConfig group, Map<String, String> properties, String client, Consumer<Outcome> then) {
        String topic = properties.get(MessageProperties.RETRY_TOPIC);
        String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
        String key = QuarantinedMessage.keyOf(properties);
        if (GroupAttributes.quarantineAfter(group) == 0 || topic == null || uniqueKey == null || key == null) {
            return false;
        }
        blocking.execute(() -> {
            try {
                take(group.groupName(), topic, uniqueKey, key, client, then);
            } catch (RuntimeException e) {
                log.error(
                        "A message of key {} that group {} gave up could not be quarantined",
                        key,
                        group.groupName(),
                        e);
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
        add(group, topic, key, "given up by its consumer", client, (changed, refusal) -> {
            if (refusal != null) {
                then.accept(null);
                return;
            }
            offsets.reset(group, queueTopic, queueId, offset, outcome -> {
                if (!(outcome instanceof Stored)) {
                    then.accept(outcome);
                    return;
                }
                Stored quarantined = new Stored(
                        StoredMessage.position(found, 0),
                        offset,
                        StoredMessage.storeTimestamp(found, 0),
                        StoredMessage.totalSize(found, 0),
                        0);
                answers.add(new Later(clock.nanoTime() + GIVEN_UP_PAUSE_NANOS, () -> then.accept(quarantined)));
                wake();
            });
        });
    }

    /** The copy that was given back and not consumed yet, or null. */
    private ByteBuffer givenBack(String group, String uniqueKey) {
        String retryTopic = Names.retryTopic(group);
        for (ByteBuffer copy : store.byKey(retryTopic, uniqueKey, 1, 0, Long.MAX_VALUE)) {
            long committed = offsets.query(group, retryTopic, StoredMessage.queueId(copy, 0));
            if (QuarantinedMessage.originOf(copy, 0) != null && StoredMessage.queueOffset(copy, 0) >= committed) {
                return copy;
            }
        }
        return null;
    }

    private void keep(String group, QuarantinedKey key, Consumer<Outcome> then) {
        byte[] json;
        synchronized (group(group)) {
            json = key.toJson();
        }
        store.putCatalog(CatalogKind.SETTING, catalogName(group, key), json, then::accept);
    }

    private static String catalogName(String group, QuarantinedKey key) {
        return CATALOG_PREFIX + group + "/" + key.topic + "/" + key.key;
    }

    /** How an end of a quarantine ended: how many messages, or negative when there is no such key; and a refusal or null. */
    @FunctionalInterface
    interface Ended {
        void done(int messages, String refusal);
    }

    /** Gives the quarantined messages of a key back. Blocks on the disk; {@code then} is called exactly once. */
    void release(String name, String topic, String key, Ended then) {
        QuarantinedGroup group = groups.get(name);
        QuarantinedKey quarantined = claim(group, topic, key, then);
        if (quarantined != null) {
            release(group, quarantined, then);
        }
    }

    /** Null when it is answered already: there is none, or another one works on it. */
    private static QuarantinedKey claim(QuarantinedGroup group, String topic, String key, Ended then) {
        QuarantinedKey quarantined = null;
        boolean isBusy = false;
        if (group != null) {
            synchronized (group) {
                quarantined = group.find(topic, key);
                isBusy = quarantined != null && quarantined.busy;
                if (quarantined != null && !isBusy) {
                    quarantined.busy = true;
                }
            }
        }
        if (quarantined == null || isBusy) {
            then.done(-1, isBusy ? "key " + key + " is being released or discarded right now" : null);
            return null;
        }
        return quarantined;
    }

    private void release(QuarantinedGroup group, QuarantinedKey quarantined, Ended then) {
        Map<Long, Origin> offered = new LinkedHashMap<>();
        synchronized (group) {
            quarantined.waiting.forEach((origin, quarantinedAt) -> offered.put(quarantinedAt, origin));
        }
        topics.ensure(Names.retryTopic(group.name), 1, change -> {
            if (change.isRefused()) {
                end(group, quarantined, 0, change.text(), then);
                return;
            }
            TopicConfig retry = change.config();
            synchronized (group) {
                if (quarantined.retryQueue < 0 || quarantined.retryQueue >= retry.readQueueNums()) {
                    quarantined.retryQueue =
                            Math.floorMod(quarantined.key.hashCode(), Math.max(1, retry.readQueueNums()));
                }
            }
            goOnReleasing(group, quarantined, new ArrayList<>(offered.keySet()), 0, then);
        });
    }

    /** In a thread that may block; when too much waits for those, the rest stays quarantined and the caller is told. */
    private void goOnReleasing(
            QuarantinedGroup group, QuarantinedKey quarantined, List<Long> quarantinedAt, int done, Ended then) {
        try {
            blocking.execute(() -> releaseNext(group, quarantined, quarantinedAt, done, then));
        } catch (RejectedExecutionException e) {
            end(group, quarantined, done, "[OVERLOAD] too many reads of old messages are waiting, try again", then);
        }
    }

    /** Gives back the next piece, then the rest. */
    private void releaseNext(
            QuarantinedGroup group, QuarantinedKey quarantined, List<Long> quarantinedAt, int done, Ended then) {
        List<MessageDraft> copies = new ArrayList<>();
        List<PopChange> settled = new ArrayList<>(List.of(new PopChange.Start(0)));
        List<Long> taken = new ArrayList<>();
        long bytes = 0;
        try {
            while (done + taken.size() < quarantinedAt.size()
                    && copies.size() < RELEASED_COUNT
                    && bytes < RELEASED_BYTES) {
                long offset = quarantinedAt.get(done + taken.size());
                ByteBuffer message = read(Names.quarantineTopic(group.name), offset);
                if (message != null) {
                    copies.add(QuarantinedMessage.released(group.name, quarantined.retryQueue, message));
                    bytes += message.limit();
                } else {
                    log.error("Quarantined message {} of group {} is gone or cannot be read", offset, group.name);
                }
                taken.add(offset);
                settled.add(new PopChange.Ack(offset, offset + 1));
            }
        } catch (RuntimeException e) {
            log.error("Key {} of group {} could not be released", quarantined.key, group.name, e);
            end(group, quarantined, done, "the broker's log says why", then);
            return;
        }
        if (taken.isEmpty()) {
            end(group, quarantined, done, null, then);
            return;
        }
        PopKey desk = new PopKey(Names.DESK_GROUP, Names.quarantineTopic(group.name), 0);
        store.putAndPop(copies, List.of(new PopDelta(desk, settled)), outcome -> {
            if (!(outcome instanceof Stored stored)) {
                end(group, quarantined, done, Outcomes.text(outcome), then);
                return;
            }
            synchronized (group) {
                Set<Long> gone = new HashSet<>(taken);
                quarantined.waiting.forEach((origin, at) -> {
                    if (gone.contains(at)) {
                        quarantined.givenBack.merge(origin.queueId(), origin.offset(), Math::max);
                    }
                });
                quarantined.waiting.values().removeAll(gone);
                if (!copies.isEmpty()) {
                    quarantined.consumedAt = stored.queueOffset() + copies.size();
                }
                quarantined.releasing = true;
            }
            goOnReleasing(group, quarantined, quarantinedAt, done + taken.size(), then);
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

    private void end(QuarantinedGroup group, QuarantinedKey quarantined, int messages, String refusal, Ended then) {
        boolean isForgotten;
        synchronized (group) {
            quarantined.busy = false;
            quarantined.releasing |= refusal == null;
            isForgotten = group.find(quarantined.topic, quarantined.key) != quarantined;
        }
        if (refusal != null || isForgotten) {
            then.done(messages, refusal);
            return;
        }
        keep(group.name, quarantined, outcome -> {
            then.done(messages, outcome instanceof Stored ? null : Outcomes.text(outcome));
            wake();
        });
    }

    /** Sets who is told of each message that is dropped; once, before the first request. */
    public void onDiscard(DeadLetterAdmin.Discards listener) {
        discards = listener;
    }

    /** Drops the quarantined messages of a key; later ones are delivered again. {@code then} is called exactly once. */
    void discard(String name, String topic, String key, String by, Ended then) {
        QuarantinedGroup group = groups.get(name);
        QuarantinedKey quarantined = claim(group, topic, key, then);
        if (quarantined == null) {
            return;
        }
        List<Long> offsetsOfKey;
        synchronized (group) {
            offsetsOfKey = new ArrayList<>(quarantined.waiting.values());
        }
        List<PopChange> settled = new ArrayList<>(List.of(new PopChange.Start(0)));
        offsetsOfKey.forEach(offset -> settled.add(new PopChange.Ack(offset, offset + 1)));
        String quarantineTopic = Names.quarantineTopic(name);
        List<PopDelta> deltas = List.of(
                new PopDelta(new PopKey(Names.DESK_GROUP, quarantineTopic, 0), settled),
                new PopDelta(new PopKey(Names.DISCARD_GROUP, quarantineTopic, 0), settled));
        store.pop(deltas, outcome -> {
            if (!(outcome instanceof Stored)) {
                synchronized (group) {
                    quarantined.busy = false;
                }
                then.done(0, Outcomes.text(outcome));
                return;
            }
            synchronized (group) {
                quarantined.waiting.values().removeAll(new HashSet<>(offsetsOfKey));
                quarantined.busy = false;
                quarantined.releasing = true; // a read may have met one more
                quarantined.consumedAt = 0;
            }
            offsetsOfKey.forEach(offset -> discards.discarded(quarantineTopic, offset, by));
            then.done(offsetsOfKey.size(), null);
            wake();
        });
    }

    // ---- the end of a group

    /**
     * Forgets the keys of a group, its quarantined messages and what became of them. {@code then} is called exactly once, with null or with the sentence
     * why not all is forgotten; then it may be asked again.
     */
    public void forget(String name, Consumer<String> then) {
        QuarantinedGroup group = groups.remove(name);
        List<QuarantinedKey> gone = new ArrayList<>();
        if (group != null) {
            synchronized (group) {
                gone.addAll(group.keys());
                gone.forEach(group::remove);
            }
        }
        forgetNext(name, gone, 0, then);
    }

    private void forgetNext(String name, List<QuarantinedKey> gone, int done, Consumer<String> then) {
        if (done == gone.size()) {
            forgetMessages(name, then);
            return;
        }
        store.putCatalog(CatalogKind.SETTING, catalogName(name, gone.get(done)), null, outcome -> {
            if (!(outcome instanceof Stored)) {
                synchronized (group(name)) { // they are quarantined still
                    gone.subList(done, gone.size()).forEach(group(name)::add);
                }
                then.accept(Outcomes.text(outcome));
            } else {
                blocking.execute(() -> forgetNext(name, gone, done + 1, then));
            }
        });
    }

    private void forgetMessages(String name, Consumer<String> then) {
        String topic = Names.quarantineTopic(name);
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
        for (QuarantinedGroup group : groups.values()) {
            List<QuarantinedKey> consumed = new ArrayList<>();
            synchronized (group) {
                for (QuarantinedKey key : group.keys()) {
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

    private boolean isConsumed(QuarantinedGroup group, QuarantinedKey key) {
        return key.retryQueue < 0
                || key.consumedAt == 0
                || offsets.query(group.name, Names.retryTopic(group.name), key.retryQueue) >= key.consumedAt;
    }

    private void goOn(QuarantinedGroup group, QuarantinedKey key) {
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
