/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.WaitOrder;
import io.waybill.platform.Clock;
import io.waybill.store.QueueStore;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.QueueKey;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * The pops that wait, by topic and group in the order of their arrival. The oldest of a group is woken first, by the
 * store in the moment a message became visible, by an acknowledgement that frees an ordered queue, or when an
 * invisibility ends; the next one only while there is still something to be had.
 */
final class HeldPops implements WaitOrder<Pop> {
    private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final QueueStore queues;
    private final PopQueues popQueues;
    private final PopClock popClock;
    private final InvisibilityClock invisibilities;
    private final Predicate<PopKey> exists;
    private final Clock clock;
    private final Map<String, Map<String, ConcurrentSkipListMap<Long, Pop>>> topics = new ConcurrentHashMap<>();
    /** Of the duty. */
    private long nextSweepNanos;

    /** @param exists whether there are such a topic and group */
    HeldPops(
            QueueStore queues,
            PopQueues popQueues,
            PopClock popClock,
            InvisibilityClock invisibilities,
            Predicate<PopKey> exists,
            Clock clock) {
        this.queues = queues;
        this.popQueues = popQueues;
        this.popClock = popClock;
        this.invisibilities = invisibilities;
        this.exists = exists;
        this.clock = clock;
        this.nextSweepNanos = clock.nanoTime() + SWEEP_NANOS;
    }

    @Override
    public void add(Pop pop, long number) {
        topics.compute(pop.topic(), (topic, there) -> {
            Map<String, ConcurrentSkipListMap<Long, Pop>> groups = there == null ? new ConcurrentHashMap<>() : there;
            groups.computeIfAbsent(pop.group(), group -> new ConcurrentSkipListMap<>())
                    .put(number, pop);
            return groups;
        });
    }

    @Override
    public void remove(Pop pop, long number) {
        topics.computeIfPresent(pop.topic(), (topic, groups) -> {
            groups.computeIfPresent(pop.group(), (group, pops) -> {
                pops.remove(number);
                return pops.isEmpty() ? null : pops;
            });
            return groups.isEmpty() ? null : groups;
        });
    }

    /** How many wait for exactly this queue, or for any if it is -1. */
    int waitingFor(String group, String topic, int queueId) {
        Map<Long, Pop> pops = topics.getOrDefault(topic, Map.of()).get(group);
        int count = 0;
        for (Pop pop : pops == null ? Set.<Pop>of() : pops.values()) {
            count += pop.parameters().queueId() == queueId ? 1 : 0;
        }
        return count;
    }

    @Override
    public QueueKey serve(String topic, int queueId, int mostInline) {
        Map<String, ConcurrentSkipListMap<Long, Pop>> groups = topics.get(topic);
        if (groups == null) {
            return null;
        }
        if (groups.size() > mostInline) {
            return new QueueKey(topic, queueId);
        }
        for (String group : groups.keySet()) {
            serve(group, topic, queueId);
        }
        return null;
    }

    /** Something may be had in a queue by a group. */
    void serve(String group, String topic, int queueId) {
        Map<String, ConcurrentSkipListMap<Long, Pop>> groups = topics.get(topic);
        Map<Long, Pop> pops = groups == null ? null : groups.get(group);
        if (pops == null) {
            return;
        }
        for (Pop pop : pops.values()) {
            if (!pop.waitsFor(queueId)) {
                continue;
            }
            PopQueue queue = popQueues.of(group, topic, queueId);
            if (!queue.mayHave(queues.offsetRange(topic, queueId).maxOffset(), popClock.nowMillis())) {
                return;
            }
            LongPolling.look(pop);
        }
    }

    @Override
    public int times() {
        return invisibilities.size();
    }

    @Override
    public long run() {
        long now = clock.nanoTime();
        if (now - nextSweepNanos >= 0) {
            nextSweepNanos = now + SWEEP_NANOS;
            popQueues.sweep(exists);
        }
        long nextEnd = invisibilities.run(queue -> serve(queue.key.group(), queue.key.topic(), queue.key.queueId()));
        return Math.min(popQueues.settleSome(), Math.min(nextSweepNanos - now, nextEnd));
    }
}
