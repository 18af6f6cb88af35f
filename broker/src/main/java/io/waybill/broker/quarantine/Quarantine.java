/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.setaside.SetAsideQueue;
import io.waybill.broker.topic.Topics;
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
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
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

    private static final String CATALOG_PREFIX = "quarantine/";

    private final QueueStore queueStore;
    private final CatalogStore catalogStore;
    private final SettlementStore settlementStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final Rules rules;
    private final Executor blocking;
    private final Map<String, QuarantinedGroup> groups = new ConcurrentHashMap<>();

    /**
     * Reads the catalog and the quarantined messages.
     *
     * @param rules told when what a group may get has changed
     * @param blocking for what may wait for the disk
     */
    public Quarantine(
            QueueStore queueStore,
            CatalogStore catalogStore,
            SettlementStore settlementStore,
            StoreClock storeClock,
            Topics topics,
            Rules rules,
            Executor blocking) {
        this.queueStore = queueStore;
        this.catalogStore = catalogStore;
        this.settlementStore = settlementStore;
        this.storeClock = storeClock;
        this.topics = topics;
        this.rules = rules;
        this.blocking = blocking;
        catalogStore.catalogValues(CatalogKind.SETTING).forEach((name, value) -> {
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
        SetAsideQueue.ofQuarantine(queueStore, settlementStore, name).readOpen(message -> {
            long quarantinedAt = StoredMessage.queueOffset(message, 0);
            String key = QuarantinedMessage.keyOf(message, 0);
            String topic = QuarantinedMessage.topicOf(message, 0, Names.quarantineTopic(name));
            Origin origin = QuarantinedMessage.originOf(message, 0);
            boolean isComplete = key != null && topic != null && origin != null;
            if (isComplete && !group.setAside(topic, key, origin, quarantinedAt, false, storeClock.nowMillis())) {
                twice.add(quarantinedAt);
            }
            return true;
        });
        settleDuplicates(name, twice);
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
        keep(group, quarantined, outcome -> {
            if (!(outcome instanceof Stored) && isNew) {
                synchronized (group) {
                    group.remove(added);
                }
            }
            then.done(outcome instanceof Stored, outcome instanceof Stored ? null : Outcomes.text(outcome));
        });
    }

    /** Writes a key as it is now into the catalog. */
    void keep(QuarantinedGroup group, QuarantinedKey key, Consumer<Outcome> then) {
        byte[] json;
        synchronized (group) {
            json = key.toJson();
        }
        catalogStore.putCatalog(CatalogKind.SETTING, catalogName(group.name, key), json, then::accept);
    }

    /** Takes a key out of the catalog, which has left the quarantine. */
    void drop(QuarantinedGroup group, QuarantinedKey key) {
        log.info("Key {} of topic {} is out of quarantine for group {}", key.key, key.topic, group.name);
        catalogStore.putCatalog(CatalogKind.SETTING, catalogName(group.name, key), null, outcome -> {
            if (!(outcome instanceof Stored)) {
                log.warn("That key {} left its quarantine is only in memory: {}", key.key, Outcomes.text(outcome));
            }
        });
    }

    private static String catalogName(String group, QuarantinedKey key) {
        return CATALOG_PREFIX + group + "/" + key.topic + "/" + key.key;
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
        catalogStore.putCatalog(CatalogKind.SETTING, catalogName(name, gone.get(done)), null, outcome -> {
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
        String why = "the deletion of its group";
        topics.delete(topic, why, change -> {
            if (change.isRefused() && topics.find(topic) != null) {
                then.accept(change.text());
                return;
            }
            settlementStore.forget(
                    Settlement.SetAsideKind.QUARANTINE,
                    topic,
                    0,
                    why,
                    outcome -> then.accept(outcome instanceof Stored ? null : Outcomes.text(outcome)));
        });
    }
}
