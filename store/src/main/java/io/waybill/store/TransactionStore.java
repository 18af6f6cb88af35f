/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.MessageWrites;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.Views;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Half messages, their checks and their decisions. What always holds: the first decision on a half message wins and stays
 * known as long as the log keeps its record. What came after it is in {@link ConflictStore}.
 */
public final class TransactionStore {
    private final Views views;
    private final CommitLog log;
    private final QueueReader reader;

    TransactionStore(Views views, CommitLog log, QueueReader reader) {
        this.views = views;
        this.log = log;
        this.reader = reader;
    }

    // ---- changes

    /**
     * Keeps a message invisible until it is decided; a first check is due at the given store time.
     *
     * @param unique a key it must be the only one to hold, see {@link MessageStore#appendUnique}; null for none
     * @param sender the client id of who sent it; empty if not known
     */
    public void appendHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        log.submit(MessageWrites.appendHalf(unique, message, producerGroup, sender, firstCheckMillis, done));
    }

    /**
     * Ends a half message. The first decision wins: a later one is refused as ALREADY_DECIDED with the prior one.
     *
     * @param by who decided, for people
     * @param finalCopy for COMMIT the visible copy, for ROLLBACK null, for EXHAUSTED null or what is put aside for people. Its
     *     preparedTransactionOffset becomes the handle
     * @param dueMillis for COMMIT: 0 = visible now, else the copy is kept as a delayed message and its new handle is returned
     */
    public void decide(
            long handle,
            Decision outcome,
            boolean fromCheck,
            String by,
            MessageDraft finalCopy,
            long dueMillis,
            Completion done) {
        log.submit(MessageWrites.decide(handle, outcome, fromCheck, by, finalCopy, dueMillis, done));
    }

    /**
     * Records that {@code count} checks of a half message were delivered so far and when the next is due.
     *
     * @param client who was asked; empty if nobody was, then the history has no event of it
     * @param reason why that one, or nobody
     * @param sender the client id of who sent the half message, if that was learnt; else empty
     */
    public void recordCheck(
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            Completion done) {
        log.submit(MessageWrites.checked(handle, count, nextCheckMillis, client, reason, sender, done));
    }

    /** Records what a client said when it was asked; decides nothing. Refused as NOT_FOUND when neither it nor its decision is known. */
    public void recordCheckAnswer(long handle, String client, String answer, Completion done) {
        log.submit(MessageWrites.answered(handle, client, answer, done));
    }

    // ---- reads

    /** Null if it is not open. */
    public PendingHalf openHalf(long handle) {
        return views.transactions().get(handle);
    }

    /** Open half messages, oldest first. */
    public List<PendingHalf> openHalves(int max) {
        return views.transactions().first(max);
    }

    /** The next open half messages behind a handle, oldest first; -1 for the first ones. */
    public List<PendingHalf> openHalvesAfter(long handle, int max) {
        return views.transactions().behind(handle, max);
    }

    public long openHalfCount() {
        return views.transactions().openCount();
    }

    /** The decision of a half message, as long as the log keeps it; else null. */
    public DecisionRecord decisionOf(long handle) {
        return views.transactions().decisionOf(handle);
    }

    /**
     * The message a decision made visible: of a COMMIT, or what was put aside. Null after a ROLLBACK, while a commit is
     * delayed, and when the log no longer keeps it. May block on the disk.
     */
    public ByteBuffer readDecided(long handle) {
        return reader.readBehind(views.transactions().decisionOf(handle), handle);
    }

    /** The checks of a half message, oldest first, also after its decision, as long as the log keeps their records. */
    public List<CheckEvent> checksOf(long handle) {
        return views.transactions().checksOf(handle);
    }
}
