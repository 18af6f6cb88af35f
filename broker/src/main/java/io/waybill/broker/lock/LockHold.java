/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import io.waybill.protocol.body.MessageQueue;
import io.waybill.remoting.Connection;
import io.waybill.store.record.QueueLock;
import java.util.List;
import java.util.function.Function;

/**
 * The lock of one queue for one group, and what may become of it: pure, all times are given. Guarded by the table in {@link QueueLocks}.
 *
 * <p>A holder is a client id on one connection (ADR 0027). One that an earlier run or tenure recorded has no connection yet: the first connection of that
 * client id is it, unless two processes with the id were known; then nobody can tell which of them comes, and both wait for the end (ADR 0031).
 */
final class LockHold {
    /** So many times the expiry an ended lock is remembered, for the commits of who had it or waited for it. */
    static final int REMEMBERED_EXPIRIES = 5;

    static final long NOBODY = -1;

    String clientId = "";
    /** Null while the client has not come back since an earlier run. */
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
    /** Recorded by an earlier run, with two processes of this client id: nobody can tell which of them comes back. */
    boolean wasShared;
    /** The holder that the log names, with what was handed to it; empty for none, null when that is not known. */
    String recorded = "";

    boolean isRecordedShared;
    /** Number of the first grant of this hold while its record is not confirmed, 0 for none: until then the lock does not end by itself. */
    long unconfirmed;

    /** As an earlier run or tenure recorded it; it counts as renewed when this one began. */
    static LockHold of(QueueLock recorded, long beganNanos) {
        LockHold hold = new LockHold();
        hold.clientId = recorded.clientId();
        hold.wasShared = recorded.isShared();
        hold.takenNanos = beganNanos;
        hold.renewedNanos = beganNanos;
        hold.recorded = recorded.clientId();
        hold.isRecordedShared = recorded.isShared();
        return hold;
    }

    static QueueLock recordOf(String group, MessageQueue queue, String clientId, boolean isShared) {
        return new QueueLock(group, queue.topic(), queue.queueId(), clientId, isShared);
    }

    boolean isLive(long now, long expiryNanos) {
        return !isReleased && (unconfirmed != 0 || now - renewedNanos <= expiryNanos);
    }

    boolean isForgotten(long now, long expiryNanos) {
        return now - renewedNanos > REMEMBERED_EXPIRIES * expiryNanos;
    }

    boolean isShared() {
        return rival != NOBODY || wasShared;
    }

    boolean isHeldBy(String client, Connection on) {
        return !isReleased && clientId.equals(client) && connection != null && connection.id() == on.id();
    }

    boolean isConnected() {
        return connection != null && connection.isOpen();
    }

    /** Whether the client that holds it comes for it on another connection, as far as can be known. */
    boolean mayBeTakenAlong(Connection other, long now, long expiryNanos) {
        if (connection == null) {
            return !wasShared;
        }
        if (rival == other.id()) {
            return false;
        }
        return !connection.isOpen() || now - renewedNanos > expiryNanos / 2;
    }

    /** Whether an unlock of the holder's client on this connection can be the holder's own. */
    boolean mayBeUnlocked(Connection by) {
        if (connection == null) {
            return !wasShared;
        }
        return connection.id() == by.id() || !connection.isOpen() && rival != by.id();
    }

    /**
     * Whether a commit comes from the process that has or had the lock: on the lock's own connection, or on another one of its client when the
     * lock's is no member's. The latter is a client that locks and commits beside the connection of its heartbeats, or one that reconnected.
     *
     * @param client the member on the connection, or null
     * @param memberOn the member on any connection, or null
     */
    boolean isHolder(String client, Connection on, Function<Connection, String> memberOn) {
        if (connection == null) {
            return clientId.equals(client) && !wasShared;
        }
        if (connection.id() == on.id()) {
            return true;
        }
        return clientId.equals(client)
                && rival != on.id()
                && askedBy != on.id()
                && (!connection.isOpen() || memberOn.apply(connection) == null);
    }

    /** Nobody holds it any more: after a restart nobody is to wait for it. */
    void recordEnd(String group, MessageQueue queue, List<QueueLock> ended) {
        if (!"".equals(recorded)) {
            recorded = "";
            isRecordedShared = false;
            ended.add(recordOf(group, queue, "", false));
        }
    }
}
