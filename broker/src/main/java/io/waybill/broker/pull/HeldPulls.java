/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.longpoll.HeldRequest;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.WaitOrder;
import io.waybill.platform.Clock;
import io.waybill.remoting.Connection;
import io.waybill.store.record.QueueKey;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * The pulls that wait, by queue. A message goes to all of them: each is of another group, or of a member that
 * broadcasts.
 */
final class HeldPulls implements WaitOrder<Pull> {
    /** One that waits for less is not ended for another member's pull. */
    private static final long YOUNG_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Clock clock;
    private final Map<QueueKey, Set<Pull>> queues = new ConcurrentHashMap<>();

    HeldPulls(Clock clock) {
        this.clock = clock;
    }

    @Override
    public void add(Pull pull, long number) {
        pull.heldNanos(clock.nanoTime());
        queues.compute(queueOf(pull), (queue, there) -> {
            Set<Pull> pulls = there == null ? ConcurrentHashMap.newKeySet(4) : there;
            pulls.add(pull);
            return pulls;
        });
    }

    @Override
    public void remove(Pull pull, long number) {
        queues.computeIfPresent(queueOf(pull), (queue, there) -> there.remove(pull) && there.isEmpty() ? null : there);
    }

    private static QueueKey queueOf(Pull pull) {
        return new QueueKey(pull.topic(), pull.queueId());
    }

    @Override
    public QueueKey serve(String topic, int queueId, int mostInline) {
        QueueKey queue = new QueueKey(topic, queueId);
        Set<Pull> waiting = queues.get(queue);
        if (waiting == null) {
            return null;
        }
        if (waiting.size() > mostInline) {
            return queue;
        }
        waiting.forEach(LongPolling::look);
        return null;
    }

    /** The group's offset in a queue was reset: its waiting pulls are answered with it. */
    void reset(String group, String topic, int queueId) {
        for (Pull pull : waiting(topic, queueId)) {
            if (pull.group().equals(group)) {
                pull.advance(Pull.RESET);
            }
        }
    }

    /**
     * Another member of the group reads the queue now: pulls from before are answered. Not one that has only just come:
     * two members that both read the queue for good, such as processes with one client id, would end each other's pulls
     * without a pause.
     */
    void takenOver(String group, String topic, int queueId, Connection by) {
        long now = clock.nanoTime();
        for (Pull pull : waiting(topic, queueId)) {
            if (pull.group().equals(group)
                    && pull.request().connection().id() != by.id()
                    && now - pull.heldNanos() >= YOUNG_NANOS) {
                pull.advance(HeldRequest.EXPIRE);
            }
        }
    }

    private Set<Pull> waiting(String topic, int queueId) {
        return queues.getOrDefault(new QueueKey(topic, queueId), Set.of());
    }
}
