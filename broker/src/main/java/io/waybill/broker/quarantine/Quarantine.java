/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.setaside.SetAsideQueue;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Duty;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.CatalogStore;
import io.waybill.store.QueueStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which keys of which groups are in quarantine, and which of their messages are set aside (ADR 0016).
 *
 * <p>What always holds: a key stands in the catalog for as long as it is in quarantine, and each of its messages that a pull passed lies unsettled in
 * {@link Names#quarantineTopic}, so a restart changes nothing. {@link QuarantineRouter} sets messages aside, {@link QuarantineRelease} gives them back.
 *
 * <p>Safe from any thread.
 */
public final class Quarantine {
    private static final Logger log = LoggerFactory.getLogger(Quarantine.class);

    static final int MOST_KEYS = 10_000;
    /** Messages of a group that wait in quarantine, each remembered here: about 13 MiB. Then the queues that bring more stand still. */
    static final int MOST_WAITING = 100_000;

    /** Messages settled in one frame. */
    static final int SETTLED_COUNT = 1_000;

    private static final long AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final String CATALOG_PREFIX = "quarantine/";

    private final QueueStore queueStore;
    private final CatalogStore catalogStore;
    private final SettlementStore settlementStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final Rules rules;
    private final Executor blocking;
    private final Runnable leftToDo;
    private final Map<String, QuarantinedGroup> groups = new ConcurrentHashMap<>();

    /** Held while what is so of a key is read and handed to the log, so that the log has it in that order. */
    private final Object recording = new Object();

    /** Keys of which the log does not have yet what is so here. */
    private final Set<KeyName> unrecorded = ConcurrentHashMap.newKeySet();

    /** Records of those that are on their way once more. */
    private final AtomicInteger repeating = new AtomicInteger();

    /** Quarantined messages of topics that are deleted, not settled yet. */
    private final Queue<Orphans> orphans = new ConcurrentLinkedQueue<>();

    private record KeyName(String group, String topic, String key) {
        /** Of its entry in the catalog. */
        String entry() {
            return CATALOG_PREFIX + group + "/" + topic + "/" + key;
        }
    }

    /** Offsets in the group's quarantine topic. */
    private record Orphans(String group, String topic, List<Long> offsets) {}

    /**
     * Reads the catalog and the quarantined messages.
     *
     * @param rules told when what a group may get has changed
     * @param blocking for what may wait for the disk
     * @param leftToDo called when {@link #doWhatIsLeft} has something to do
     */
    public Quarantine(
            QueueStore queueStore,
            CatalogStore catalogStore,
            SettlementStore settlementStore,
            StoreClock storeClock,
            Topics topics,
            Rules rules,
            Executor blocking,
            Runnable leftToDo) {
        this.queueStore = queueStore;
        this.catalogStore = catalogStore;
        this.settlementStore = settlementStore;
        this.storeClock = storeClock;
        this.topics = topics;
        this.rules = rules;
        this.blocking = blocking;
        this.leftToDo = leftToDo;
        catalogStore.catalogValues(CatalogKind.SETTING).forEach((name, value) -> {
            String[] parts = name.startsWith(CATALOG_PREFIX) ? name.split("/", 4) : new String[0];
            if (parts.length == 4 && topics.find(parts[2]) != null) {
                group(parts[1]).add(QuarantinedKey.parse(parts[2], parts[3], value));
            } else if (parts.length == 4) {
                unrecorded.add(new KeyName(parts[1], parts[2], parts[3])); // its end was lost with the run before
            }
        });
        Set<String> named = new HashSet<>(groups.keySet());
        topics.all().forEach(topic -> {
            if (Names.isQuarantine(topic.topicName())) {
                named.add(Names.groupOfQuarantine(topic.topicName()));
            }
        });
        named.forEach(this::findQuarantined);
        topics.addListener(this::topicChanged);
    }

    private QuarantinedGroup group(String name) {
        return groups.computeIfAbsent(name, QuarantinedGroup::new);
    }

    /** Null when it never had a key in quarantine. */
    QuarantinedGroup groupOrNull(String name) {
        return groups.isEmpty() ? null : groups.get(name);
    }

    Collection<QuarantinedGroup> groups() {
        return groups.values();
    }

    private void findQuarantined(String name) {
        QuarantinedGroup group = group(name);
        List<Long> twice = new ArrayList<>();
        List<Long> ofDeleted = new ArrayList<>();
        SetAsideQueue.ofQuarantine(queueStore, settlementStore, name).readOpen(message -> {
            long quarantinedAt = StoredMessage.queueOffset(message, 0);
            String key = QuarantinedMessage.keyOf(message, 0);
            String topic = QuarantinedMessage.topicOf(message, 0, Names.quarantineTopic(name));
            Origin origin = QuarantinedMessage.originOf(message, 0);
            boolean isComplete = key != null && topic != null && origin != null;
            if (isComplete && topics.find(topic) == null) {
                ofDeleted.add(quarantinedAt);
            } else if (isComplete
                    && !group.setAside(topic, key, origin, quarantinedAt, false, storeClock.nowMillis())) {
                twice.add(quarantinedAt);
            }
            return true;
        });
        settleDuplicates(name, twice);
        if (!ofDeleted.isEmpty()) {
            orphans.add(new Orphans(name, "its topic", ofDeleted));
        }
    }

    /** Copies that are one too many are never given back. */
    void settleDuplicates(String group, List<Long> offsets) {
        if (!offsets.isEmpty()) {
            settlementStore.settle(List.of(), settlements(group, offsets, How.DUPLICATE, "broker"), Completion.NONE);
        }
    }

    /** What settles messages of a group's quarantine topic. */
    static List<Settlement> settlements(String group, Collection<Long> offsets, How how, String by) {
        return SetAsideQueue.ranges(
                Settlement.SetAsideKind.QUARANTINE, Names.quarantineTopic(group), 0, offsets, how, by);
    }

    // ---- the keys

    /** What the diagnosis of a group tells of a quarantined key. */
    public record Known(long sinceMillis, String reason) {}

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
    record Row(String topic, String key, int messages, long sinceMillis, String reason, String by, String state) {}

    /** The keys of a group, the longest quarantined first. */
    List<Row> list(String name) {
        QuarantinedGroup group = groups.get(name);
        List<Row> rows = new ArrayList<>();
        if (group != null) {
            synchronized (group) {
                for (QuarantinedKey key : group.keys()) {
                    rows.add(new Row(
                            key.topic, key.key, key.waiting.size(), key.sinceMillis, key.reason, key.by, key.state()));
                }
            }
        }
        rows.sort((a, b) -> Long.compare(a.sinceMillis(), b.sinceMillis()));
        return rows;
    }

    /** How an addition ended. */
    @FunctionalInterface
    interface Added {
        /** @param refusal null, or why it was not done */
        void done(boolean changed, String refusal);
    }

    /**
     * Puts a key into quarantine from now on. {@code then} is called exactly once: with true when it was not there before, with false when it was, and
     * with a refusal when it could not be kept.
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
                quarantined = new QuarantinedKey(topic, key, storeClock.nowMillis(), reason, by);
                group.add(quarantined);
            } else { // what was given back fails again
                quarantined.releasing = false;
                quarantined.sinceMillis = storeClock.nowMillis();
                quarantined.reason = reason;
                quarantined.by = by;
            }
        }
        rules.changed();
        log.info("Key {} of topic {} is in quarantine for group {}: {}, by {}", key, topic, name, reason, by);
        QuarantinedKey added = quarantined;
        record(name, topic, key, outcome -> {
            if (!(outcome instanceof Stored) && isNew) {
                synchronized (group) {
                    group.remove(added);
                }
            }
            then.done(outcome instanceof Stored, outcome instanceof Stored ? null : Outcomes.text(outcome));
        });
    }

    /**
     * Writes into the catalog what is so of a key now: that it is in quarantine, and how, or that it is not. Whoever
     * changes a key calls this after the change; so the last record is of the last change, whichever thread comes
     * first. What the log does not take is repeated.
     */
    void record(String group, String topic, String key, Consumer<Outcome> then) {
        record(new KeyName(group, topic, key), outcome -> {
            if (!(outcome instanceof Stored)) {
                leftToDo.run();
            }
            then.accept(outcome);
        });
    }

    private void record(KeyName name, Consumer<Outcome> then) {
        synchronized (recording) {
            unrecorded.remove(name);
            catalogStore.putCatalog(CatalogKind.SETTING, name.entry(), json(name), outcome -> {
                if (!(outcome instanceof Stored)) {
                    unrecorded.add(name);
                }
                then.accept(outcome);
            });
        }
    }

    private byte[] json(KeyName name) {
        QuarantinedGroup group = groups.get(name.group());
        if (group == null) {
            return null;
        }
        synchronized (group) {
            QuarantinedKey key = group.find(name.topic(), name.key());
            return key == null ? null : key.toJson();
        }
    }

    // ---- the end of a topic

    /**
     * A topic that is gone takes the quarantine of its keys along, before one of its name can come: that one must not
     * meet them. Called by the thread that confirms, so the records are left to the duty.
     */
    private void topicChanged(String topic) {
        if (topics.find(topic) != null) {
            return;
        }
        for (QuarantinedGroup group : groups.values()) {
            List<Long> offsets = new ArrayList<>();
            synchronized (group) {
                for (QuarantinedKey key : List.copyOf(group.keys())) {
                    if (key.topic.equals(topic)) {
                        group.remove(key);
                        unrecorded.add(new KeyName(group.name, topic, key.key));
                        offsets.addAll(key.waiting.values());
                        log.info(
                                "Key {} left the quarantine of group {}: topic {} is deleted",
                                key.key,
                                group.name,
                                topic);
                    }
                }
            }
            if (!offsets.isEmpty()) {
                orphans.add(new Orphans(group.name, topic, offsets));
            }
        }
        leftToDo.run();
    }

    /** Repeats what the log did not take, and discards the messages of deleted topics. Nanoseconds until it wants to go on. */
    long doWhatIsLeft() {
        if (unrecorded.isEmpty() && orphans.isEmpty() && repeating.get() == 0) {
            return Duty.WHEN_WOKEN;
        }
        for (KeyName name : List.copyOf(unrecorded)) {
            repeating.incrementAndGet();
            record(name, outcome -> repeating.decrementAndGet());
        }
        for (Orphans some : orphans) {
            try {
                blocking.execute(() -> discard(some));
            } catch (RejectedExecutionException e) {
                break; // too much waits for the disk
            }
        }
        return AGAIN_NANOS;
    }

    private void discard(Orphans from) {
        String topic = Names.quarantineTopic(from.group());
        List<Long> open = from.offsets().stream()
                .filter(offset -> settlementStore.settlementOf(topic, 0, offset) == null)
                .limit(SETTLED_COUNT)
                .toList();
        if (open.isEmpty()) {
            orphans.remove(from);
            return;
        }
        String by = "broker: the deletion of " + from.topic();
        settlementStore.settle(List.of(), settlements(from.group(), open, How.DISCARDED, by), outcome -> {
            if (outcome instanceof Stored) {
                leftToDo.run(); // the rest follows; after a refusal all is tried again later
            }
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
        record(name, gone.get(done).topic, gone.get(done).key, outcome -> {
            if (!(outcome instanceof Stored)) {
                restore(name, gone.subList(done, gone.size()));
                then.accept(Outcomes.text(outcome));
            } else {
                try {
                    blocking.execute(() -> forgetNext(name, gone, done + 1, then));
                } catch (RejectedExecutionException e) {
                    restore(name, gone.subList(done + 1, gone.size()));
                    then.accept("[OVERLOAD] too many reads of old messages are waiting, try again");
                }
            }
        });
    }

    /** They are quarantined still. */
    private void restore(String name, List<QuarantinedKey> keys) {
        QuarantinedGroup group = group(name);
        synchronized (group) {
            keys.forEach(group::add);
        }
    }

    private void forgetMessages(String name, Consumer<String> then) {
        String topic = Names.quarantineTopic(name);
        String why = "the deletion of its group";
        if (topics.find(topic) == null) {
            // A crash may have come behind the deletion of the topic, and before what follows it.
            boolean[] isKnown = new boolean[1];
            settlementStore.visit(topic, 0, 0, settlement -> {
                isKnown[0] = true;
                return false;
            });
            if (isKnown[0]) {
                forgetSettlements(topic, why, then);
            } else {
                then.accept(null);
            }
            return;
        }
        topics.delete(topic, why, change -> {
            if (change.isRefused() && topics.find(topic) != null) {
                then.accept(change.text());
                return;
            }
            forgetSettlements(topic, why, then);
        });
    }

    private void forgetSettlements(String topic, String why, Consumer<String> then) {
        settlementStore.forget(
                Settlement.SetAsideKind.QUARANTINE,
                topic,
                0,
                why,
                outcome -> then.accept(outcome instanceof Stored ? null : Outcomes.text(outcome)));
    }
}
