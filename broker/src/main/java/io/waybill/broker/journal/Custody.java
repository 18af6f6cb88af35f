/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.journal;

import io.waybill.remoting.Connection;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvent.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * What one group does with one queue: which client reads it, how far it was handed out, and what is not written yet.
 *
 * <p>What always holds: each hand is one connection; the last to read is the holder. A note that continues the one before extends it, so
 * a steady reader costs two numbers. Safe from any thread; the lock is held for a few assignments.
 */
public final class Custody {
    /** Connections remembered of one queue; only groups that broadcast have more than two or three. */
    private static final int MOST_HANDS = 64;

    private final Journal journal;
    private final String group;
    private final String topic;
    private final int queueId;

    // All below guarded by this.
    private final List<Hand> hands = new ArrayList<>(1);
    private Hand holder;
    private boolean isNoted;

    Custody(Journal journal, String group, String topic, int queueId) {
        this.journal = journal;
        this.group = group;
        this.topic = topic;
        this.queueId = queueId;
    }

    /** One connection, and its notes that are not written yet. */
    private static final class Hand {
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

        Hand(Connection connection) {
            this.connectionId = connection.id();
            this.connection = connection;
        }
    }

    private static final class Note {
        Kind kind;
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
        long nowMillis = journal.nowMillis();
        synchronized (this) {
            hold(connection, nowMillis).lastPullMillis = nowMillis;
        }
    }

    /** Messages from an offset (inclusive) to another are handed out. */
    public void delivered(long from, long to, Connection connection, boolean isReplay) {
        if (from < 0 || to <= from) {
            return;
        }
        long nowMillis = journal.nowMillis();
        synchronized (this) {
            Hand hand = hold(connection, nowMillis);
            hand.lastPullMillis = nowMillis;
            hand.lastDeliveryMillis = nowMillis;
            move(hand, from, to);
            note(hand, hand.delivered, isReplay ? Kind.REPLAYED : Kind.DELIVERED, from, to, nowMillis);
        }
    }

    /** Messages are handed out until they are acknowledged one by one or their time is over: the reader gets no farther by it. */
    void popped(long from, long to, Connection connection) {
        if (from < 0 || to <= from) {
            return;
        }
        long nowMillis = journal.nowMillis();
        synchronized (this) {
            Hand hand = find(connection);
            if (hand == null) {
                hand = add(connection, nowMillis);
            }
            note(hand, hand.delivered, Kind.DELIVERED, from, to, nowMillis);
        }
    }

    /** A client was told to go on at {@code to}: between there was nothing for it. */
    public void passed(long from, long to, Connection connection) {
        long nowMillis = journal.nowMillis();
        synchronized (this) {
            Hand hand = hold(connection, nowMillis);
            if (hand.runTo == from) {
                hand.runTo = to;
            }
        }
    }

    /** A client says it is done with messages. */
    void acknowledged(long from, long to, Connection connection) {
        if (from < 0 || to <= from) {
            return;
        }
        long nowMillis = journal.nowMillis();
        synchronized (this) {
            Hand hand = find(connection);
            if (hand == null) {
                hand = add(connection, nowMillis);
            }
            note(hand, hand.acknowledged, Kind.ACKNOWLEDGED, from, to, nowMillis);
        }
    }

    private static void move(Hand hand, long from, long to) {
        boolean continues = hand.runTo >= 0 && from >= hand.runFrom && from <= hand.runTo;
        if (!continues) {
            hand.runFrom = from; // it sought, was reset, or begins
        }
        hand.runTo = to;
    }

    private Hand hold(Connection connection, long nowMillis) {
        Hand hand = holder;
        if (hand != null && hand.connectionId == connection.id()) {
            return hand;
        }
        hand = find(connection);
        if (hand == null) {
            hand = add(connection, nowMillis);
        }
        hand.sinceMillis = nowMillis;
        hand.runTo = -1;
        holder = hand;
        return hand;
    }

