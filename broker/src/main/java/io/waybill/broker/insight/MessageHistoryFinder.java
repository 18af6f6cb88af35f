/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Finds messages by what a person has at hand, with everything that was made of them. A message is told from another by topic and unique key;
 * copies for retries, dead letters and re-drives keep both. Bounded; may read the disk.
 */
final class MessageHistoryFinder {
    /** Messages in one answer. */
    static final int MOST_LIVES = 20;

    /** Copies of one message in one topic. */
    private static final int MOST_COPIES = 64;

    private static final int MOST_HALVES = 100_000;
    private static final int MOST_TOPICS = 50_000;

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final TimerStore timerStore;
    private final Topics topics;
    private final Function<String, Long> rolledBack;

    /** @param rolledBack handle of a transaction rolled back lately, by unique key; null when it is not known */
    MessageHistoryFinder(
            MessageStore messageStore,
            TransactionStore transactionStore,
            TimerStore timerStore,
            Topics topics,
            Function<String, Long> rolledBack) {
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.timerStore = timerStore;
        this.topics = topics;
        this.rolledBack = rolledBack;
    }

    private record MessageKey(String topic, String uniqueKey) {}

    /**
     * By offset message id or unique key.
     *
     * @param topic where to look for a unique key; null looks everywhere
     * @param group whose copies to look for; null for all groups
     */
    List<MessageHistory> byId(String id, String topic, String group) {
        if (MessageIds.isOffsetId(id)) {
            MessageHistory history = byPosition(MessageIds.decode(id).position(), id, group);
            if (history != null) {
                return List.of(history);
            }
        }
        List<MessageHistory> histories = new ArrayList<>();
        Map<String, StoredCopy> halves = halves(copy -> id.equals(copy.uniqueKey()));
        for (String name : topicsToLookIn(topic)) {
            MessageHistory history = history(new MessageKey(name, id), halves.values(), null, group);
            if (!history.isEmpty()) {
                histories.add(history);
            }
            if (histories.size() == MOST_LIVES) {
                break;
            }
        }
        return histories;
    }

    /** By a word of KEYS; newest first. */
    List<MessageHistory> byKey(String key, String topic, String group) {
        List<MessageHistory> histories = new ArrayList<>();
        Map<String, StoredCopy> halves = halves(copy -> copy.hasKey(key));
        for (String name : topicsToLookIn(topic)) {
            Set<MessageKey> names = new LinkedHashSet<>();
            List<StoredCopy> nameless = new ArrayList<>();
            for (ByteBuffer bytes : messageStore.findByKey(name, key, MOST_COPIES, 0, Long.MAX_VALUE)) {
                StoredCopy copy = StoredCopy.visible(bytes);
                if (copy.hasKey(key)) {
                    addName(copy, names, nameless);
                }
            }
            for (long handle : last(timerStore.handlesByKey(name, key))) {
                StoredCopy copy = waiting(handle);
                if (copy != null && copy.hasKey(key)) {
                    addName(copy, names, nameless);
                }
            }
            for (CancelledTimer ended : last(timerStore.cancelledByKey(name, key))) {
                ByteBuffer bytes = messageStore.readUnverified(ended.handle());
                if (bytes != null) {
                    addName(StoredCopy.gone(bytes, ended.handle()), names, nameless);
                }
            }
            for (StoredCopy half : halves.values()) {
                if (half.topic().equals(name)) {
                    addName(half, names, nameless);
                }
            }
            for (MessageKey one : names) {
                if (histories.size() < MOST_LIVES) {
                    histories.add(history(one, halves.values(), null, group));
                }
            }
            for (StoredCopy one : nameless) {
                if (histories.size() < MOST_LIVES) {
                    histories.add(history(new MessageKey(name, null), List.of(), one, group));
                }
            }
        }
        return histories;
    }

    /** The newest of them, as many as are looked at: each costs a read. */
    private static <T> List<T> last(List<T> all) {
        return all.subList(Math.max(0, all.size() - MOST_COPIES), all.size());
    }

    private static void addName(StoredCopy copy, Set<MessageKey> names, List<StoredCopy> nameless) {
        if (copy.uniqueKey() == null) {
            nameless.add(copy);
        } else {
            names.add(new MessageKey(copy.topic(), copy.uniqueKey()));
        }
    }

