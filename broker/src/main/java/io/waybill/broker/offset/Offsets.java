/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.view.ProgressEntry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How far each group has consumed each queue.
 *
 * <p>A commit is in memory at once and in the log within {@code offsetFlushMillis}: a crash takes a group back by that
 * much at most and never forward. A reset is recorded at once and wins: until a pull of the group has been told
 * ({@link #takeReset}), commits for that queue are ignored, since they come from before. Safe from any thread.
 */
public final class Offsets implements Duty {
    private static final Logger log = LoggerFactory.getLogger(Offsets.class);
    /** Entries in one progress record; keeps a record well below the size of a frame. */
    private static final int RECORD_ENTRIES = 2_000;

    private record Key(String group, String topic, int queueId) {}

    /** Told that a group's offset in a queue was reset, so that a waiting pull can be answered. */
    @FunctionalInterface
    public interface ResetListener {
        void reset(String group, String topic, int queueId);
    }

    /** Told that a client committed an offset that differs from the one before, which is negative when there was none. */
    @FunctionalInterface
    public interface CommitListener {
        void committed(String group, String topic, int queueId, long before, long offset, Connection connection);
    }

    /** Told that an offset was set by other means than popping: by a client that pulls, or by a reset. */
    @FunctionalInterface
    public interface OutsideListener {
        void changed(String group, String topic, int queueId, long offset, boolean isReset);
    }

    private final Store store;
    private final long flushNanos;
    private final Map<Key, Long> table = new ConcurrentHashMap<>();
    private final Set<Key> dirty = ConcurrentHashMap.newKeySet();
    private final Map<Key, Long> resets = new ConcurrentHashMap<>();
    private final Predicate<String> isOnline;
    private volatile ResetListener resetListener = (group, topic, queueId) -> {};
    private volatile OutsideListener outsideListener = (group, topic, queueId, offset, isReset) -> {};
    private volatile CommitListener commitListener = (group, topic, queueId, before, offset, connection) -> {};

    /**
     * @param isOnline whether a group has consumers connected
     */
    public Offsets(Store store, BrokerSettings settings, Predicate<String> isOnline) {
        this.store = store;
        this.isOnline = isOnline;
        this.flushNanos = TimeUnit.MILLISECONDS.toNanos(settings.offsetFlushMillis());
    }

    /** Sets who is told about resets; once, before the first request. */
    public void onReset(ResetListener listener) {
        this.resetListener = listener;
    }

    /** Sets who is told what did not come from pops; once, before the first request. Told when the new offset can be queried. */
    public void onOutside(OutsideListener listener) {
        this.outsideListener = listener;
    }

    /** Sets who is told about commits of clients; once, before the first request. */
    public void onCommit(CommitListener listener) {
        this.commitListener = listener;
    }

    /** The same as {@link #commit(String, String, int, long)}, and the listener learns which client it was. */
    public boolean commit(String group, String topic, int queueId, long offset, Connection connection) {
        long before = query(group, topic, queueId);
        boolean taken = commit(group, topic, queueId, offset);
        if (taken && before != offset) {
            outsideListener.changed(group, topic, queueId, offset, false);
            commitListener.committed(group, topic, queueId, before, offset, connection);
        }
        return taken;
    }

    /** Notes that the group consumed the queue up to {@code offset}, exclusive; false when a reset is pending and wins. */
    public boolean commit(String group, String topic, int queueId, long offset) {
        Key key = new Key(group, topic, queueId);
        CommitState state = new CommitState();
        // Inside compute, because a reset of the same key must win whenever it comes.
        table.compute(key, (same, before) -> {
            state.taken = !resets.containsKey(key);
            state.changed = state.taken && (before == null || before != offset);
            return state.taken ? Long.valueOf(offset) : before;
        });
        if (state.changed) {
            // After the value: whoever takes the mark away must find the new value.
            dirty.add(key);
        }
        return state.taken;
    }

    private static final class CommitState {
        boolean taken;
        boolean changed;
    }

    /** The committed offset, or -1 when there is none. */
    public long query(String group, String topic, int queueId) {
        Long offset = table.get(new Key(group, topic, queueId));
        return offset != null ? offset : store.progress(group, topic, queueId);
    }

    /**
     * Whether a queue still has its very first message and that was stored lately: then a new group starts there, whatever its policy, so that it
     * misses nothing. May block on the disk.
     */
    public boolean isYoung(String topic, int queueId) {
        QueueRange range = store.range(topic, queueId);
        return range.minOffset() == 0
                && range.maxOffset() > 0
                && store.logBytesSince(topic, queueId, 0) <= OffsetRequests.YOUNG_BYTES;
    }

    /** The groups that have committed something for the topic. */
    public Set<String> groupsOf(String topic) {
        Set<String> groups = new TreeSet<>(store.groupsWithProgress(topic));
        for (Key key : table.keySet()) {
            if (key.topic().equals(topic)) {
                groups.add(key.group());
            }
        }
        return groups;
    }

    /** Topic, queue and offset of everything the group has committed. */
    public List<ProgressEntry> of(String group) {
        Map<Key, Long> all = new HashMap<>();
        for (ProgressEntry entry : store.progressOf(group)) {
            all.put(new Key(entry.group(), entry.topic(), entry.queueId()), entry.offset());
        }
        table.forEach((key, offset) -> {
            if (key.group().equals(group)) {
                all.put(key, offset);
            }
        });
        List<ProgressEntry> entries = new ArrayList<>(all.size());
        all.forEach((key, offset) -> entries.add(entry(key, offset)));
        return entries;
    }

    /**
     * Sets the offset from outside: recorded at once. A group that is online is told by answering its held or next pull of
     * the queue with "offset moved"; one that is offline has nothing to drop and starts there. {@code then} is called
     * exactly once.
     */
    public void reset(String group, String topic, int queueId, long offset, Consumer<Outcome> then) {
        Key key = new Key(group, topic, queueId);
        if (isOnline.test(group)) {
            resets.put(key, offset);
        }
        table.put(key, offset);
        // First: what pops keep of this queue must not outlive the reset in the log.
        outsideListener.changed(group, topic, queueId, offset, true);
        store.commitProgress(List.of(entry(key, offset)), then::accept);
        // Once more with the next record: one on its way may still carry the offset from before.
        dirty.add(key);
        resetListener.reset(group, topic, queueId);
    }

    /** The pending reset of a queue, taken: the next call says -1. */
    public long takeReset(String group, String topic, int queueId) {
        if (resets.isEmpty()) {
            return -1;
        }
        Long offset = resets.remove(new Key(group, topic, queueId));
        return offset == null ? -1 : offset;
    }

    @Override
    public String roleName() {
        return "broker-offsets";
    }

    /** Records what changed since the last run. */
    @Override
    public long run() {
        flush();
        return flushNanos;
    }

    /** Hands everything that changed to the store; its close waits for what it was handed. */
    @Override
    public void close() {
        flush();
    }

    private void flush() {
        if (dirty.isEmpty()) {
            return;
        }
        List<Key> keys = new ArrayList<>(RECORD_ENTRIES);
        for (Key key : new HashSet<>(dirty)) {
            keys.add(key);
            if (keys.size() == RECORD_ENTRIES) {
                record(keys);
                keys = new ArrayList<>(RECORD_ENTRIES);
            }
        }
        if (!keys.isEmpty()) {
            record(keys);
        }
    }

    private void record(List<Key> keys) {
        List<ProgressEntry> entries = new ArrayList<>(keys.size());
        for (Key key : keys) {
            // Removed before the value is read: a commit in between marks it again.
            dirty.remove(key);
            entries.add(entry(key, table.get(key)));
        }
        store.commitProgress(entries, outcome -> {
            if (outcome instanceof Failed failed) {
                // Kept for the next run: a full disk may pass, and a frozen store refuses without cost.
                dirty.addAll(keys);
                log.warn("Consumer offsets of {} queues are only in memory: {}", keys.size(), failed.text());
            }
        });
    }

    private static ProgressEntry entry(Key key, long offset) {
        return new ProgressEntry(key.group(), key.topic(), key.queueId(), offset);
    }
}
