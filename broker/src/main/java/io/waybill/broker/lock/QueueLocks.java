/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import io.waybill.broker.offset.CommitFence;
import io.waybill.broker.request.Routes;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.remoting.Request;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which client of a group may consume an ordered queue: LOCK_BATCH_MQ (41) and UNLOCK_BATCH_MQ (42).
 *
 * <p>What always holds: a queue has at most one holder per group, and a holder is a client id on one connection, so that two
 * processes with one client id are two. A lock ends when its holder unlocks it or has not renewed it for
 * {@code lockExpiryMillis} of the monotonic clock; a closed connection does not end it, because the client behind it may
 * still be working on a message and counts on its lock. The same client takes its lock along to a new connection: at once
 * when the old one is closed, else after half the expiry without renewal, when a stock client no longer trusts the lock itself
 * either; not when the old connection renewed it meanwhile, since then two processes are alive.
 *
 * <p>While a queue is locked, only its holder's commits count ({@link #refusal}); for a while after the end of a lock nobody else may
 * put the group back by a commit sent without waiting. Not kept over a restart: clients renew every 20 s.
 */
public final class QueueLocks implements CommitFence {
    private static final Logger log = LoggerFactory.getLogger(QueueLocks.class);

    /** Of all groups together, ended ones that are remembered included; beyond it no new lock is granted until others end. */
    static final int MOST_LOCKS = 200_000;

    /** So many times the expiry an ended lock is remembered, for the commits of who had it or waited for it. */
    static final int REMEMBERED_EXPIRIES = 5;

    private static final long NOBODY = -1;

    /** Guarded by the table. */
    private static final class Lock {
        String clientId;
        Connection connection;
        long takenNanos;
        long renewedNanos;
        /** Unlocked by its holder. */
        boolean isReleased;
        /** A connection of the same client that asked while this holder's was open. */
        long askedBy = NOBODY;
        /** One of which it is proven that it belongs to another process with the same client id. */
        long rival = NOBODY;
        /** Whether a refused commit was noted. */
        boolean isNoted;
    }

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
    private final BiFunction<String, Connection, String> clientIdOn;
    private final LogRateLimiter lines;
    /** Locks by group and queue. Changed while guarded by itself, and so is what is in it; that a group has none is read without. */
    private final Map<String, Map<MessageQueue, Lock>> groups = new ConcurrentHashMap<>();

    /** Of all groups together. Guarded by the table. */
    private int count;

    private long sweptNanos;

