/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.offset.OffsetListener;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.platform.Duty;
import io.waybill.protocol.Names;
import io.waybill.store.OffsetStore;
import io.waybill.store.PopStore;
import io.waybill.store.StoreClock;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All queues that groups pop.
 *
 * <p>What always holds: before anybody uses a state of a run before, or asks for the offset of its group there, it is
 * settled, once: the base becomes the group's committed offset, which may have been recorded later than the base; and
 * the names of leases go on behind those of its leases. States are settled when they are used, and all others step by
 * step by a duty after the start (ADR 0032): so the start reads none of them. Thread-safe.
 */
final class PopQueues implements OffsetListener {
    private static final Logger log = LoggerFactory.getLogger(PopQueues.class);
    /** Groups that are warned about in this run. */
    private static final int MOST_WARNED = 1_000;
    /** States settled in one step of the duty. */
    static final int SETTLED_IN_A_STEP = 256;

    private static final long REBUILD_WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final PopStore pops;
    private final OffsetStore recordedOffsets;
    private final Offsets offsets;
    private final PopClock clock;
    private final Map<PopKey, PopQueue> table = new ConcurrentHashMap<>();
    private final AtomicInteger inFlight = new AtomicInteger();
    /** Groups with members that pull and members that pop at once; warned about already. */
    private final Set<String> mixed = ConcurrentHashMap.newKeySet();

    /**
     * Those that have or may have a state in the log, all of them settled. A map, so that one thread settles a state
     * and others wait for it.
     */
    private final Map<PopKey, Boolean> known = new ConcurrentHashMap<>();

    /** Whether no state is left to be settled. */
    private volatile boolean isSettled;
    /** The last state of the newest step. Guarded by this. */
    private PopKey lastSettled;

    PopQueues(OffsetStore recordedOffsets, PopStore pops, StoreClock storeClock, Offsets offsets, PopClock clock) {
        this.pops = pops;
        this.recordedOffsets = recordedOffsets;
        this.offsets = offsets;
        this.clock = clock;
        if (storeClock.aheadMillis() > 0) {
            clock.named(storeClock.nowMillis()); // as the wall clock of a run before, which may have been ahead
        }
        for (ConsumerOffset reset : offsets.pendingResets()) {
            takeIfStale(reset);
        }
    }

    /**
     * A reset of a run before may be pending although the group has popped since, when the log has its step before the
     * offset.
     */
    private void takeIfStale(ConsumerOffset reset) {
        PopState state = pops.popState(new PopKey(reset.group(), reset.topic(), reset.queueId()));
        if (state != null && state.base() != reset.offset()) {
            offsets.takeReset(reset.group(), reset.topic(), reset.queueId());
            offsets.commit(reset.group(), reset.topic(), reset.queueId(), state.base());
        }
    }

    // ---- states of a run before

    /**
     * Settles a state, if there is one that is not settled; whoever comes meanwhile waits for it. May read the disk.
     * True if there is one.
     */
    private boolean settle(PopKey key) {
        return known.computeIfAbsent(key, same -> settleNow(same) ? Boolean.TRUE : null) != null;
    }

    private boolean settleNow(PopKey key) {
        PopState state = pops.popState(key);
        if (state == null) {
            return false;
        }
        state.inFlight().values().forEach(leased -> clock.leasedBefore(leased.popTimeMillis()));
        if (recordedOffsets.committedOffset(key.group(), key.topic(), key.queueId()) != state.base()) {
            offsets.restore(key.group(), key.topic(), key.queueId(), state.base());
        }
        return true;
    }

    /** Settles the states that a pop may go on with, before the time that names its lease is taken. May read the disk. */
    void settle(Pop pop) {
        if (isSettled) {
            return;
        }
        int one = pop.parameters().queueId();
        int end = one >= 0 ? one + 1 : pop.terms().queueCount();
        for (int queueId = Math.max(0, one); queueId < end; queueId++) {
            settle(new PopKey(pop.group(), pop.topic(), queueId));
        }
    }

    @Override
    public void reading(String group, String topic, int queueId) {
        if (!isSettled) {
            settle(new PopKey(group, topic, queueId));
        }
    }

    @Override
    public void readingAll() {
        while (!isSettled) {
            settleStep();
        }
    }

    private synchronized void settleStep() {
        if (!isSettled) {
            List<PopKey> next = pops.popKeysAfter(lastSettled, SETTLED_IN_A_STEP);
            next.forEach(this::settle);
            isSettled = next.isEmpty();
            lastSettled = isSettled ? null : next.get(next.size() - 1);
        }
    }

    /** Settles the next states; for the duty. Returns in how many nanoseconds to go on. */
    long settleSome() {
        if (isSettled) {
            return Duty.WHEN_WOKEN;
        }
        try {
            settleStep();
        } catch (RuntimeException e) {
            if (!Outcomes.isRebuilding(e)) {
                throw e;
            }
            return REBUILD_WAIT_NANOS; // the states are being rebuilt from the log
        }
        return isSettled ? Duty.WHEN_WOKEN : 0;
    }

    // ---- queues

    /** 0 for a plain topic, 1 for a retry topic: the client derives the same from the name. */
    static String topicMark(String topic) {
        return Names.isRetry(topic) ? "1" : "0";
    }

    /** The queue for somebody who leases from it. */
    PopQueue of(String group, String topic, int queueId) {
        PopKey key = new PopKey(group, topic, queueId);
        if (!isSettled) {
            settle(key);
        }
        known.putIfAbsent(key, Boolean.TRUE);
        while (true) {
            PopQueue queue = table.computeIfAbsent(
                    key, same -> new PopQueue(key, recordedOffsets, pops, offsets, clock, inFlight));
            if (queue.touch()) {
                return queue;
            }
            Thread.onSpinWait(); // it is being taken out of the table
        }
    }

    /** The queue if the group pops it, else null. */
    PopQueue find(String group, String topic, int queueId) {
        if (isSettled && known.isEmpty()) {
            return null;
        }
        PopKey key = new PopKey(group, topic, queueId);
        return known.containsKey(key) || !isSettled && settle(key) ? of(group, topic, queueId) : null;
    }

    /** Whether an offset of a queue the group does not pop lies before what it committed. */
    boolean isFinished(String group, String topic, int queueId, long offset) {
        return offset < offsets.query(group, topic, queueId);
    }

    @Override
    public void set(String group, String topic, int queueId, long offset, boolean isReset) {
        PopQueue queue = find(group, topic, queueId);
        if (queue == null) {
            return;
        }
        if (offset < 0) {
            queue.drop();
        } else if (queue.outside(offset, isReset) && !isReset && mixed.size() < MOST_WARNED && mixed.add(group)) {
            log.warn(
                    "Group {} commits an offset of topic {} queue {} by pull while it holds messages of it by pop: those are delivered again. Let all its members consume in one way (logged once for each group)",
                    group,
                    topic,
                    queueId);
        }
    }

    /**
     * Ends the states of what no longer exists, and evicts what is not used. Only what is not used leaves the table: a
     * topic may come again while this ends what was left of the one before, and two for one queue could lease a message
     * to two clients.
     */
    void sweep(Predicate<PopKey> exists) {
        for (PopKey key : known.keySet()) {
            if (!exists.test(key)) {
                PopQueue gone = of(key.group(), key.topic(), key.queueId());
                known.remove(key); // before its end: who begins anew behind it notes the key again
                gone.drop();
            }
        }
        table.values().removeIf(PopQueue::tryEvict);
    }

    /** How many queues are in memory. */
    int size() {
        return table.size();
    }
}
