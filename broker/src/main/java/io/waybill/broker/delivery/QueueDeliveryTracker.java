/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.delivery;

import io.waybill.remoting.Connection;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvent.DeliveryKind;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * What one group does with one queue: which client reads it, how far it was handed out, and what is not written yet.
 *
 * <p>What always holds: each record is one connection; the last to read is the currentOwner. A note that continues the one before extends it, so
 * a steady reader costs two numbers. Safe from any thread; the lock is held for a few assignments.
 */
public final class QueueDeliveryTracker {
    /** Connections remembered of one queue; only groups that broadcast have more than two or three. */
    private static final int MOST_CONNECTIONS = 64;

    private final DeliveryLog deliveries;
    private final String group;
    private final String topic;
    private final int queueId;

    // All below guarded by this.
    private final List<ConnectionRecord> connections = new ArrayList<>(1);
    private ConnectionRecord currentOwner;
    private boolean isNoted;

    QueueDeliveryTracker(DeliveryLog deliveries, String group, String topic, int queueId) {
        this.deliveries = deliveries;
        this.group = group;
        this.topic = topic;
        this.queueId = queueId;
    }

    /** One connection, and its notes that are not written yet. */
    private static final class ConnectionRecord {
        final long connectionId;
        Connection connection;
        String client;
        boolean isNamed;
        long sinceMillis;
        long lastPullMillis;
        long runFrom;
        long runTo = -1;
        long lastDeliveryMillis;
        final Note delivered = new Note();
        final Note acknowledged = new Note();

        ConnectionRecord(Connection connection) {
            this.connectionId = connection.id();
            this.connection = connection;
        }
    }

    private static final class Note {
        DeliveryKind kind;
        long from;
        long to;
        long firstMillis;
        long lastMillis;

        boolean isEmpty() {
            return kind == null;
        }
    }

    String group() {
        return group;
    }

    String topic() {
        return topic;
    }

    int queueId() {
        return queueId;
    }

    /** A client asks for messages. */
    public void pulled(Connection connection) {
        long nowMillis = deliveries.nowMillis();
        synchronized (this) {
            hold(connection, nowMillis).lastPullMillis = nowMillis;
        }
    }

    /** Messages from an offset (inclusive) to another are handed out. */
    public void delivered(long from, long to, Connection connection, boolean isReplay) {
        if (from < 0 || to <= from) {
            return;
        }
        long nowMillis = deliveries.nowMillis();
        synchronized (this) {
            ConnectionRecord record = hold(connection, nowMillis);
            record.lastPullMillis = nowMillis;
            record.lastDeliveryMillis = nowMillis;
            move(record, from, to);
            note(
                    record,
                    record.delivered,
                    isReplay ? DeliveryKind.REPLAYED : DeliveryKind.DELIVERED,
                    from,
                    to,
                    nowMillis);
        }
    }

    /** Messages are handed out until they are acknowledged one by one or their time is over: the reader gets no farther by it. */
    void popped(long from, long to, Connection connection) {
        noteAside(from, to, connection, DeliveryKind.DELIVERED);
    }

    /** A client was told to go on at {@code to}: between there was nothing for it. */
    public void passed(long from, long to, Connection connection) {
        long nowMillis = deliveries.nowMillis();
        synchronized (this) {
            ConnectionRecord record = hold(connection, nowMillis);
            if (record.runTo == from) {
                record.runTo = to;
            }
        }
    }

    /** A client says it is done with messages. */
    void acknowledged(long from, long to, Connection connection) {
        noteAside(from, to, connection, DeliveryKind.ACKNOWLEDGED);
    }

    /** Notes what does not move the reader of the queue. */
    private void noteAside(long from, long to, Connection connection, DeliveryKind kind) {
        if (from < 0 || to <= from) {
            return;
        }
        long nowMillis = deliveries.nowMillis();
        synchronized (this) {
            ConnectionRecord record = find(connection);
            if (record == null) {
                record = add(connection, nowMillis);
            }
            Note note = kind == DeliveryKind.ACKNOWLEDGED ? record.acknowledged : record.delivered;
            note(record, note, kind, from, to, nowMillis);
        }
    }

    private static void move(ConnectionRecord record, long from, long to) {
        boolean continues = record.runTo >= 0 && from >= record.runFrom && from <= record.runTo;
        if (!continues) {
            record.runFrom = from; // it sought, was reset, or begins
        }
        record.runTo = to;
    }