    /**
     * @param queueExists whether a topic has a queue; of others no lock is granted, so there are never more than queues
     * @param clientIdOn the client id that sent its heartbeat for a group on a connection, or null
     */
    public QueueLocks(
            Clock clock,
            long expiryMillis,
            String brokerName,
            Predicate<MessageQueue> queueExists,
            BiFunction<String, Connection, String> clientIdOn) {
        this.queueExists = queueExists;
        this.clientIdOn = clientIdOn;
        this.lines = new LogRateLimiter(clock);
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
            return locks != null && locks.values().stream().anyMatch(lock -> isLive(lock, now));
        }
    }

    /** Who of the group holds a queue right now, or null. */
    public Held held(String group, String topic, int queueId) {
        long now = clock.nanoTime();
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            Lock lock = locks == null ? null : locks.get(new MessageQueue(topic, brokerName, queueId));
            return lock == null || !isLive(lock, now)
                    ? null
                    : new Held(
                            lock.clientId,
                            TimeUnit.NANOSECONDS.toMillis(now - lock.takenNanos),
                            TimeUnit.NANOSECONDS.toMillis(now - lock.renewedNanos));
        }
    }

    private void lock(Request request) {
        LockBatchBody body = LockBatchBody.parse(request.command().body());
        String refusal = refusal(body);
        if (refusal != null) {
            request.refuse(ResponseCode.INVALID_PARAMETER, refusal);
            return;
        }
        Set<MessageQueue> held = tryLock(body.consumerGroup(), body.clientId(), request.connection(), body.mqSet());
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
        unlock(body.consumerGroup(), body.clientId(), request.connection(), body.mqSet());
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
    Set<MessageQueue> tryLock(String group, String clientId, Connection connection, Iterable<MessageQueue> queues) {
        long now = clock.nanoTime();
        Set<MessageQueue> held = new TreeSet<>();
        Set<Connection> doubted = new HashSet<>();
        synchronized (groups) {
            forgetEnded(now);
            Map<MessageQueue, Lock> locks = groups.computeIfAbsent(group, g -> new HashMap<>());
            for (MessageQueue queue : queues) {
                Lock lock = locks.get(queue);
                if (lock == null && count < MOST_LOCKS && isOurs(queue)) {
                    lock = new Lock();
                    lock.isReleased = true;
                    count++;
                    locks.put(queue, lock);
                }
                if (lock != null && isOurs(queue) && take(group, queue, lock, clientId, connection, now, doubted)) {
                    held.add(queue);
                }
            }
            if (locks.isEmpty()) {
                groups.remove(group);
            }
        }
        // A write to a peer that is gone ends its connection, and the next try finds that; a living one shares out its
        // queues anew, as ever.
        doubted.forEach(old -> old.send(Command.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
                .oneway()
                .field("consumerGroup", group)
                .build()));
        return held;
    }

    private boolean isOurs(MessageQueue queue) {
        return brokerName.equals(queue.brokerName()) && queueExists.test(queue);
    }

    private boolean take(
            String group,
            MessageQueue queue,
            Lock lock,
            String clientId,
            Connection connection,
            long now,
            Set<Connection> doubted) {
        boolean live = isLive(lock, now);
        boolean same = clientId.equals(lock.clientId);
        if (live && !same) {
            return false;
        }
        if (live && lock.connection.id() == connection.id()) {
            renewed(group, queue, lock);
            lock.renewedNanos = now;
            return true;
        }
        if (live && !mayTakeOver(lock, connection, now)) {
            if (lock.connection.isOpen() && lock.askedBy != connection.id() && lock.rival != connection.id()) {
                lock.askedBy = connection.id();
                doubted.add(lock.connection);
            }
            return false;
        }
        if (!live || !same) {
            lock.takenNanos = now;
        }
        // Whoever lost it with its connection open is not the one that has it now, whatever its client id says.
        boolean lost = same && lock.connection.id() != connection.id() && lock.connection.isOpen();
        lock.rival = lost ? lock.connection.id() : same ? lock.rival : NOBODY;
        lock.askedBy = NOBODY;
        lock.clientId = clientId;
        lock.connection = connection;
        lock.renewedNanos = now;
        lock.isReleased = false;
        lock.isNoted = false;
        return true;
    }

    /** Whether the client that holds a lock comes for it on another connection, as far as can be known. */
    private boolean mayTakeOver(Lock lock, Connection connection, long now) {
        if (lock.rival == connection.id()) {
            return false;
        }
        return !lock.connection.isOpen() || now - lock.renewedNanos > expiryNanos / 2;
    }

    /** The holder renews: if another connection of its client asked meanwhile, that is another process. */
    private void renewed(String group, MessageQueue queue, Lock lock) {
        if (lock.askedBy == NOBODY) {
            return;
        }
        lock.rival = lock.askedBy;
        lock.askedBy = NOBODY;
        String more = lines.admit();
        if (more != null) {
            log.warn(
                    "Two processes with client id {} want to lock queue {} of topic {} for group {}: the one at {} keeps it, the other waits;"
                            + " give each process a client id of its own{}",
                    lock.clientId,
                    queue.queueId(),
                    queue.topic(),
                    group,
                    lock.connection.remoteAddress(),
                    more);
        }
    }

    void unlock(String group, String clientId, Connection connection, Iterable<MessageQueue> queues) {
        long now = clock.nanoTime();
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            if (locks == null) {
                return;
            }
            for (MessageQueue queue : queues) {
                Lock lock = locks.get(queue);
                if (lock != null && isLive(lock, now) && lock.clientId.equals(clientId) && isSame(lock, connection)) {
                    lock.isReleased = true;
                    lock.renewedNanos = now;
                }
            }
        }
    }

    /** Whether an unlock on this connection can be the holder's own. */
    private static boolean isSame(Lock lock, Connection connection) {
        return lock.connection.id() == connection.id() || !lock.connection.isOpen() && lock.rival != connection.id();
    }

    // ---- commits

    @Override
    public String refusal(
            String group, String topic, int queueId, long before, long offset, Connection connection, boolean isAsked) {
        if (!groups.containsKey(group)) {
            return null; // the usual
        }
        long now = clock.nanoTime();
        String client = clientIdOn.apply(group, connection);
        String holder;
        boolean live;
        boolean first;
        synchronized (groups) {
            Map<MessageQueue, Lock> locks = groups.get(group);
            Lock lock = locks == null ? null : locks.get(new MessageQueue(topic, brokerName, queueId));
            if (lock == null || isHolder(group, lock, client, connection)) {
                return null;
            }
            live = isLive(lock, now);
            boolean deliberate = isAsked && client == null;
            if (!live && (isForgotten(lock, now) || deliberate || offset >= before)) {
                return null;
            }
            holder = lock.clientId + " at " + text(lock.connection);
            first = !lock.isNoted;
            lock.isNoted = true;
        }
        String text = "queue " + queueId + " of topic '" + topic + "' " + (live ? "is" : "was lately")
                + " locked for group '" + group + "' by " + holder + ": the offset " + offset + " of "
                + (client == null ? "" : client + " at ") + text(connection) + " does not count";
        String more = first ? lines.admit() : null;
        if (more != null) {
            log.warn("A commit is not applied: {}; the committed offset is {}{}", text, before, more);
        }
        return text;
    }

    /**
     * Whether a commit comes from the process that has or had the lock: on the lock's own connection, or on another one of its client when the
     * lock's is no member's. The latter is a client that locks and commits beside the connection of its heartbeats, or one that reconnected.
     */
    private boolean isHolder(String group, Lock lock, String client, Connection connection) {
        if (lock.connection.id() == connection.id()) {
            return true;
        }
        return lock.clientId.equals(client)
                && lock.rival != connection.id()
                && lock.askedBy != connection.id()
                && (!lock.connection.isOpen() || clientIdOn.apply(group, lock.connection) == null);
    }

    private static String text(Connection connection) {
        return connection.remoteAddress().getHostString() + ":"
                + connection.remoteAddress().getPort();
    }

    // ---- ends

    /** Now and then, so that groups which are gone take no memory. */
    private void forgetEnded(long now) {
        if (now - sweptNanos < expiryNanos) {
            return;
        }
        sweptNanos = now;
        groups.values().removeIf(locks -> {
            int before = locks.size();
            locks.values().removeIf(lock -> isForgotten(lock, now));
            count -= before - locks.size();
            return locks.isEmpty();
        });
    }

    private boolean isLive(Lock lock, long now) {
        return !lock.isReleased && now - lock.renewedNanos <= expiryNanos;
    }

    private boolean isForgotten(Lock lock, long now) {
        return now - lock.renewedNanos > REMEMBERED_EXPIRIES * expiryNanos;
    }
}
