/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.delivery;

import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvent.DeliveryKind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who got which messages when, and who acknowledged them.
 *
 * <p>What always holds: a note is in memory at once and in the log a second later, so a crash loses the notes of a second and never a
 * message. Memory is bounded: {@link #MOST_QUEUES} queues of groups are remembered, {@link #MOST_UNWRITTEN} entries wait to be written; what
 * is beyond is dropped, the oldest first, and counted ({@link #lost}). The usual pull pays one look into a table. Safe from any thread.
 */
public final class DeliveryLog implements Duty {
    private static final Logger log = LoggerFactory.getLogger(DeliveryLog.class);

    /** Queues times groups whose readers are remembered; about 40 MiB when full. */
    static final int MOST_QUEUES = 100_000;

    /** Entries that wait to be written. */
    static final int MOST_UNWRITTEN = 20_000;

    /** Entries in one record of the log. */
    static final int RECORD_ENTRIES = 500;

    /** Entries put together to find how far a queue was handed out before this run of the broker. */
    private static final int MOST_STEPS = 256;

    private static final long WRITE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Where entries go. */
    @FunctionalInterface
    public interface Log {
        void record(List<DeliveryEvent> entries, Completion done);
    }

    /** What the log has. */
    @FunctionalInterface
    public interface Written {
        /** The entries that cover an offset. */
        List<DeliveryEvent> deliveriesOf(String topic, int queueId, long offset, int max);
    }

    /** Names clients. */
    @FunctionalInterface
    public interface Clients {
        /** The id of the client that is connected for the group on this connection, or null. */
        String idOf(String group, Connection connection);
    }

    private record Key(String group, String topic, int queueId) {}

    private final Log target;
    private final Written written;
    private final Clients clients;
    private final LongSupplier storeMillis;
    private final int mostQueues;
    private final int mostUnwritten;
    private final Map<Key, QueueDeliveryTracker> queues = new ConcurrentHashMap<>();
    private final Queue<QueueDeliveryTracker> noted = new ConcurrentLinkedQueue<>();
    private final Queue<DeliveryEvent> ended = new ConcurrentLinkedQueue<>();
    private final AtomicInteger endedCount = new AtomicInteger();
    /** Entries handed to the store that did not answer yet. */
    private final Set<DeliveryEvent> onTheWay = ConcurrentHashMap.newKeySet();

    private final LongAdder lost = new LongAdder();
    private long lostTold;

    /** @param storeMillis the store time, so that notes and messages are in one order */
    public DeliveryLog(Log target, Written written, Clients clients, LongSupplier storeMillis) {
        this(target, written, clients, storeMillis, MOST_QUEUES, MOST_UNWRITTEN);
    }

    DeliveryLog(
            Log target, Written written, Clients clients, LongSupplier storeMillis, int mostQueues, int mostUnwritten) {
        this.target = target;
        this.written = written;
        this.clients = clients;
        this.storeMillis = storeMillis;
        this.mostQueues = mostQueues;
        this.mostUnwritten = mostUnwritten;
    }

    // ---- notes

    /** What the group does with the queue; to be kept for as long as one request is served. */
    public QueueDeliveryTracker tracker(String group, String topic, int queueId) {
        Key key = new Key(group, topic, queueId);
        QueueDeliveryTracker known = queues.get(key);
        if (known != null) {
            return known;
        }
        QueueDeliveryTracker fresh = new QueueDeliveryTracker(this, group, topic, queueId);
        if (queues.size() >= mostQueues + mostQueues / 8) {
            return fresh; // its notes are written all the same; only who reads the queue is not remembered
        }
        QueueDeliveryTracker raced = queues.putIfAbsent(key, fresh);
        return raced == null ? fresh : raced;
    }

    /** Messages from an offset (inclusive) to another (exclusive) are handed to a client of a group that pops. */
    public void delivered(String group, String topic, int queueId, long from, long to, Connection connection) {
        tracker(group, topic, queueId).popped(from, to, connection);
    }

    /** A client of the group is done with messages from an offset (inclusive) to another (exclusive). */
    public void acknowledged(String group, String topic, int queueId, long from, long to, Connection connection) {
        tracker(group, topic, queueId).acknowledged(from, to, connection);
    }

    /**
     * A client committed an offset.
     *
     * @param before the offset committed before; negative for none, then what it was handed counts from the first
     */
    public void committed(String group, String topic, int queueId, long before, long offset, Connection connection) {
        QueueDeliveryTracker tracker = tracker(group, topic, queueId);
        long from = before;
        if (before < 0) {
            QueueOwner out = tracker.handedOut();
            from = out == null ? offset : out.fromOffset();
        }
        tracker.acknowledged(from, offset, connection);
    }

    // ---- answers

    /** The entries that cover an offset, written or not, oldest first. May read the disk. */
    public List<DeliveryEvent> of(String topic, int queueId, long offset, int max) {
        Set<DeliveryEvent> all = new LinkedHashSet<>(written.deliveriesOf(topic, queueId, offset, max));
        onTheWay.forEach(entry -> addIfCovering(all, entry, topic, queueId, offset));
        ended.forEach(entry -> addIfCovering(all, entry, topic, queueId, offset));
        queues.forEach((key, tracker) -> {
            if (key.queueId() == queueId && key.topic().equals(topic)) {
                tracker.covering(offset, all::add);
            }
        });
        List<DeliveryEvent> entries = new ArrayList<>(all);
        entries.sort(Comparator.comparingLong(DeliveryEvent::firstMillis).thenComparing(DeliveryEvent::kind));
        return entries;
    }

    private static void addIfCovering(
            Set<DeliveryEvent> all, DeliveryEvent entry, String topic, int queueId, long offset) {
        if (entry.queueId() == queueId
                && entry.fromOffset() <= offset
                && offset < entry.toOffset()
                && entry.topic().equals(topic)) {
            all.add(entry);
        }
    }

    /**
     * Who reads the queue for the group and how far it was handed out. What this run of the broker did not see itself is put together from
     * the log, from the committed offset on. Null when nothing is known. May read the disk.
     */
    public QueueOwner handedOut(String group, String topic, int queueId, long committed) {
        QueueOwner out = puller(group, topic, queueId);
        long from = Math.max(0, committed);
        if (out != null && out.toOffset() > 0 && out.fromOffset() <= from) {
            return out;
        }
        QueueOwner before = fromLog(group, topic, queueId, from);
        if (out == null || before == null) {
            return out == null ? before : out;
        }
        // A client that came back on another connection goes on where it was: it still has what it was handed before.
        boolean goesOn = before.client().equals(out.client()) && before.toOffset() >= out.fromOffset();
        return !goesOn
                ? out
                : new QueueOwner(
                        out.client(),
                        out.isNamed(),
                        out.isConnected(),
                        out.sinceMillis(),
                        out.lastPullMillis(),
                        before.fromOffset(),
                        Math.max(before.toOffset(), out.toOffset()),
                        Math.max(before.lastDeliveryMillis(), out.lastDeliveryMillis()));
    }

    /** Who pulled from the queue last, and how far, as this run of the broker saw it; null when nobody did. Pops do not count. */
    public QueueOwner puller(String group, String topic, int queueId) {
        QueueDeliveryTracker tracker = queues.get(new Key(group, topic, queueId));
        return tracker == null ? null : tracker.handedOut();
    }

    private QueueOwner fromLog(String group, String topic, int queueId, long committed) {
        String client = null;
        long to = committed;
        long last = 0;
        for (int step = 0; step < MOST_STEPS; step++) {
            DeliveryEvent newest = null;
            for (DeliveryEvent entry : of(topic, queueId, to, 4_096)) {
                if (entry.kind() == DeliveryKind.DELIVERED
                        && entry.group().equals(group)
                        && (newest == null || entry.lastMillis() >= newest.lastMillis())) {
                    newest = entry;
                }
            }
            if (newest == null) {
                break;
            }
            client = newest.client();
            to = newest.toOffset();
            last = Math.max(last, newest.lastMillis());
        }
        return client == null ? null : new QueueOwner(client, false, false, 0, 0, committed, to, last);
    }

    /** Entries that were not kept, since the start. */
    public long lost() {
        return lost.sum();
    }

    // ---- for trackers

    long nowMillis() {
        return storeMillis.getAsLong();
    }

    String clientOf(String group, Connection connection) {
        return clients.idOf(group, connection);
    }

    static String address(Connection connection) {
        return connection.remoteAddress().getHostString() + ":"
                + connection.remoteAddress().getPort();
    }

    void toBeWritten(QueueDeliveryTracker tracker) {
        noted.add(tracker);
    }

    void ended(DeliveryEvent entry) {
        ended.add(entry);
        if (endedCount.incrementAndGet() > mostUnwritten && ended.poll() != null) {
            endedCount.decrementAndGet();
            lost.increment();
        }
    }

    // ---- writing

    @Override
    public String roleName() {
        return "broker-deliveries";
    }

    /** Writes what was noted since the last run. */
    @Override
    public long run() {
        write();
        forgetSome();
        tellLosses();
        return WRITE_NANOS;
    }

    /** Hands everything that was noted to the store; its close waits for what it was handed. */
    @Override
    public void close() {
        write();
    }

    private void write() {
        // As many as stand there now: who is noted meanwhile comes with the next run.
        for (int left = noted.size(); left > 0; left--) {
            QueueDeliveryTracker tracker = noted.poll();
            if (tracker == null) {
                break;
            }
            tracker.endAll();
            if (endedCount.get() >= RECORD_ENTRIES) {
                writeEnded();
            }
        }
        writeEnded();
    }

    private void writeEnded() {
        while (onTheWay.size() < mostUnwritten) {
            List<DeliveryEvent> entries = new ArrayList<>();
            while (entries.size() < RECORD_ENTRIES) {
                DeliveryEvent entry = ended.poll();
                if (entry == null) {
                    break;
                }
                endedCount.decrementAndGet();
                onTheWay.add(entry);
                entries.add(entry);
            }
            if (entries.isEmpty()) {
                return;
            }
            target.record(entries, outcome -> {
                entries.forEach(onTheWay::remove);
                if (!(outcome instanceof Stored)) {
                    lost.add(entries.size()); // not tried again: the deliveries must never stand in the way of messages
                }
            });
        }
    }

    /** Forgets queues whose reader is gone, then those that were read longest ago. */
    private void forgetSome() {
        if (queues.size() <= mostQueues) {
            return;
        }
        List<QueueDeliveryTracker> all = new ArrayList<>(queues.values());
        Map<QueueDeliveryTracker, Long> value = new ConcurrentHashMap<>(all.size());
        all.forEach(tracker -> value.put(tracker, tracker.isHeld() ? tracker.lastPullMillis() : Long.MIN_VALUE));
        all.sort(Comparator.comparing(value::get));
        for (QueueDeliveryTracker tracker : all.subList(0, all.size() - mostQueues * 7 / 8)) {
            queues.remove(new Key(tracker.group(), tracker.topic(), tracker.queueId()), tracker);
        }
    }

    private void tellLosses() {
        long now = lost();
        if (now != lostTold) {
            log.warn(
                    "{} notes of who got and acknowledged messages were not kept, {} since the start",
                    now - lostTold,
                    now);
            lostTold = now;
        }
    }
}
