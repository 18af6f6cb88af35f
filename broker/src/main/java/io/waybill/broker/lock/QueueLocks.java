/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import io.waybill.broker.offset.CommitFence;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
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
import io.waybill.store.LockStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.QueueLock;
import io.waybill.store.record.ViewsDamaged;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.Consumer;
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
 * either; not when the old connection renewed it meanwhile, since then two processes are alive (ADR 0027).
 *
 * <p>A change of holder is a record of the log, and nobody is told that he holds a queue before that is confirmed; a renewal is none. A holder that
 * an earlier run or tenure recorded counts as renewed when this one began: its client comes back with a new connection and the same id and takes the
 * lock along; anybody else waits as if it had renewed then (ADR 0031).
 *
 * <p>While a queue is locked, only its holder's commits count ({@link #refusal}); for a while after the end of a lock nobody else may
 * put the group back by a commit sent without waiting.
 *
 * <p>The duty reads what was recorded, in steps; a group that is asked for before its turn is read at once. Then it sweeps what has ended.
 */
public final class QueueLocks implements Feature, CommitFence, Duty {
    private static final Logger log = LoggerFactory.getLogger(QueueLocks.class);

    /** Of all groups together, ended ones that are remembered included; beyond it no new lock is granted until others end. */
    static final int MOST_LOCKS = 200_000;

    /** Recorded holders that one run of the duty reads. */
    private static final int PAGE = 1_000;

    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** What became of a request to lock: what the client holds already, and what it holds once the changes are confirmed. */
    private record Grant(
            long number,
            String clientId,
            Connection connection,
            Set<MessageQueue> held,
            Set<MessageQueue> pending,
            List<QueueLock> changes) {}

    /**
     * A lock as it is now.
     *
     * @param heldMillis how long this client has held it without a gap
     * @param renewedMillis how long ago it renewed it
     */
    public record LockState(String clientId, long heldMillis, long renewedMillis) {}

    private final Clock clock;
    private final long expiryNanos;
    private final String brokerName;
    private final Predicate<MessageQueue> queueExists;
    private final BiFunction<String, Connection, String> clientIdOn;
    private final LogRateLimiter lines;
    /** Locks by group and queue. Changed while guarded by itself, and so is what is in it; that a group has none is read without. */
    private final Map<String, Map<MessageQueue, LockHold>> groups = new ConcurrentHashMap<>();

    /** Of all groups together. Guarded by the table. */
    private int count;

    /** Guarded by the table. */
    private long grants;

    private final LockStore store;
    private final LockRecorder recorder;
    private final long beganNanos;
    /** Groups whose recorded holders were read before the duty came to them. Guarded by the table. */
    private final Set<String> restored = new HashSet<>();

    /** Whether all recorded holders were read. Set once, guarded by the table. */
    private volatile boolean isRestored;

    /** The last one that the duty has read; of the duty alone. */
    private QueueLock last;

    /**
     * @param queueExists whether a topic has a queue; of others no lock is granted, so there are never more than queues
     * @param clientIdOn the client id that sent its heartbeat for a group on a connection, or null
     */
    public QueueLocks(
            LockStore store,
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
        this.store = store;
        this.recorder = new LockRecorder(store);
        this.beganNanos = clock.nanoTime();
    }

    @Override
    public void routes(Routes routes) {
        routes.onCommand(RequestCode.LOCK_BATCH_MQ, Lane.INLINE, QueueLocks::read, this::lock)
                .onCommand(RequestCode.UNLOCK_BATCH_MQ, Lane.INLINE, QueueLocks::read, this::unlock);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(this);
    }

    /** Whether somebody of the group holds an ordered queue right now. */
    public boolean isOrdered(String group) {
        long now = clock.nanoTime();
        synchronized (groups) {
            restore(group);
            Map<MessageQueue, LockHold> locks = groups.get(group);
            return locks != null && locks.values().stream().anyMatch(lock -> lock.isLive(now, expiryNanos));
        }
    }

    /** Who of the group holds a queue right now, or null. */
    public LockState held(String group, String topic, int queueId) {
        long now = clock.nanoTime();
        synchronized (groups) {
            restore(group);
            Map<MessageQueue, LockHold> locks = groups.get(group);
            LockHold lock = locks == null ? null : locks.get(new MessageQueue(topic, brokerName, queueId));
            return lock == null || !lock.isLive(now, expiryNanos)
                    ? null
                    : new LockState(
                            lock.clientId,
                            TimeUnit.NANOSECONDS.toMillis(now - lock.takenNanos),
                            TimeUnit.NANOSECONDS.toMillis(now - lock.renewedNanos));
        }
    }

