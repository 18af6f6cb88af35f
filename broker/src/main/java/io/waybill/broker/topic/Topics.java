/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.store.CatalogStore;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.QueueKey;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topics of this broker: a view of the catalog in the log, plus the built-in ones, which are never stored.
 *
 * <p>What always holds: a topic in the table is confirmed in the log, or built in; a change is visible here before it
 * is published, and published before its caller is told. Several requests at once to create the same topic lead to one
 * record, and all are answered. Reads never block; callbacks come from the thread that confirmed or published.
 */
public final class Topics {
    private static final Logger log = LoggerFactory.getLogger(Topics.class);

    /** A request for a new topic is refused beyond this many queues; a typing error must not cost a million of them. */
    static final int MAX_QUEUES = 4096;

    /** They travel with every registration. */
    private static final int MAX_ATTRIBUTES_LENGTH = 1024;

    /** Of topicSysFlag: the topic's messages belong to a unit. */
    private static final int UNIT_FLAG = 1;
    /** A retry topic of a group with members of a unit. */
    private static final int UNIT_READERS_FLAG = 2;

    private final QueueStore queueStore;
    private final TimerStore timerStore;
    private final CatalogStore catalogStore;
    private final StoreClock storeClock;
    private final BrokerSettings settings;
    private final Map<String, TopicConfig> table = new ConcurrentHashMap<>();
    private final Map<String, TopicConfig> builtIn;
    /** What was deleted and has messages left, with those that a failed restore left behind. */
    private final Map<String, DeletedTopic> deleted = new ConcurrentHashMap<>();

    /** Topics of which a deletion is being written, or its end: each takes two steps, and another's step must not come in between. */
    private final Set<String> inBetween = ConcurrentHashMap.newKeySet();

    /** Creations on their way, by topic, with everybody who waits for the result. Guarded by itself. */
    private final Map<String, List<Consumer<TopicChange>>> creating = new HashMap<>();

    /** New topics on their way into the log; they count for the limit. */
    private final AtomicInteger beingStored = new AtomicInteger();

    private final TopicPublisher publisher;
    private final List<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
    private volatile DataVersion version;
    private volatile Snapshot latest;

    /**
     * Reads the catalog; an entry that cannot be read stops the start, because serving without it would lose it.
     *
     * @param publisher tells the outside world of changes
     */
    public Topics(
            QueueStore queueStore,
            TimerStore timerStore,
            CatalogStore catalogStore,
            StoreClock storeClock,
            BrokerSettings settings,
            TopicPublisher publisher) {
        this.publisher = publisher;
        this.queueStore = queueStore;
        this.timerStore = timerStore;
        this.catalogStore = catalogStore;
        this.storeClock = storeClock;
        this.settings = settings;
        this.builtIn = BuiltInTopics.of(settings);
        table.putAll(builtIn);
        catalogStore.catalogValues(CatalogKind.TOPIC).forEach((name, value) -> {
            if (settings.topics().autoCreate() || !name.equals(Names.DEFAULT_TOPIC)) {
                table.put(name, TopicConfig.parse(ByteBuffer.wrap(value)));
            }
        });
        catalogStore
                .catalogValues(CatalogKind.DELETED_TOPIC)
                .forEach((name, value) -> deleted.put(name, DeletedTopic.parse(value)));
        // The time of the start makes the version differ from that of the run before, whose counter is not kept.
        version = new DataVersion(0, storeClock.nowMillis(), 0);
    }

    /** Notifies somebody, by the name of the topic, of settings that are in force from now on or gone. */
    public void addListener(Consumer<String> changeListener) {
        listeners.add(changeListener);
    }

    /** The topic's settings, or null when there is no such topic. */
    public TopicConfig find(String topic) {
        return table.get(topic);
    }

    /** Whether the topic exists and has this queue, for reading or for writing. */
    public boolean hasQueue(String topic, int queueId) {
        TopicConfig config = table.get(topic);
        return config != null && queueId >= 0 && queueId < Math.max(config.readQueueNums(), config.writeQueueNums());
    }

    /**
     * The queue in which a message that was sent to this one becomes visible now: the same, unless the topic has fewer to read since. Then all of a queue go
     * to the one of its number modulo the new count, where new messages of the same keys go if the old count is a multiple of the new one.
     */
    public int readableQueue(String topic, int queueId) {
        TopicConfig config = table.get(topic);
        if (config == null || queueId < config.readQueueNums()) {
            return queueId;
        }
        int queues = Math.max(1, Math.min(config.readQueueNums(), config.writeQueueNums()));
        return queueId % queues;
    }

    /** Every topic, by name. */
    public Collection<TopicConfig> all() {
        return Collections.unmodifiableCollection(new TreeMap<>(table).values());
    }

