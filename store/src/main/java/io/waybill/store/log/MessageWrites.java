/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.ClosingMark;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.UniqueKey;
import java.util.List;

/**
 * The changes of messages, transactions and timers: what must be so before each, and the records it is. What they mean is said at
 * the doors of {@link io.waybill.store.Store}. Of everything else see {@link StateWrites}.
 */
public final class MessageWrites {
    private MessageWrites() {}

    // ---- new messages

    public static LogWrite append(UniqueKey unique, MessageDraft message, Completion done) {
        return unique(unique, message, new Appends.One(message, done), done);
    }

    public static LogWrite appendBatch(List<MessageDraft> sameQueue, Completion done) {
        return new Appends.PlainBatch(sameQueue, done);
    }

    public static LogWrite appendBatch(List<MessageDraft> sameQueue, List<UniqueKey> uniques, Completion done) {
        return new Appends.UniqueBatch(sameQueue, uniques, done);
    }

    public static LogWrite appendHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        HalfMessage record = new HalfMessage(producerGroup, sender, firstCheckMillis);
        return unique(unique, message, new Appends.Invisible(record, message, done), done);
    }

    public static LogWrite appendTimer(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        DelayedMessage record = new DelayedMessage(dueMillis, message.topic(), message.queueId(), message.indexKeys());
        return unique(unique, message, new Appends.Invisible(record, message, done), done);
    }

    private static LogWrite unique(UniqueKey unique, MessageDraft message, LogWrite plain, Completion done) {
        return unique == null ? plain : new Appends.Unique(unique, message.queueId(), plain, done);
    }

    // ---- transactions

    public static LogWrite decide(
            long handle,
            Decision outcome,
            boolean fromCheck,
            String by,
            MessageDraft copy,
            long dueMillis,
            Completion done) {
        if (outcome == Decision.COMMIT && copy == null || outcome == Decision.ROLLBACK && copy != null) {
            throw new IllegalArgumentException("a COMMIT needs the final copy, a ROLLBACK must not have one");
        }
        WriteRecords.Precondition open = pending -> pending.judgeHalf(handle);
        DecisionRecord record = new DecisionRecord(handle, -1, outcome, fromCheck, 0, by);
        return copy == null
                ? new WriteRecords(open, List.of(record), true, done)
                : new WriteWithCopy(open, record, null, copy, dueMillis, done);
    }

    public static LogWrite checked(
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            Completion done) {
        return write(
                pending -> pending.judgeHalf(handle),
                new CheckRecord(-1, handle, count, nextCheckMillis, client, reason, sender, 0),
                done);
    }

    public static LogWrite answered(long handle, String client, String answer, Completion done) {
        return write(pending -> pending.judgeAnswer(handle), new CheckAnswer(-1, handle, client, answer, 0), done);
    }

    public static LogWrite conflict(DecisionConflict conflict, Completion done) {
        return write(pending -> pending.judgeConflict(conflict.handle(), conflict.late()), conflict, done);
    }

    /** Delivers the message of a rolled back transaction after all, once. */
    public static LogWrite publish(
            long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        PublishRecord record = new PublishRecord(handle, -1, 0, by);
        return new WriteWithCopy(pending -> pending.judgePublish(handle), record, unique, copy, dueMillis, done);
    }

    // ---- timers

    public static LogWrite fire(long handle, MessageDraft copy, Completion done) {
        return new Fire(handle, copy, done);
    }

    public static LogWrite cancel(long handle, String by, Completion done) {
        return new Cancel(handle, by, done);
    }

    public static LogWrite reschedule(long handle, long dueMillis, Completion done) {
        return write(pending -> pending.judgeDue(handle), new TimerRescheduled(-1, handle, dueMillis), done);
    }

    // ---- of the log itself

    /** Says that all below a position may be missing. */
    static LogWrite dropped(long upTo, Completion done) {
        return new WriteRecords(List.of(new Dropped(-1, upTo)), done);
    }

    private static LogWrite write(WriteRecords.Precondition precondition, ControlRecord record, Completion done) {
        return new WriteRecords(precondition, List.of(record), true, done);
    }

    /** Closes the log cleanly. */
    static final class Mark extends LogWrite {
        private static final int SIZE = new ClosingMark(-1, 0).size();

        Mark(Completion done) {
            super(done);
        }

        @Override
        int size() {
            return SIZE;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.stored(frame.add(new ClosingMark(-1, frame.frame().epoch)));
        }
    }
}