    /** Topics that producers send to; those of groups are looked into for each message. */
    private Collection<String> topicsToLookIn(String topic) {
        if (topic != null) {
            return List.of(topic);
        }
        List<String> names = new ArrayList<>();
        for (TopicConfig config : topics.all()) {
            if (names.size() < MOST_TOPICS && !isOfGroup(config.topicName()) && !isAside(config.topicName())) {
                names.add(config.topicName());
            }
        }
        return names;
    }

    private static boolean isOfGroup(String topic) {
        return Names.groupOf(topic) != null || topic.startsWith(GroupState.QUARANTINE_PREFIX);
    }

    private static boolean isAside(String topic) {
        return topic.equals(Names.TRANS_CHECK_MAX_TIME_TOPIC);
    }

    // ---- by position

    private MessageHistory byPosition(long position, String id, String group) {
        StoredCopy found = at(position);
        if (found == null || !sameHost(found, id)) {
            return null;
        }
        String topic = found.topic();
        if (isOfGroup(topic) || isAside(topic)) {
            topic = sentTo(found);
        }
        return history(new MessageKey(topic, found.uniqueKey()), List.of(), found, group);
    }

    private StoredCopy at(long position) {
        PendingHalf half = transactionStore.openHalf(position);
        if (half != null) {
            ByteBuffer bytes = messageStore.readPending(position);
            return bytes == null ? null : StoredCopy.half(bytes, half);
        }
        StoredCopy waiting = waiting(position);
        if (waiting != null) {
            return waiting;
        }
        ByteBuffer bytes = messageStore.readAt(position);
        if (bytes != null) {
            return StoredCopy.visible(bytes);
        }
        bytes = messageStore.readUnverified(position);
        return bytes == null ? null : StoredCopy.gone(bytes, position);
    }

    private StoredCopy waiting(long handle) {
        PendingTimer due = timerStore.pendingTimer(handle);
        ByteBuffer bytes = due == null ? null : messageStore.readPending(handle);
        return bytes == null ? null : StoredCopy.waiting(bytes, due);
    }

    /** An id has the form of a unique key as well; only one that names this very message counts. */
    private static boolean sameHost(StoredCopy found, String id) {
        return found.offsetId().equalsIgnoreCase(id);
    }

    private static String sentTo(StoredCopy copy) {
        for (String name : List.of(
                MessageProperties.RETRY_TOPIC, MessageProperties.DLQ_ORIGIN_TOPIC, MessageProperties.REAL_TOPIC)) {
            String topic = copy.property(name);
            if (topic != null && Names.checkTopic(topic) == null && !isOfGroup(topic)) {
                return topic;
            }
        }
        return copy.topic();
    }

    // ---- everything of one message

    private Map<String, StoredCopy> halves(Predicate<StoredCopy> wanted) {
        Map<String, StoredCopy> found = new LinkedHashMap<>();
        for (PendingHalf half : transactionStore.openHalves(MOST_HALVES)) {
            ByteBuffer bytes = messageStore.readPending(half.handle());
            StoredCopy copy = bytes == null ? null : StoredCopy.half(bytes, half);
            if (copy != null && wanted.test(copy) && hasRoom(found, copy)) {
                found.put(copy.offsetId(), copy);
            }
        }
        return found;
    }

    /** A copy keeps its whole message in memory. */
    private static boolean hasRoom(Map<?, StoredCopy> into, StoredCopy next) {
        long bytes = next.bytes().limit();
        for (StoredCopy copy : into.values()) {
            bytes += copy.bytes().limit();
        }
        return into.isEmpty() || into.size() < MOST_COPIES && bytes <= MessageStore.MOST_BYTES_BY_KEY;
    }