    private ConnectionRecord hold(Connection connection, long nowMillis) {
        ConnectionRecord record = currentOwner;
        if (record != null && record.connectionId == connection.id()) {
            return record;
        }
        record = find(connection);
        if (record == null) {
            record = add(connection, nowMillis);
        }
        record.sinceMillis = nowMillis;
        record.runTo = -1;
        currentOwner = record;
        return record;
    }

    private ConnectionRecord find(Connection connection) {
        for (ConnectionRecord record : connections) {
            if (record.connectionId == connection.id()) {
                return record;
            }
        }
        return null;
    }

    private ConnectionRecord add(Connection connection, long nowMillis) {
        if (connections.size() >= MOST_CONNECTIONS) {
            ConnectionRecord oldest = connections.get(0) == currentOwner ? connections.get(1) : connections.get(0);
            connections.remove(oldest);
            end(oldest, oldest.delivered);
            end(oldest, oldest.acknowledged);
        }
        ConnectionRecord record = new ConnectionRecord(connection);
        record.sinceMillis = nowMillis;
        name(record);
        connections.add(record);
        return record;
    }

    private void name(ConnectionRecord record) {
        if (record.isNamed || record.connection == null) {
            return;
        }
        String id = deliveries.clientOf(group, record.connection);
        record.isNamed = id != null;
        record.client = id != null ? id : DeliveryLog.address(record.connection);
    }

    private void note(ConnectionRecord record, Note note, DeliveryKind kind, long from, long to, long nowMillis) {
        if (note.isEmpty() || note.kind != kind || note.to != from || to - note.from > DeliveryEvent.MAX_SPAN) {
            end(record, note);
            for (long at = from; to - at > DeliveryEvent.MAX_SPAN; at += DeliveryEvent.MAX_SPAN) {
                begin(note, kind, at, at + DeliveryEvent.MAX_SPAN, nowMillis);
                end(record, note);
            }
            long rest = (to - from) % DeliveryEvent.MAX_SPAN;
            begin(note, kind, to - (rest == 0 ? DeliveryEvent.MAX_SPAN : rest), to, nowMillis);
        } else {
            note.to = to;
            note.lastMillis = nowMillis;
        }
        if (!isNoted) {
            isNoted = true;
            deliveries.toBeWritten(this);
        }
    }

    private static void begin(Note note, DeliveryKind kind, long from, long to, long nowMillis) {
        note.kind = kind;
        note.from = from;
        note.to = to;
        note.firstMillis = nowMillis;
        note.lastMillis = nowMillis;
    }

    private void end(ConnectionRecord record, Note note) {
        if (!note.isEmpty()) {
            deliveries.ended(entry(record, note));
            note.kind = null;
        }
    }

    private DeliveryEvent entry(ConnectionRecord record, Note note) {
        return new DeliveryEvent(
                note.kind, group, topic, queueId, note.from, note.to, record.client, note.firstMillis, note.lastMillis);
    }

    // ---- for the delivery log

    /** Ends every note; the delivery log writes them. */
    synchronized void endAll() {
        isNoted = false;
        for (ConnectionRecord record : connections) {
            name(record);
            end(record, record.delivered);
            end(record, record.acknowledged);
        }
        connections.removeIf(record -> record != currentOwner && !record.connection.isOpen());
    }

    /** The notes not written yet that cover the offset. */
    synchronized void covering(long offset, Consumer<DeliveryEvent> visitor) {
        for (ConnectionRecord record : connections) {
            for (Note note : List.of(record.delivered, record.acknowledged)) {
                if (!note.isEmpty() && note.from <= offset && offset < note.to) {
                    name(record);
                    visitor.accept(entry(record, note));
                }
            }
        }
    }

    /** Who reads the queue now; null when nobody did since this was made. */
    synchronized QueueOwner handedOut() {
        ConnectionRecord record = currentOwner;
        if (record == null) {
            return null;
        }
        name(record);
        return new QueueOwner(
                record.client,
                record.isNamed,
                record.connection.isOpen(),
                record.sinceMillis,
                record.lastPullMillis,
                Math.max(0, record.runFrom),
                Math.max(0, record.runTo),
                record.lastDeliveryMillis);
    }

    synchronized boolean isHeld() {
        return currentOwner != null && currentOwner.connection.isOpen();
    }

    synchronized long lastPullMillis() {
        return currentOwner == null ? 0 : currentOwner.lastPullMillis;
    }
}