    /** All topics together with the version they make up. */
    public TopicConfigTable snapshot() {
        // The version first: a change in between is then announced once more, never lost.
        DataVersion current = version;
        Snapshot known = latest;
        if (known != null && known.table().dataVersion().equals(current)) {
            return known.table();
        }
        Map<String, TopicConfig> byName = new TreeMap<>(table);
        TopicConfigTable taken = new TopicConfigTable(current, byName);
        latest = new Snapshot(taken, List.copyOf(byName.values()));
        return taken;
    }

    /** The topics of a snapshot by name. */
    List<TopicConfig> sorted(TopicConfigTable snapshot) {
        Snapshot known = latest;
        return known != null && known.table() == snapshot
                ? known.sorted()
                : List.copyOf(snapshot.topicConfigTable().values());
    }

    /** The latest snapshot, so that a table read or registered in many parts is sorted once. */
    private record Snapshot(TopicConfigTable table, List<TopicConfig> sorted) {}

    public boolean isBuiltIn(String topic) {
        return builtIn.containsKey(topic);
    }

    /** Changes with every change of the table; what brokers and tools compare to see that something changed. */
    public DataVersion version() {
        return version;
    }

    /** A topic with as many queues to read as to write and no attributes. */
    public static TopicConfig config(String name, int queues, int perm) {
        return new TopicConfig(name, queues, queues, perm);
    }

    /**
     * Finds the topic of a send or creates it from the template topic: as many queues as asked for, but no more than
     * the template has. {@code then} is called exactly once, at once when the topic exists.
     *
     * @param unitMode whether the client that sends belongs to a unit; kept in the new topic's flags
     */
    public void findOrCreateForSend(
            String topic, String template, int queues, boolean unitMode, Consumer<TopicChange> then) {
        TopicConfig known = table.get(topic);
        if (known != null) {
            then.accept(TopicChange.done(known));
            return;
        }
        if (Names.isRetry(topic) || Names.isDeadLetter(topic)) {
            ensure(topic, 1, then);
            return;
        }
        TopicConfig pattern = table.get(template);
        if (!settings.topics().autoCreate() || pattern == null || !Perm.isInherited(pattern.perm())) {
            String why = settings.topics().autoCreate()
                    ? "the template topic '" + template + "' does not exist or is none"
                    : "autoCreateTopic is off";
            then.accept(TopicChange.refused(
                    ResponseCode.TOPIC_NOT_EXIST, "topic '" + topic + "' does not exist and is not created: " + why));
            return;
        }
        int most = Math.min(pattern.writeQueueNums(), settings.topics().autoCreateQueues());
        int count = Math.max(1, Math.min(queues, most));
        int flags = unitMode ? UNIT_FLAG : 0;
        create(
                new TopicConfig(
                        topic,
                        count,
                        count,
                        pattern.perm() & ~Perm.INHERIT,
                        TopicConfig.SINGLE_TAG,
                        flags,
                        false,
                        Map.of()),
                then);
    }

    /**
     * Finds a topic or creates it with this many queues for reading and writing, whatever the switch for creation by
     * sends says: for topics the broker itself needs, such as those of retries and dead letters.
     */
    public void ensure(String topic, int queues, Consumer<TopicChange> then) {
        ensure(topic, queues, false, then);
    }

    /** The same for the retry topic of a group; a new one remembers whether the group's members belong to a unit. */
    public void ensure(String topic, int queues, boolean isOfUnit, Consumer<TopicChange> then) {
        TopicConfig known = table.get(topic);
        if (known != null) {
            then.accept(TopicChange.done(known));
            return;
        }
        int flags = isOfUnit ? UNIT_READERS_FLAG : 0;
        create(
                new TopicConfig(topic, queues, queues, Perm.READ_WRITE, TopicConfig.SINGLE_TAG, flags, false, Map.of()),
                then);
    }

    private void create(TopicConfig wanted, Consumer<TopicChange> then) {
        String refusal = Names.checkTopic(wanted.topicName());
        if (refusal != null) {
            then.accept(TopicChange.refused(ResponseCode.INVALID_PARAMETER, refusal));
            return;
        }
        synchronized (creating) {
            List<Consumer<TopicChange>> waiting = creating.get(wanted.topicName());
            if (waiting != null) {
                waiting.add(then);
                return;
            }
            creating.put(wanted.topicName(), new ArrayList<>(List.of(then)));
        }
        TopicConfig known = table.get(wanted.topicName());
        if (known != null) {
            created(wanted.topicName(), TopicChange.done(known));
            return;
        }
        put(wanted, change -> created(wanted.topicName(), change));
    }

    private void created(String topic, TopicChange change) {
        List<Consumer<TopicChange>> waiting;
        synchronized (creating) {
            waiting = creating.remove(topic);
        }
        for (Consumer<TopicChange> then : waiting) {
            try {
                then.accept(change);
            } catch (RuntimeException e) {
                log.warn("A waiter for the creation of topic {} failed", topic, e);
            }
        }
    }