    private Hand find(Connection connection) {
        for (Hand hand : hands) {
            if (hand.connectionId == connection.id()) {
                return hand;
            }
        }
        return null;
    }

    private Hand add(Connection connection, long nowMillis) {
        if (hands.size() >= MOST_HANDS) {
            Hand oldest = hands.get(0) == holder ? hands.get(1) : hands.get(0);
            hands.remove(oldest);
            end(oldest, oldest.delivered);
            end(oldest, oldest.acknowledged);
        }
        Hand hand = new Hand(connection);
        hand.sinceMillis = nowMillis;
        name(hand);
        hands.add(hand);
        return hand;
    }

    private void name(Hand hand) {
        if (hand.isNamed || hand.connection == null) {
            return;
        }
        String id = journal.clientOf(group, hand.connection);
        hand.isNamed = id != null;
        hand.client = id != null ? id : Journal.address(hand.connection);
    }

    private void note(Hand hand, Note note, Kind kind, long from, long to, long nowMillis) {
        if (note.isEmpty() || note.kind != kind || note.to != from || to - note.from > DeliveryEvent.MAX_SPAN) {
            end(hand, note);
            for (long at = from; to - at > DeliveryEvent.MAX_SPAN; at += DeliveryEvent.MAX_SPAN) {
                begin(note, kind, at, at + DeliveryEvent.MAX_SPAN, nowMillis);
                end(hand, note);
            }
            long rest = (to - from) % DeliveryEvent.MAX_SPAN;
            begin(note, kind, to - (rest == 0 ? DeliveryEvent.MAX_SPAN : rest), to, nowMillis);
        } else {
            note.to = to;
            note.lastMillis = nowMillis;
        }
        if (!isNoted) {
            isNoted = true;
            journal.toBeWritten(this);
        }
    }

    private static void begin(Note note, Kind kind, long from, long to, long nowMillis) {
        note.kind = kind;
        note.from = from;
        note.to = to;
        note.firstMillis = nowMillis;
        note.lastMillis = nowMillis;
    }

    private void end(Hand hand, Note note) {
        if (!note.isEmpty()) {
            journal.ended(entry(hand, note));
            note.kind = null;
        }
    }

    private DeliveryEvent entry(Hand hand, Note note) {
        return new DeliveryEvent(
                note.kind, group, topic, queueId, note.from, note.to, hand.client, note.firstMillis, note.lastMillis);
    }

    // ---- for the journal

    /** Ends every note; the journal writes them. */
    synchronized void endAll() {
        isNoted = false;
        for (Hand hand : hands) {
            name(hand);
            end(hand, hand.delivered);
            end(hand, hand.acknowledged);
        }
        hands.removeIf(hand -> hand != holder && !hand.connection.isOpen());
    }

    /** The notes not written yet that cover the offset. */
    synchronized void covering(long offset, Consumer<DeliveryEvent> visitor) {
        for (Hand hand : hands) {
            for (Note note : List.of(hand.delivered, hand.acknowledged)) {
                if (!note.isEmpty() && note.from <= offset && offset < note.to) {
                    name(hand);
                    visitor.accept(entry(hand, note));
                }
            }
        }
    }

    /** Who reads the queue now; null when nobody did since this was made. */
    synchronized HandedOut handedOut() {
        Hand hand = holder;
        if (hand == null) {
            return null;
        }
        name(hand);
        return new HandedOut(
                hand.client,
                hand.isNamed,
                hand.connection.isOpen(),
                hand.sinceMillis,
                hand.lastPullMillis,
                Math.max(0, hand.runFrom),
                Math.max(0, hand.runTo),
                hand.lastDeliveryMillis);
    }

    synchronized boolean isHeld() {
        return holder != null && holder.connection.isOpen();
    }

    synchronized long lastPullMillis() {
        return holder == null ? 0 : holder.lastPullMillis;
    }
}