    private static LockBatchBody read(Command command) {
        return LockBatchBody.parse(command.body());
    }

    private Reply lock(Request request, LockBatchBody body) {
        String refusal = refusal(body);
        if (refusal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
        }
        lock(
                body.consumerGroup(),
                body.clientId(),
                request.connection(),
                body.mqSet(),
                held -> request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(new LockBatchReply(held).toJson())
                        .build()));
        return Reply.LATER;
    }

    private Reply unlock(Request request, LockBatchBody body) {
        String refusal = refusal(body);
        if (refusal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
        }
        unlock(body.consumerGroup(), body.clientId(), request.connection(), body.mqSet());
        return Reply.success();
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

    /**
     * Locks what is free or held by this client already. Queues of other brokers are left out. Many queues are recorded in several changes; those of a
     * change that is not stored are not held.
     *
     * @param answer gets what the client holds now, once, when every change of holder is confirmed
     */
    private void lock(
            String group,
            String clientId,
            Connection connection,
            Collection<MessageQueue> queues,
            Consumer<Set<MessageQueue>> answer) {
        Set<Connection> doubted = new HashSet<>();
        Set<MessageQueue> held = new TreeSet<>();
        AtomicInteger open = new AtomicInteger(1);
        Consumer<Set<MessageQueue>> part = more -> {
            synchronized (held) {
                held.addAll(more);
            }
            if (open.decrementAndGet() == 0) {
                answer.accept(stillHeld(group, clientId, connection, held));
            }
        };
        List<MessageQueue> all = List.copyOf(queues);
        synchronized (groups) {
            for (int from = 0; from < all.size(); from += LockRecorder.AT_ONCE) {
                List<MessageQueue> some = all.subList(from, Math.min(all.size(), from + LockRecorder.AT_ONCE));
                Grant grant = tryLock(group, clientId, connection, some, doubted);
                open.incrementAndGet();
                if (grant.changes().isEmpty()) {
                    part.accept(grant.held());
                } else {
                    recorder.note(grant.changes(), outcome -> part.accept(confirmed(group, grant, outcome)));
                }
            }
        }
        // A write to a peer that is gone ends its connection, and the next try finds that; a living one shares out its
        // queues anew, as ever.
        doubted.forEach(old -> old.send(Command.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
                .oneway()
                .field("consumerGroup", group)
                .build()));
        recorder.write();
        part.accept(Set.of());
    }

    /** Guarded by the table. */
    private Grant tryLock(
            String group,
            String clientId,
            Connection connection,
            Iterable<MessageQueue> queues,
            Set<Connection> doubted) {
        restore(group);
        long now = clock.nanoTime();
        Grant grant = new Grant(++grants, clientId, connection, new TreeSet<>(), new TreeSet<>(), new ArrayList<>());
        Map<MessageQueue, LockHold> locks = groups.computeIfAbsent(group, g -> new HashMap<>());
        for (MessageQueue queue : queues) {
            LockHold lock = locks.get(queue);
            if (lock == null && count < MOST_LOCKS && isOurs(queue)) {
                lock = new LockHold();
                lock.isReleased = true;
                count++;
                locks.put(queue, lock);
            }
            if (lock != null && isOurs(queue) && take(group, queue, lock, clientId, connection, now, doubted)) {
                hold(group, queue, lock, grant);
            }
        }
        if (locks.isEmpty()) {
            groups.remove(group);
        }
        return grant;
    }

    /** Notes what is to be recorded of a lock that was granted or renewed. */
    private static void hold(String group, MessageQueue queue, LockHold lock, Grant grant) {
        boolean isNew = !lock.clientId.equals(lock.recorded) || lock.unconfirmed != 0;
        if (isNew || lock.isShared() != lock.isRecordedShared) {
            lock.recorded = lock.clientId;
            lock.isRecordedShared = lock.isShared();
            grant.changes().add(LockHold.recordOf(group, queue, lock.clientId, lock.isShared()));
        }
        if (isNew) {
            // A second try of one that waits changes nothing about the first: each is answered for itself.
            lock.unconfirmed = lock.unconfirmed == 0 ? grant.number() : lock.unconfirmed;
            grant.pending().add(queue);
        } else {
            grant.held().add(queue);
        }
    }

    /**
     * The changes of a grant are in the log, or are not: what the client holds then. A queue that was given back meanwhile, or whose first try was not
     * recorded, is not among it: others may have it.
     */
    private Set<MessageQueue> confirmed(String group, Grant grant, Outcome outcome) {
        boolean isStored = outcome instanceof Stored;
        if (!isStored) {
            String more = lines.admit();
            if (more != null) {
                log.warn(
                        "{} queues are not locked for group {}, since their holder could not be recorded: {}{}",
                        grant.pending().size(),
                        group,
                        Outcomes.text(outcome),
                        more);
            }
        }
        Set<MessageQueue> held = new TreeSet<>(grant.held());
        synchronized (groups) {
            Map<MessageQueue, LockHold> locks = groups.get(group);
            if (!isStored && locks != null) {
                forgetSharing(locks, grant.changes());
            }
            for (MessageQueue queue : grant.pending()) {
                LockHold lock = locks == null ? null : locks.get(queue);
                if (lock == null) {
                    continue;
                }
                if (lock.unconfirmed == grant.number()) {
                    lock.unconfirmed = 0;
                    if (!isStored) {
                        lock.isReleased = true;
                        lock.recorded = null;
                    }
                }
                if (isStored && lock.unconfirmed == 0 && lock.isHeldBy(grant.clientId(), grant.connection())) {
                    held.add(queue);
                }
            }
        }
        return held;
    }

    /** What the log was not told of sharing is to be recorded with the next renewal. */
    private void forgetSharing(Map<MessageQueue, LockHold> locks, List<QueueLock> unrecorded) {
        for (QueueLock change : unrecorded) {
            LockHold lock = locks.get(new MessageQueue(change.topic(), brokerName, change.queueId()));
            if (lock != null) {
                lock.isRecordedShared = !change.isShared();
            }
        }
    }

    /** A queue that was granted at once, or with an earlier change, may have been given back while the log was waited for: others may have it. */
    private Set<MessageQueue> stillHeld(String group, String client, Connection on, Set<MessageQueue> granted) {
        synchronized (groups) {
            Map<MessageQueue, LockHold> locks = groups.getOrDefault(group, Map.of());
            granted.removeIf(queue -> {
                LockHold lock = locks.get(queue);
                return lock == null || !lock.isHeldBy(client, on);
            });
        }
        return granted;
    }

    private boolean isOurs(MessageQueue queue) {
        return brokerName.equals(queue.brokerName()) && queueExists.test(queue);
    }

    private boolean take(
            String group,
            MessageQueue queue,
            LockHold lock,
            String clientId,
            Connection connection,
            long now,
            Set<Connection> doubted) {
        boolean live = lock.isLive(now, expiryNanos);
        boolean same = clientId.equals(lock.clientId);
        if (live && !same) {
            return false;
        }
        if (live && lock.connection != null && lock.connection.id() == connection.id()) {
            renewed(group, queue, lock);
            lock.renewedNanos = now;
            return true;
        }
        if (live && !lock.mayBeTakenAlong(connection, now, expiryNanos)) {
            if (lock.isConnected() && lock.askedBy != connection.id() && lock.rival != connection.id()) {
                lock.askedBy = connection.id();
                doubted.add(lock.connection);
            }
            return false;
        }
        if (!live || !same) {
            lock.takenNanos = now;
        }
        // Whoever lost it with its connection open is not the one that has it now, whatever its client id says.
        boolean lost = same && lock.isConnected() && lock.connection.id() != connection.id();
        lock.rival = lost ? lock.connection.id() : same ? lock.rival : LockHold.NOBODY;
        lock.askedBy = LockHold.NOBODY;
        lock.wasShared = false;
        lock.clientId = clientId;
        lock.connection = connection;
        lock.renewedNanos = now;
        lock.isReleased = false;
        lock.isNoted = false;
        return true;
    }

    /** The holder renews: if another connection of its client asked meanwhile, that is another process. */
    private void renewed(String group, MessageQueue queue, LockHold lock) {
        if (lock.askedBy == LockHold.NOBODY) {
            return;
        }
        lock.rival = lock.askedBy;
        lock.askedBy = LockHold.NOBODY;
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

    private void unlock(String group, String clientId, Connection connection, Iterable<MessageQueue> queues) {
        long now = clock.nanoTime();
        List<QueueLock> ended = new ArrayList<>();
        synchronized (groups) {
            restore(group);
            Map<MessageQueue, LockHold> locks = groups.get(group);
            if (locks == null) {
                return;
            }
            for (MessageQueue queue : queues) {
                LockHold lock = locks.get(queue);
                if (lock != null
                        && lock.isLive(now, expiryNanos)
                        && lock.clientId.equals(clientId)
                        && lock.mayBeUnlocked(connection)) {
                    lock.isReleased = true;
                    lock.unconfirmed = 0;
                    lock.renewedNanos = now;
                    lock.recordEnd(group, queue, ended);
                }
            }
            recorder.noteEnds(ended);
        }
        recorder.write();
    }

    // ---- commits

    @Override
    public String refusal(
            String group, String topic, int queueId, long before, long offset, Connection connection, boolean isAsked) {
        if (isRestored && !groups.containsKey(group)) {
            return null; // the usual
        }
        long now = clock.nanoTime();
        String client = clientIdOn.apply(group, connection);
        String holder;
        boolean live;
        boolean first;
        synchronized (groups) {
            try {
                restore(group);
            } catch (ViewsDamaged e) {
                return null; // who held it cannot be read at the moment; nobody is locked out for that
            }
            Map<MessageQueue, LockHold> locks = groups.get(group);
            LockHold lock = locks == null ? null : locks.get(new MessageQueue(topic, brokerName, queueId));
            if (lock == null || lock.isHolder(client, connection, own -> clientIdOn.apply(group, own))) {
                return null;
            }
            live = lock.isLive(now, expiryNanos);
            boolean deliberate = isAsked && client == null;
            if (!live && (lock.isForgotten(now, expiryNanos) || deliberate || offset >= before)) {
                return null;
            }
            holder = lock.clientId + (lock.connection == null ? "" : " at " + text(lock.connection));
            // After a restart the holder itself may commit before its first heartbeat.
            first = !lock.isNoted && (lock.connection != null || client != null);
            lock.isNoted |= first;
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

    private static String text(Connection connection) {
        return connection.remoteAddress().getHostString() + ":"
                + connection.remoteAddress().getPort();
    }

    // ---- ends

    /** So that groups which are gone take no memory, and no room in the log. */
    private void sweep(long now) {
        synchronized (groups) {
            List<QueueLock> ended = new ArrayList<>();
            for (Iterator<Map.Entry<String, Map<MessageQueue, LockHold>>> i =
                            groups.entrySet().iterator();
                    i.hasNext(); ) {
                Map.Entry<String, Map<MessageQueue, LockHold>> group = i.next();
                Map<MessageQueue, LockHold> locks = group.getValue();
                int before = locks.size();
                locks.forEach((queue, lock) -> {
                    if (!lock.isLive(now, expiryNanos)) {
                        lock.recordEnd(group.getKey(), queue, ended);
                    }
                });
                locks.values().removeIf(lock -> !lock.isLive(now, expiryNanos) && lock.isForgotten(now, expiryNanos));
                count -= before - locks.size();
                if (locks.isEmpty()) {
                    i.remove();
                }
            }
            recorder.noteEnds(ended);
        }
        recorder.write();
    }

    // ---- what an earlier run or tenure recorded

    @Override
    public String roleName() {
        return "locks";
    }

    @Override
    public long run() {
        if (isRestored) {
            sweep(clock.nanoTime());
            return expiryNanos;
        }
        List<QueueLock> page;
        try {
            page = last == null
                    ? store.locksAfter(null, "", 0, PAGE)
                    : store.locksAfter(last.group(), last.topic(), last.queueId(), PAGE);
        } catch (ViewsDamaged e) {
            log.warn("who held ordered queues cannot be read at the moment: {}", e.getMessage());
            return RETRY_NANOS;
        }
        synchronized (groups) {
            for (QueueLock one : page) {
                if (!restored.contains(one.group())) {
                    restore(one);
                }
            }
            if (page.size() < PAGE) {
                isRestored = true;
                restored.clear();
                return expiryNanos;
            }
        }
        last = page.get(page.size() - 1);
        return 0;
    }

    /** Reads the recorded holders of a group unless that has been done. Guarded by the table. */
    private void restore(String group) {
        if (!isRestored && !restored.contains(group)) {
            store.locksOf(group).forEach(this::restore);
            restored.add(group);
        }
    }

    private void restore(QueueLock recorded) {
        Map<MessageQueue, LockHold> locks = groups.computeIfAbsent(recorded.group(), g -> new HashMap<>());
        MessageQueue queue = new MessageQueue(recorded.topic(), brokerName, recorded.queueId());
        if (locks.containsKey(queue)) {
            return; // read before, with the page of the duty
        }
        locks.put(queue, LockHold.of(recorded, beganNanos));
        count++;
    }
}
