/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.offset.Offsets;
import io.waybill.protocol.Names;
import io.waybill.store.Store;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All queues that groups pop. At the start the base of each becomes the group's committed offset, since that may have been recorded later than the
 * base. Thread-safe.
 */
final class PopQueues {
    private static final Logger log = LoggerFactory.getLogger(PopQueues.class);
    /** Groups that are told of in this run. */
    private static final int MOST_TOLD = 1_000;

    private final Store store;
    private final Offsets offsets;
    private final PopClock clock;
    private final Map<PopKey, PopQueue> table = new ConcurrentHashMap<>();
    private final AtomicInteger inFlight = new AtomicInteger();
    /** Groups with members that pull and members that pop at once; told already. */
    private final Set<String> mixed = ConcurrentHashMap.newKeySet();

    /** Those that have or may have a state in the log. */
    private final Set<PopKey> known = ConcurrentHashMap.newKeySet();

    PopQueues(Store store, Offsets offsets, PopClock clock) {
        this.store = store;
        this.offsets = offsets;
        this.clock = clock;
        for (PopKey key : store.popKeys()) {
            PopState state = store.popState(key);
            if (state != null) {
                known.add(key);
                state.inFlight().values().forEach(held -> clock.named(held.popTimeMillis()));
                if (offsets.query(key.group(), key.topic(), key.queueId()) != state.base()
                        && !offsets.commit(key.group(), key.topic(), key.queueId(), state.base())) {
                    // A reset is pending, but the log has its step before the offset: the group has popped since.
                    offsets.takeReset(key.group(), key.topic(), key.queueId());
                    offsets.commit(key.group(), key.topic(), key.queueId(), state.base());
                }
            }
        }
    }

    /** 0 for a plain topic, 1 for a retry topic: the client derives the same from the name. */
    static String topicMark(String topic) {
        return Names.isRetry(topic) ? "1" : "0";
    }

    /** The queue for somebody who takes from it. */
    PopQueue of(String group, String topic, int queueId) {
        PopKey key = new PopKey(group, topic, queueId);
        known.add(key);
        while (true) {
            PopQueue queue = table.computeIfAbsent(key, same -> new PopQueue(key, store, offsets, clock, inFlight));
            if (queue.touch()) {
                return queue;
            }
            Thread.onSpinWait(); // it is being taken out of the table
        }
    }

    /** The queue if the group pops it, else null. */
    PopQueue find(String group, String topic, int queueId) {
        if (known.isEmpty()) {
            return null;
        }
        return known.contains(new PopKey(group, topic, queueId)) ? of(group, topic, queueId) : null;
    }

    /** Whether an offset of a queue the group does not pop lies before what it committed. */
    boolean isFinished(String group, String topic, int queueId, long offset) {
        return offset < offsets.query(group, topic, queueId);
    }

    /** An offset was set by other means than popService, or removed if it is negative. */
    void outside(String group, String topic, int queueId, long offset, boolean isReset) {
        PopQueue queue = find(group, topic, queueId);
        if (queue == null) {
            return;
        }
        if (offset < 0) {
            queue.drop();
        } else if (queue.outside(offset, isReset) && !isReset && mixed.size() < MOST_TOLD && mixed.add(group)) {
            log.warn(
                    "Group {} commits an offset of topic {} queue {} by pull while it holds messages of it by pop: those are delivered again. Let all its members consume in one way (told once for each group)",
                    group,
                    topic,
                    queueId);
        }
    }

    /** Ends the states of what no longer exists, and lets go of what rests. */
    void sweep(Predicate<PopKey> exists) {
        for (PopKey key : known) {
            if (!exists.test(key)) {
                of(key.group(), key.topic(), key.queueId()).drop();
                known.remove(key);
                table.remove(key);
            }
        }
        table.values().removeIf(PopQueue::rests);
    }

    /** How many queues are in memory. */
    int size() {
        return table.size();
    }
}
