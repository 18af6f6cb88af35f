/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;
import io.waybill.store.OffsetStore;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PendingReset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How far each group has consumed each queue (ADR 0004).
 *
 * <p>A commit is in memory at once and in the log within {@code offsetFlushMillis}: a crash takes a group back by that
 * much at most and never forward. A reset is recorded at once and wins: until a pull of the group has been told
 * ({@link #takeReset}), commits for that queue are ignored, since they come from before; a crash does not change that.
 * Safe from any thread.
 *
 * <p>In memory is what the log does not have yet, and what was committed lately: at most {@value #MOST_CACHED} of it. So many offsets as a peer may
 * invent are never kept: a queue that no group has committed for is refused when {@value #MOST_OFFSETS} are.
 */
public final class Offsets {
    private static final Logger log = LoggerFactory.getLogger(Offsets.class);
    /** Entries in one progress record; keeps a record well below the size of a frame. */
    private static final int RECORD_ENTRIES = 2_000;

    /** Of groups times queues; listing them all takes 60 MB. */
    static final int MOST_OFFSETS = 400_000;
    /** Offsets that the log has and that are kept in memory all the same. */
    static final int MOST_CACHED = 20_000;

    /** So long after the start a group without members may have some that have not said so yet. */
    private static final long RETURN_MILLIS = 40_000;

    private static final long NONE = -1;

    /** Held while values are read and handed to the store, so that the log has them in that order. Completions do not take it. */
    private final Object recording = new Object();

    private record Key(String group, String topic, int queueId) {}

    private final QueueStore queueStore;
    private final OffsetStore offsetStore;
    private final StoreClock storeClock;
    private final long flushNanos;
    private final long startMillis;
    /** {@link #NONE} = removed, and the log may not know it yet. */
    private final Map<Key, Long> table = new ConcurrentHashMap<>();

    private final Set<Key> dirty = ConcurrentHashMap.newKeySet();
    /** How many offsets there are, in memory or in the log only. */
    private final AtomicInteger count = new AtomicInteger();

    private final int mostOffsets;
    private final int mostCached;
    private final Map<Key, Long> resets = new ConcurrentHashMap<>();
    /** Resets that are over, and the log does not know it yet. */
    private final Set<Key> over = ConcurrentHashMap.newKeySet();

    private final StartOffsets starts;
    private final Predicate<String> isOnline;
    private final CommitFence fence;
    private final List<OffsetListener> listeners = new CopyOnWriteArrayList<>();
    private final BroadcastResets broadcastResets;

    /**
     * @param isOnline whether a group has consumers connected
     * @param fence may keep a commit of a client from counting
     */
    public Offsets(
            QueueStore queueStore,
            OffsetStore offsetStore,
            StoreClock storeClock,
            BrokerSettings settings,
            Predicate<String> isOnline,
            CommitFence fence) {
        this(queueStore, offsetStore, storeClock, settings, isOnline, fence, MOST_OFFSETS, MOST_CACHED);
    }

    Offsets(
            QueueStore queueStore,
            OffsetStore offsetStore,
            StoreClock storeClock,
            BrokerSettings settings,
            Predicate<String> isOnline,
            CommitFence fence,
            int mostOffsets,
            int mostCached) {
        this.fence = fence;
        this.mostOffsets = mostOffsets;
        this.mostCached = mostCached;
        this.queueStore = queueStore;
        this.offsetStore = offsetStore;
        this.storeClock = storeClock;
        this.starts = new StartOffsets(queueStore, storeClock);
        this.isOnline = isOnline;
        this.broadcastResets = new BroadcastResets(storeClock, this::notifyReset);
        this.flushNanos = TimeUnit.MILLISECONDS.toNanos(settings.groups().offsetFlushMillis());
        this.startMillis = storeClock.nowMillis();
        this.count.set(offsetStore.offsetCount());
        for (PendingReset reset : offsetStore.pendingResets()) {
            Key key = new Key(reset.group(), reset.topic(), reset.queueId());
            resets.put(key, reset.offset());
            // A commit from before may stand behind the reset in the log.
            table.put(key, reset.offset());
        }
    }

    /** The resets of groups whose members keep their offsets themselves. */
    public BroadcastResets broadcastResets() {
        return broadcastResets;
    }

    private void notifyReset(String group, String topic, int queueId) {
        listeners.forEach(listener -> listener.reset(group, topic, queueId));
    }

    /** Notifies somebody of what changes from now on. */
    public void addListener(OffsetListener listener) {
        listeners.add(listener);
    }

    /**
     * What became of a commit of a client.
     *
     * @param isTaken whether it is the group's offset now
     * @param why the sentence why it is not, or is another than the one sent; null for the usual
     * @param isFenced whether it did not count because the client lost the queue
     */
    public record Committed(boolean isTaken, String why, boolean isFenced) {
        static final Committed USUAL = new Committed(true, null, false);
    }

    /**
     * A commit of a client. One beyond the end of the queue is one at its end: a client comes with such an offset after the queue was emptied,
     * and its pulls are told the end as well. One of a client that lost the queue does not count.
     *
     * @param isAsked whether the client waits for the answer
     */
    public Committed commit(
            String group, String topic, int queueId, long wanted, Connection connection, boolean isAsked) {
        long before = query(group, topic, queueId);
        String refusal = fence.refusal(group, topic, queueId, before, wanted, connection, isAsked);
        if (refusal != null) {
            return new Committed(false, refusal, true);
        }
        if (before < 0 && count.get() >= mostOffsets) {
            return new Committed(
                    false,
                    "ignored: " + mostOffsets
                            + " offsets of groups are kept, the limit; delete groups that nobody uses",
                    false);
        }
        long end = queueStore.offsetRange(topic, queueId).maxOffset();
        long offset = Math.min(wanted, end);
        if (!commit(group, topic, queueId, offset)) {
            return new Committed(false, "ignored: the offset was reset meanwhile", false);
        }
        if (before != offset) {
            for (OffsetListener listener : listeners) {
                listener.set(group, topic, queueId, offset, false);
                listener.committed(group, topic, queueId, before, offset, connection);
            }
        }
        return wanted == offset ? Committed.USUAL : beyond(group, topic, queueId, wanted, end, before != offset);
    }

    private static Committed beyond(String group, String topic, int queueId, long wanted, long end, boolean isFirst) {
        String text = "offset " + wanted + " is beyond the end of the queue and is taken as its end, " + end;
        if (isFirst) { // clients say it again and again
            log.info("A commit of group {} for queue {} of topic {}: {}", group, queueId, topic, text);
        }
        return new Committed(true, text, false);
    }

    /** Notes that the group consumed the queue up to {@code offset}, exclusive; false when a reset is pending and wins. */
    public boolean commit(String group, String topic, int queueId, long offset) {
        Key key = new Key(group, topic, queueId);
        CommitState state = new CommitState();
        // Inside compute, because a reset of the same key must win whenever it comes.
        table.compute(key, (same, before) -> {
            state.taken = !resets.containsKey(key);
            state.isNew = before == null || before == NONE;
            state.changed = state.taken && (before == null || before != offset);
            if (state.changed) {
                dirty.add(key); // or it could be taken out of memory as what the log has already
            }
            return state.taken ? Long.valueOf(offset) : before;
        });
        if (state.changed) {
            // And after the value: whoever takes the mark away must find the new value.
            dirty.add(key);
            if (state.isNew && offsetStore.committedOffset(group, topic, queueId) < 0) {
                count.incrementAndGet();
            }
        }
        return state.taken;
    }

    private static final class CommitState {
        boolean taken;
        boolean changed;
        boolean isNew;
    }

    /** How many offsets are in memory. */
    int inMemory() {
        return table.size();
    }

    /** The committed offset, or -1 when there is none. */
    public long query(String group, String topic, int queueId) {
        Key key = new Key(group, topic, queueId);
        Long offset = table.get(key);
        if (offset == null) {
            listeners.forEach(listener -> listener.reading(group, topic, queueId));
            offset = table.get(key);
        }
        return offset != null ? offset : offsetStore.committedOffset(group, topic, queueId);
    }

    /** Sets the offset of a group as a run before left it, which the log has not; nothing if it was set in this run. */
    public void restore(String group, String topic, int queueId, long offset) {
        Key key = new Key(group, topic, queueId);
        dirty.add(key); // before and after the value, as in commit
        if (table.putIfAbsent(key, offset) == null) {
            dirty.add(key);
            if (offsetStore.committedOffset(group, topic, queueId) < 0) {
                count.incrementAndGet();
            }
        }
    }

    /** Where groups are to go on that were not notified yet. */
    public List<ConsumerOffset> pendingResets() {
        return entries(resets);
    }

    /** Where groups begin that have none. */
    public StartOffsets starts() {
        return starts;
    }

    /** The groups that have committed something for the topic. */
    public Set<String> groupsOf(String topic) {
        Set<String> groups = new TreeSet<>();
        for (ConsumerOffset entry : all()) {
            if (entry.topic().equals(topic)) {
                groups.add(entry.group());
            }
        }
        return groups;
    }

    /** What every group has committed. */
    public List<ConsumerOffset> all() {
        listeners.forEach(OffsetListener::readingAll);
        Map<Key, Long> all = new HashMap<>();
        for (ConsumerOffset entry : offsetStore.allOffsets()) {
            all.put(new Key(entry.group(), entry.topic(), entry.queueId()), entry.offset());
        }
        all.putAll(table);
        return entries(all);
    }

    private static List<ConsumerOffset> entries(Map<Key, Long> offsets) {
        List<ConsumerOffset> entries = new ArrayList<>(offsets.size());
        offsets.forEach((key, offset) -> {
            if (offset != NONE) {
                entries.add(entry(key, offset));
            }
        });
        return entries;
    }

    /** Topic, queue and offset of everything the group has committed. */
    public List<ConsumerOffset> of(String group) {
        listeners.forEach(OffsetListener::readingAll);
        Map<Key, Long> all = new HashMap<>();
        for (ConsumerOffset entry : offsetStore.offsetsOf(group)) {
            all.put(new Key(entry.group(), entry.topic(), entry.queueId()), entry.offset());
        }
        table.forEach((key, offset) -> {
            if (key.group().equals(group)) {
                all.put(key, offset);
            }
        });
        return entries(all);
    }

    /**
     * Sets the offset from outside: recorded at once. A group that is online is told by answering its held or next pull of
     * the queue with "offset moved"; one that is offline has nothing to drop and starts there. {@code then} is called
     * exactly once.
     */
    public void reset(String group, String topic, int queueId, long offset, Consumer<Outcome> then) {
        Key key = new Key(group, topic, queueId);
        boolean tell = isOnline.test(group) || storeClock.nowMillis() - startMillis < RETURN_MILLIS;
        List<PendingReset> marks = new ArrayList<>();
        synchronized (recording) {
            if (tell) {
                resets.put(key, offset);
                marks.add(mark(key, offset));
            } else {
                boolean wasReset = resets.remove(key) != null;
                if (over.remove(key) || wasReset) {
                    marks.add(mark(key, NONE)); // the mark of an earlier reset must not outlive this one
                }
            }
            table.put(key, offset);
            // First: what pops keep of this queue must not outlive the reset in the log.
            listeners.forEach(listener -> listener.set(group, topic, queueId, offset, true));
            offsetStore.commitOffsetsAndResets(List.of(entry(key, offset)), marks, outcome -> {
                if (outcome instanceof Failed) {
                    dirty.add(key);
                }
                then.accept(outcome);
            });
        }
        notifyReset(group, topic, queueId);
    }

    /** Forgets all a group has committed. {@code then} is called exactly once. */
    public void forget(String group, Consumer<Outcome> then) {
        forget(of(group), then);
    }

    /** Forgets these, whatever their offsets are, and resets nobody was told of. {@code then} is called exactly once. */
    public void forget(List<ConsumerOffset> known, Consumer<Outcome> then) {
        AtomicInteger open = new AtomicInteger(1 + known.size() / RECORD_ENTRIES);
        AtomicReference<Outcome> worst = new AtomicReference<>();
        for (int from = 0; from <= known.size(); from += RECORD_ENTRIES) {
            List<ConsumerOffset> some = known.subList(from, Math.min(known.size(), from + RECORD_ENTRIES));
            forgetSome(some, outcome -> {
                worst.accumulateAndGet(outcome, (before, now) -> before instanceof Failed ? before : now);
                if (open.decrementAndGet() == 0) {
                    then.accept(worst.get());
                }
            });
        }
    }

    private void forgetSome(List<ConsumerOffset> known, Consumer<Outcome> then) {
        List<ConsumerOffset> gone = new ArrayList<>();
        List<PendingReset> marks = new ArrayList<>();
        synchronized (recording) {
            for (ConsumerOffset entry : known) {
                Key key = new Key(entry.group(), entry.topic(), entry.queueId());
                boolean wasReset = resets.remove(key) != null;
                if (over.remove(key) || wasReset) {
                    marks.add(mark(key, NONE));
                }
                table.put(key, NONE);
                count.decrementAndGet();
                dirty.add(key);
                gone.add(entry(key, NONE));
                listeners.forEach(listener -> listener.set(key.group(), key.topic(), key.queueId(), NONE, true));
            }
            offsetStore.commitOffsetsAndResets(gone, marks, then::accept);
        }
    }

    /** The pending reset of a queue, taken: the next call says -1. */
    public long takeReset(String group, String topic, int queueId) {
        if (resets.isEmpty()) {
            return -1;
        }
        Key key = new Key(group, topic, queueId);
        Long offset = resets.remove(key);
        if (offset == null) {
            return -1;
        }
        over.add(key);
        return offset;
    }

    /** Records from time to time what changed. */
    Duty recording() {
        return new Duty() {
            @Override
            public String roleName() {
                return "broker-offsets";
            }

            @Override
            public long run() {
                recordChanges();
                return flushNanos;
            }
        };
    }

    void recordChanges() {
        broadcastResets.expire();
        flush();
    }

    /** Hands everything that changed to the store; its close waits for what it was handed. */
    void close() {
        flush();
    }

    private void flush() {
        if (dirty.isEmpty() && over.isEmpty()) {
            return;
        }
        Set<Key> changed = new HashSet<>(dirty);
        changed.addAll(over);
        List<Key> keys = new ArrayList<>(RECORD_ENTRIES);
        for (Key key : changed) {
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
        List<ConsumerOffset> entries = new ArrayList<>(keys.size());
        List<Key> ended = new ArrayList<>();
        List<PendingReset> marks = new ArrayList<>();
        synchronized (recording) {
            for (Key key : keys) {
                if (over.remove(key) && !resets.containsKey(key)) {
                    ended.add(key);
                    marks.add(mark(key, NONE));
                }
                // Removed before the value is read: a commit in between marks it again.
                dirty.remove(key);
                Long offset = table.get(key);
                if (offset != null) {
                    entries.add(entry(key, offset));
                }
            }
            if (!entries.isEmpty() || !marks.isEmpty()) {
                offsetStore.commitOffsetsAndResets(entries, marks, outcome -> recorded(outcome, keys, ended, entries));
            }
        }
    }

    private void recorded(Outcome outcome, List<Key> keys, List<Key> ended, List<ConsumerOffset> entries) {
        if (outcome instanceof Failed failed) {
            // Kept for the next run: a full disk may pass, and a frozen store refuses without cost.
            dirty.addAll(keys);
            over.addAll(ended);
            log.warn("Consumer offsets of {} queues are only in memory: {}", keys.size(), failed.text());
        } else {
            keys.forEach(key -> table.remove(key, NONE));
            forgetRecorded(entries);
        }
    }

    /** What the log has need not be in memory as well, except for what is asked again soon. */
    private void forgetRecorded(List<ConsumerOffset> entries) {
        for (ConsumerOffset entry : entries) {
            if (table.size() <= mostCached) {
                return;
            }
            Key key = new Key(entry.group(), entry.topic(), entry.queueId());
            table.computeIfPresent(key, (same, offset) -> {
                boolean isRecorded = offset == entry.offset() && !dirty.contains(key) && !resets.containsKey(key);
                return isRecorded ? null : offset;
            });
        }
    }

    private static ConsumerOffset entry(Key key, long offset) {
        return new ConsumerOffset(key.group(), key.topic(), key.queueId(), offset);
    }

    private static PendingReset mark(Key key, long offset) {
        return new PendingReset(key.group(), key.topic(), key.queueId(), offset, "");
    }
}
