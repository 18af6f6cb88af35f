/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.MessageWrites;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.Views;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Predicate;

/**
 * What came after the first decision on a transaction: decisions that came too late, and rolled back messages that are
 * delivered after all. What always holds: neither changes the decision.
 */
public final class ConflictStore {
    private final Views views;
    private final CommitLog log;
    private final QueueReader reader;

    ConflictStore(Views views, CommitLog log, QueueReader reader) {
        this.views = views;
        this.log = log;
        this.reader = reader;
    }

    /**
     * Records that a decision came too late; its position and time are set by the store. Refused as ALREADY_DECIDED when an
     * equal one of the same transaction is known.
     */
    public void recordConflict(DecisionConflict conflict, Completion done) {
        log.submit(MessageWrites.conflict(conflict, done));
    }

    /** The decisions on a transaction that came too late, as long as the log keeps them. */
    public List<DecisionConflict> conflictsOf(long handle) {
        return views.transactions().conflictsOf(handle);
    }

    /** Shows the decisions that came too late, in the order of their half messages, until the visitor has enough. */
    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        views.transactions().visitConflicts(visitor);
    }

    /**
     * Delivers the message of a rolled back transaction after all. Refused as ALREADY_DECIDED with the {@link PublishRecord} of
     * the first time or the {@link io.waybill.store.record.DecisionRecord} that is no rollback, as NOT_FOUND when the log no longer
     * keeps the message, as DUPLICATE when another message holds its key.
     *
     * @param by who wants it, and why, for people
     * @param unique the key it claims again, or null
     * @param copy the visible copy; its preparedTransactionOffset becomes the handle
     * @param dueMillis 0 = visible now, else the copy is kept as a delayed message
     */
    public void publish(long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        log.submit(MessageWrites.publish(handle, by, unique, copy, dueMillis, done));
    }

    /** How a rolled back message was delivered after all; null if it was not, or the log no longer keeps that. */
    public PublishRecord publicationOf(long handle) {
        return views.transactions().published(handle);
    }

    /** The message a publication made visible; null while it is delayed, and when the log no longer keeps it. May block on the disk. */
    public ByteBuffer readPublished(long handle) {
        return reader.readBehind(views.transactions().published(handle), handle);
    }

    /** Where the half message of a rolled back transaction stands; null if the log no longer keeps it. */
    public RolledBack rolledBackHalf(long handle) {
        return views.transactions().rolledBack(handle);
    }

    /** That half message, as long as the log keeps it; else null. May block on the disk. */
    public ByteBuffer readRolledBack(long handle) {
        RolledBack half = views.transactions().rolledBack(handle);
        return half == null ? null : reader.readVerified(half.position(), half.size(), half.frameDelta());
    }
}