    /** Sets a topic's settings, new or changed. {@code then} is called exactly once. */
    public void put(TopicConfig config, Consumer<TopicChange> then) {
        String refusal = refusal(config);
        if (refusal != null) {
            then.accept(TopicChange.refused(ResponseCode.INVALID_PARAMETER, refusal));
            return;
        }
        boolean isNew = !table.containsKey(config.topicName());
        if (isNew
                && table.size() + beingStored.incrementAndGet()
                        > settings.topics().most()) {
            beingStored.decrementAndGet();
            then.accept(TopicChange.refused(
                    ResponseCode.SYSTEM_ERROR,
                    "topic '" + config.topicName() + "' is not created: this broker has " + table.size()
                            + " topics, the limit maxTopics is "
                            + settings.topics().most()));
            return;
        }
        catalogStore.putCatalog(CatalogKind.TOPIC, config.topicName(), config.toJson(), outcome -> {
            if (isNew) {
                beingStored.decrementAndGet();
            }
            if (!(outcome instanceof Stored)) {
                then.accept(failed(outcome));
                return;
            }
            table.put(config.topicName(), config);
            listeners.forEach(listener -> listener.accept(config.topicName()));
            changed(() -> then.accept(TopicChange.done(config)));
        });
    }

    /**
     * Forgets a topic. Its messages can no longer be read, nor found by key, also when a topic of that name comes again: its queues then go on at the
     * offsets they had reached, so that nobody's progress points behind messages that come later. Until retention drops them {@link #restore} brings
     * them back, with what became visible since, such as delayed messages and commits. {@code then} is called exactly once.
     *
     * @param by who wants it, for people
     */
    public void delete(String topic, String by, Consumer<TopicChange> then) {
        TopicConfig known = table.get(topic);
        if (known == null || isBuiltIn(topic)) {
            then.accept(
                    known == null
                            ? TopicChange.refused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + topic + "' does not exist")
                            : TopicChange.refused(ResponseCode.INVALID_PARAMETER, "topic '" + topic + "' is built in"));
            return;
        }
        if (!isWorthKeeping(topic)) {
            deleteNow(known, then);
            return;
        }
        if (deleted.size() >= settings.topics().most()
                && !deleted.containsKey(topic)
                && deleted().size() >= settings.topics().most()) {
            then.accept(TopicChange.refused(
                    ResponseCode.SYSTEM_ERROR,
                    "topic '" + topic + "' is not deleted: the messages of " + deleted.size()
                            + " deleted topics are still kept, the limit maxTopics is "
                            + settings.topics().most()));
            return;
        }
        Consumer<TopicChange> end = beginSteps(topic, then);
        if (end == null) {
            return;
        }
        // First: a crash in between leaves a topic that is there and has nothing hidden.
        DeletedTopic kept = new DeletedTopic(known, storeClock.nowMillis(), by);
        catalogStore.putCatalog(CatalogKind.DELETED_TOPIC, topic, kept.toJson(), outcome -> {
            if (!(outcome instanceof Stored)) {
                end.accept(failed(outcome));
                return;
            }
            deleted.put(topic, kept);
            deleteNow(known, end);
        });
    }

    /** What to call at the end of a deletion or return; null, and it is refused, while another one goes on. */
    private Consumer<TopicChange> beginSteps(String topic, Consumer<TopicChange> then) {
        if (!inBetween.add(topic)) {
            then.accept(TopicChange.refused(
                    ResponseCode.SYSTEM_BUSY, "topic '" + topic + "' is being deleted or restored just now"));
            return null;
        }
        return change -> {
            inBetween.remove(topic);
            then.accept(change);
        };
    }

    private void deleteNow(TopicConfig known, Consumer<TopicChange> then) {
        String topic = known.topicName();
        catalogStore.putCatalog(CatalogKind.TOPIC, topic, null, outcome -> {
            if (!(outcome instanceof Stored)) {
                then.accept(failed(outcome));
                return;
            }
            table.remove(topic);
            listeners.forEach(listener -> listener.accept(topic));
            changed(() -> then.accept(TopicChange.done(known)));
        });
    }

    private boolean isWorthKeeping(String topic) {
        return timerStore.pendingTimerCount(topic) > 0
                || queueStore.queuesOf(topic).stream().anyMatch(queue -> {
                    QueueRange range = queueStore.keptOffsetRange(topic, queue.queueId());
                    return range.minOffset() < range.maxOffset();
                });
    }

    /** Messages of a deleted topic that are still kept; what a topic of the name that came later has is not counted. May block on the disk. */
    long deletedMessages(String topic) {
        boolean exists = table.containsKey(topic);
        long messages = 0;
        for (QueueKey queue : queueStore.queuesOf(topic)) {
            QueueRange kept = queueStore.keptOffsetRange(topic, queue.queueId());
            long end = exists ? queueStore.offsetRange(topic, queue.queueId()).minOffset() : kept.maxOffset();
            messages += Math.max(0, end - kept.minOffset());
        }
        return messages;
    }

    /** The topics that {@link #restore} can bring back, by name; those that retention has emptied are forgotten. May block on the disk. */
    Map<String, DeletedTopic> deleted() {
        Map<String, DeletedTopic> known = new TreeMap<>(deleted);
        known.keySet().removeIf(topic -> {
            boolean isOver = deletedMessages(topic) == 0
                    && (table.containsKey(topic) || timerStore.pendingTimerCount(topic) == 0);
            if (!isOver || !inBetween.add(topic)) {
                return false;
            }
            if (deleted.get(topic) != known.get(topic)) { // it was deleted once more since
                inBetween.remove(topic);
                return false;
            }
            forgetDeleted(topic, outcome -> inBetween.remove(topic));
            return true;
        });
        return known;
    }

    private void forgetDeleted(String topic, Consumer<Outcome> then) {
        DeletedTopic known = deleted.get(topic);
        catalogStore.putCatalog(CatalogKind.DELETED_TOPIC, topic, null, outcome -> {
            if (outcome instanceof Stored && known != null) {
                deleted.remove(topic, known);
            }
            then.accept(outcome);
        });
    }

    /**
     * Brings a deleted topic back with all its messages that are still kept. If a topic of that name came meanwhile it stays as it is, with queues
     * enough for both. {@code then} is called exactly once.
     */
    void restore(String topic, Consumer<TopicChange> then) {
        DeletedTopic known = deleted.get(topic);
        if (known == null) {
            then.accept(TopicChange.refused(
                    ResponseCode.TOPIC_NOT_EXIST, "no deleted topic '" + topic + "' with messages is known"));
            return;
        }
        Consumer<TopicChange> end = beginSteps(topic, then);
        if (end == null) {
            return;
        }
        TopicConfig now = table.get(topic);
        TopicConfig before = known.config();
        TopicConfig wanted = now == null
                ? before
                : now.withQueues(
                        Math.max(now.readQueueNums(), before.readQueueNums()),
                        Math.max(now.writeQueueNums(), before.writeQueueNums()));
        // First the topic: a crash in between leaves one that can be restored again.
        put(wanted, change -> {
            if (change.isRefused()) {
                end.accept(change);
                return;
            }
            forgetDeleted(
                    topic,
                    outcome -> end.accept(outcome instanceof Stored ? TopicChange.done(wanted) : failed(outcome)));
        });
    }

    private void changed(Runnable then) {
        synchronized (this) {
            version = version.next(storeClock.nowMillis());
        }
        publisher.publish(then);
    }

    private static TopicChange failed(Outcome outcome) {
        return TopicChange.refused(Outcomes.code(outcome), Outcomes.text(outcome));
    }

    /** Null, or the sentence why these settings are not taken. */
    String refusal(TopicConfig config) {
        String name = Names.checkTopic(config.topicName());
        if (name != null) {
            return name;
        }
        if (config.readQueueNums() < 1 || config.readQueueNums() > MAX_QUEUES) {
            return "readQueueNums must be from 1 to " + MAX_QUEUES + ", seen: " + config.readQueueNums();
        }
        if (config.writeQueueNums() < 1 || config.writeQueueNums() > MAX_QUEUES) {
            return "writeQueueNums must be from 1 to " + MAX_QUEUES + ", seen: " + config.writeQueueNums();
        }
        if (config.perm() < 0 || config.perm() > 7) {
            return "perm must be from 0 to 7 (4 read, 2 write, 1 template), seen: " + config.perm();
        }
        if (config.topicSysFlag() < 0 || config.topicSysFlag() > 3) {
            return "topicSysFlag must be from 0 to 3, seen: " + config.topicSysFlag();
        }
        if (!TopicConfig.SINGLE_TAG.equals(config.topicFilterType())
                && !TopicConfig.MULTI_TAG.equals(config.topicFilterType())) {
            String seen = config.topicFilterType();
            return "topicFilterType must be " + TopicConfig.SINGLE_TAG + " or " + TopicConfig.MULTI_TAG + ", seen: "
                    + (seen == null || seen.length() <= 32 ? seen : seen.length() + " characters");
        }
        int attributes = 0;
        for (Map.Entry<String, String> attribute : config.attributes().entrySet()) {
            attributes += attribute.getKey().length() + attribute.getValue().length();
        }
        if (attributes > MAX_ATTRIBUTES_LENGTH) {
            return "attributes must have at most " + MAX_ATTRIBUTES_LENGTH + " characters, seen: " + attributes;
        }
        return TopicAttributes.refusal(config.attributes());
    }
}
