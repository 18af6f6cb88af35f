/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import io.waybill.broker.request.Routes;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * Which client of a group may consume an ordered queue: LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42).
 *
 * <p>A queue has at most one holder per group. A lock ends when its holder unlocks it or has not renewed it for
 * {@code lockExpiryMillis} of the monotonic clock; a closed connection does not end it, because the client behind it may
 * still be working on a message and counts on its lock. Not kept over a restart: clients renew every 20 s.
 */
public final class QueueLocks {
    /** Of all groups together; beyond it no new lock is granted until others end. */
    static final int MOST_LOCKS = 200_000;

    private record Lock(String clientId, long takenNanos, long renewedNanos) {}

    /**
     * A lock as it is now.
     *
     * @param heldMillis how long this client has held it without a gap
     * @param renewedMillis how long ago it renewed it
     */
    public record Held(String clientId, long heldMillis, long renewedMillis) {}

    private final Clock clock;
    private final long expiryNanos;
    private final String brokerName;
    private final Predicate<MessageQueue> queueExists;
    /** Locks by group and queue. Guarded by itself. */
    private final Map<String, Map<MessageQueue, Lock>> groups = new HashMap<>();

    /** Of all groups together. Guarded by the table. */
    private int count;

    private long sweptNanos;

    /** @param queueExists whether a topic has a queue; of others no lock is granted, so there are never more than queues */
    public QueueLocks(Clock clock, long expiryMillis, String brokerName, Predicate<MessageQueue> queueExists) {
        this.queueExists = queueExists;
        this.clock = clock;
        this.expiryNanos = TimeUnit.MILLISECONDS.toNanos(expiryMillis);
        this.brokerName = brokerName;
        this.sweptNanos = clock.nanoTime();
    }

    public void register(Routes routes) {
        routes.on(RequestCode.LOCK_BATCH_MQ, this::lock).on(RequestCode.UNLOCK_BATCH_MQ, this::unlock);
    }

    /** Whether somebody of the group holds an ordered queue right now. */
    public boolean isOrdered(String group) {
        long now = clock.nanoTime();
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            return locks != null && locks.values().stream().anyMatch(lock -> !isExpired(lock, now));
        }
    }

    /** Who of the group holds a queue right now, or null. */
    public Held held(String group, String topic, int queueId) {
        long now = clock.nanoTime();
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            Lock lock = locks == null ? null : locks.get(new MessageQueue(topic, brokerName, queueId));
            return lock == null || isExpired(lock, now)
                    ? null
                    : new Held(
                            lock.clientId(),
                            TimeUnit.NANOSECONDS.toMillis(now - lock.takenNanos()),
                            TimeUnit.NANOSECONDS.toMillis(now - lock.renewedNanos()));
        }
    }

    private void lock(Request request) {
        LockBatchBody body = LockBatchBody.parse(request.command().body());
        String refusal = refusal(body);
        if (refusal != null) {
            request.refuse(ResponseCode.INVALID_PARAMETER, refusal);
            return;
        }
        Set<MessageQueue> held = tryLock(body.consumerGroup(), body.clientId(), body.mqSet());
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(new LockBatchReply(held).toJson())
                .build());
    }

    private void unlock(Request request) {
        LockBatchBody body = LockBatchBody.parse(request.command().body());
        String refusal = refusal(body);
        if (refusal != null) {
            request.refuse(ResponseCode.INVALID_PARAMETER, refusal);
            return;
        }
        unlock(body.consumerGroup(), body.clientId(), body.mqSet());
        request.reply(Command.response(ResponseCode.SUCCESS, null).build());
    }

    private static String refusal(LockBatchBody body) {
        if (body.clientId() == null || body.clientId().isEmpty()) {
            return "clientId: must not be empty";
        }
        if (body.clientId().length() > Names.MAX_GROUP_TOPIC_LENGTH) {
            return "clientId: must have at most " + Names.MAX_GROUP_TOPIC_LENGTH + " characters, had "
                    + body.clientId().length();
        }
        return Names.checkGroup(body.consumerGroup());
    }

    /** Locks what is free or held by this client already; returns what it holds now. Queues of other brokers are left out. */
    Set<MessageQueue> tryLock(String group, String clientId, Iterable<MessageQueue> queues) {
        long now = clock.nanoTime();
        Set<MessageQueue> held = new TreeSet<>();
        synchronized (groups) {
            dropExpired(now);
            Map<MessageQueue, Lock> locks = groups.computeIfAbsent(group, g -> new HashMap<>());
            for (MessageQueue queue : queues) {
                Lock lock = locks.get(queue);
                boolean free =
                        lock == null || isExpired(lock, now) || lock.clientId().equals(clientId);
                boolean room = lock != null || count < MOST_LOCKS;
                if (free && room && brokerName.equals(queue.brokerName()) && queueExists.test(queue)) {
                    count += lock == null ? 1 : 0;
                    boolean renewed = lock != null && !isExpired(lock, now);
                    locks.put(queue, new Lock(clientId, renewed ? lock.takenNanos() : now, now));
                    held.add(queue);
                }
            }
            if (locks.isEmpty()) {
                groups.remove(group);
            }
        }
        return held;
    }

    void unlock(String group, String clientId, Iterable<MessageQueue> queues) {
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            if (locks == null) {
                return;
            }
            for (MessageQueue queue : queues) {
                Lock lock = locks.get(queue);
                if (lock != null && lock.clientId().equals(clientId)) {
                    locks.remove(queue);
                    count--;
                }
            }
            if (locks.isEmpty()) {
                groups.remove(group);
            }
        }
    }

    /** Now and then, so that groups which are gone take no memory. */
    private void dropExpired(long now) {
        if (now - sweptNanos < expiryNanos) {
            return;
        }
        sweptNanos = now;
        Iterator<Map<MessageQueue, Lock>> all = groups.values().iterator();
        while (all.hasNext()) {
            Map<MessageQueue, Lock> locks = all.next();
            int before = locks.size();
            locks.values().removeIf(lock -> isExpired(lock, now));
            count -= before - locks.size();
            if (locks.isEmpty()) {
                all.remove();
            }
        }
    }

    private boolean isExpired(Lock lock, long now) {
        return now - lock.renewedNanos() > expiryNanos;
    }
}
