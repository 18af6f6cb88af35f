/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.RecordedFacts;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/**
 * The queues the writer has given offsets in lately. A queue that is not here has nothing in flight, so the views know its
 * next offset. Used by the holder of the role only.
 */
final class QueueStates {
    /** Above this many, those with nothing in flight are forgotten: a million idle queues must not cost the heap. */
    private static final int MANY = 65_536;
    /** The same for places in arrays, most of them empty where a topic is used in its last queue only. */
    private static final int MANY_SLOTS = 8 * MANY;
    /** Queue ids below this are found by index. */
    private static final int INDEXED = 1024;

    private final RecordedFacts views;
    private final Map<String, QueueState[]> indexed = new HashMap<>();
    private final Map<String, QueueState> others = new HashMap<>();
    private int count;
    private int slots;

    QueueStates(RecordedFacts views) {
        this.views = views;
    }

    QueueState of(String topic, int queueId) {
        if (queueId < 0 || queueId >= INDEXED) {
            return others.computeIfAbsent(topic + '\n' + queueId, key -> load(topic, queueId));
        }
        QueueState[] queues = indexed.get(topic);
        if (queues == null || queueId >= queues.length) {
            int before = queues == null ? 0 : queues.length;
            queues = queues == null ? new QueueState[queueId + 1] : Arrays.copyOf(queues, queueId + 1);
            indexed.put(topic, queues);
            slots += queues.length - before;
        }
        QueueState state = queues[queueId];
        if (state == null) {
            state = load(topic, queueId);
            queues[queueId] = state;
        }
        return state;
    }

    private QueueState load(String topic, int queueId) {
        QueueState loaded = new QueueState(topic, queueId, views.nextOffset(topic, queueId));
        count++;
        return loaded;
    }

    void forgetIdle(long appliedIndex) {
        if (count <= MANY && slots <= MANY_SLOTS) {
            return;
        }
        count = 0;
        slots = 0;
        for (Iterator<QueueState[]> topics = indexed.values().iterator(); topics.hasNext(); ) {
            QueueState[] queues = topics.next();
            boolean any = false;
            for (int i = 0; i < queues.length; i++) {
                if (queues[i] != null && queues[i].frameIndex <= appliedIndex) {
                    queues[i] = null;
                }
                if (queues[i] != null) {
                    any = true;
                    count++;
                }
            }
            if (any) {
                slots += queues.length;
            } else {
                topics.remove();
            }
        }
        others.values().removeIf(state -> state.frameIndex <= appliedIndex);
        count += others.size();
    }
}