    private MessageHistory history(MessageKey name, Collection<StoredCopy> halves, StoredCopy seed, String group) {
        Map<Long, StoredCopy> own = new TreeMap<>();
        Map<Long, StoredCopy> ofGroups = new TreeMap<>();
        Map<Long, DecisionRecord> decided = new TreeMap<>();
        List<CancelledTimer> cancelled = new ArrayList<>();
        if (seed != null) {
            (isOfGroup(seed.topic()) ? ofGroups : own).put(seed.handle(), seed);
        }
        if (name.uniqueKey() != null) {
            collect(name.topic(), name, own);
            collect(Names.TRANS_CHECK_MAX_TIME_TOPIC, name, own);
            for (StoredCopy half : halves) {
                if (half.topic().equals(name.topic()) && name.uniqueKey().equals(half.uniqueKey())) {
                    own.put(half.handle(), half);
                }
            }
            cancelled(name, own, cancelled);
            for (String topic : topicsOfGroups(group)) {
                collect(topic, name, ofGroups);
            }
            Long handle = rolledBack.apply(name.uniqueKey());
            if (handle != null) {
                decision(handle, name, own, decided);
            }
        }
        for (StoredCopy copy : List.copyOf(own.values())) {
            decision(copy.handle(), name, own, decided);
            decision(StoredMessage.preparedTransactionOffset(copy.bytes(), 0), name, own, decided);
        }
        boolean vouched = own.size() > 1 || !ofGroups.isEmpty() || !decided.isEmpty() || !cancelled.isEmpty();
        if (seed != null && seed.isGone() && !vouched) {
            own.clear(); // bytes that look like a message, perhaps the body of another one
        }
        return new MessageHistory(
                name.topic(),
                name.uniqueKey(),
                inLogOrder(own),
                inLogOrder(ofGroups),
                List.copyOf(decided.values()),
                cancelled);
    }

    private static List<StoredCopy> inLogOrder(Map<Long, StoredCopy> copies) {
        return copies.values().stream()
                .sorted(Comparator.comparingLong(StoredCopy::handle))
                .toList();
    }

    private void decision(long handle, MessageKey name, Map<Long, StoredCopy> own, Map<Long, DecisionRecord> decided) {
        DecisionRecord decision = transactionStore.decisionOf(handle);
        boolean isNamed = name.uniqueKey() != null || handle > 0; // 0 is what a message without a transaction says
        if (decision == null || !isNamed || decided.containsKey(handle)) {
            return;
        }
        ByteBuffer bytes = messageStore.readUnverified(handle);
        StoredCopy half = bytes == null ? null : StoredCopy.gone(bytes, handle);
        boolean isOther = half == null
                ? own.isEmpty() // nothing links it to the message
                : !half.topic().equals(name.topic())
                        || name.uniqueKey() != null && !name.uniqueKey().equals(half.uniqueKey());
        if (isOther) {
            return;
        }
        decided.put(handle, decision);
        if (half != null) {
            own.putIfAbsent(handle, half);
        }
    }

    private void collect(String topic, MessageKey name, Map<Long, StoredCopy> into) {
        for (ByteBuffer bytes : messageStore.findByKey(topic, name.uniqueKey(), MOST_COPIES, 0, Long.MAX_VALUE)) {
            add(StoredCopy.visible(bytes), name, into);
        }
        for (long handle : timerStore.handlesByUniqueKey(topic, name.uniqueKey())) {
            StoredCopy copy = waiting(handle);
            if (copy != null) {
                add(copy, name, into);
            }
        }
    }

    private static void add(StoredCopy copy, MessageKey name, Map<Long, StoredCopy> into) {
        boolean fits = name.uniqueKey().equals(copy.uniqueKey())
                && (copy.topic().equals(name.topic()) || sentTo(copy).equals(name.topic()));
        if (fits && hasRoom(into, copy)) {
            into.put(copy.handle(), copy);
        }
    }

    private void cancelled(MessageKey name, Map<Long, StoredCopy> own, List<CancelledTimer> cancelled) {
        for (CancelledTimer ended : last(timerStore.cancelledByKey(name.topic(), name.uniqueKey()))) {
            ByteBuffer bytes = messageStore.readUnverified(ended.handle());
            StoredCopy copy = bytes == null ? null : StoredCopy.gone(bytes, ended.handle());
            if (copy == null || name.uniqueKey().equals(copy.uniqueKey())) {
                cancelled.add(ended);
                if (copy != null) {
                    own.putIfAbsent(ended.handle(), copy);
                }
            }
        }
    }

    private Collection<String> topicsOfGroups(String group) {
        if (group != null) {
            return List.of(Names.retryTopic(group), Names.deadLetterTopic(group), GroupState.QUARANTINE_PREFIX + group);
        }
        List<String> names = new ArrayList<>();
        for (TopicConfig config : topics.all()) {
            if (isOfGroup(config.topicName()) && names.size() < MOST_TOPICS) {
                names.add(config.topicName());
            }
        }
        return names;
    }
}
