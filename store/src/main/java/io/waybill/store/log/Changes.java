/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.ClosingMark;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.PendingReset;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.UniqueKey;
import java.util.ArrayList;
import java.util.List;

/** The changes there are: what must be so before each, and the records it is. What they mean is said at the doors of {@link io.waybill.store.Store}. */
final class Changes {
    private Changes() {}

    // ---- new messages

    static Change append(UniqueKey unique, MessageDraft message, Completion done) {
        return unique(unique, message, new Appends.One(message, done), done);
    }

    static Change appendBatch(List<MessageDraft> sameQueue, Completion done) {
        return new Appends.Batch(sameQueue, done);
    }

    static Change appendBatch(List<MessageDraft> sameQueue, List<UniqueKey> uniques, Completion done) {
        return new Appends.UniqueBatch(sameQueue, uniques, done);
    }

    static Change appendHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        HalfMessage record = new HalfMessage(producerGroup, sender, firstCheckMillis);
        return unique(unique, message, new Appends.Invisible(record, message, done), done);
    }

    static Change appendTimer(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        DelayedMessage record = new DelayedMessage(dueMillis, message.topic(), message.queueId(), message.indexKeys());
        return unique(unique, message, new Appends.Invisible(record, message, done), done);
    }

    private static Change unique(UniqueKey unique, MessageDraft message, Change plain, Completion done) {
        return unique == null ? plain : new Appends.Unique(unique, message.queueId(), plain, done);
    }

    // ---- transactions

    static Change decide(
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

    static Change checked(
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

    static Change answered(long handle, String client, String answer, Completion done) {
        return write(pending -> pending.judgeAnswer(handle), new CheckAnswer(-1, handle, client, answer, 0), done);
    }

    static Change conflict(DecisionConflict conflict, Completion done) {
        return write(pending -> pending.judgeConflict(conflict.handle(), conflict.late()), conflict, done);
    }

    /** Delivers the message of a rolled back transaction after all, once. */
    static Change publish(
            long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        PublishRecord record = new PublishRecord(handle, -1, 0, by);
        return new WriteWithCopy(pending -> pending.judgePublish(handle), record, unique, copy, dueMillis, done);
    }

    // ---- timers

    static Change fire(long handle, MessageDraft copy, Completion done) {
        return new Fire(handle, copy, done);
    }

    static Change cancel(long handle, String by, Completion done) {
        return new Cancel(handle, by, done);
    }

    static Change reschedule(long handle, long dueMillis, Completion done) {
        return write(pending -> pending.judgeDue(handle), new TimerRescheduled(-1, handle, dueMillis), done);
    }

    // ---- the rest

    static Change commitOffsets(List<ConsumerOffset> offsets, List<PendingReset> resets, Completion done) {
        List<ControlRecord> records = new ArrayList<>(1 + resets.size());
        if (!offsets.isEmpty() || resets.isEmpty()) {
            records.add(new ConsumerOffsets(-1, List.copyOf(offsets)));
        }
        records.addAll(resets);
        return new WriteRecords(records, done);
    }

    static Change putCatalog(CatalogKind kind, String name, byte[] value, Completion done) {
        return new WriteRecords(List.of(new CatalogRecord(-1, kind, name, value)), done);
    }

    static Change pop(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        return new Appends.AndPopSteps(visible, new PopSteps(-1, deltas), done);
    }

    /** Refused on a full disk, as it is for people only. */
    static Change deliveries(List<DeliveryEvent> events, Completion done) {
        if (events.isEmpty()) {
            throw new IllegalArgumentException("a record of deliveries needs an event");
        }
        return new WriteRecords(
                WriteRecords.Precondition.NONE, List.of(new DeliveryEvents(-1, List.copyOf(events))), false, done);
    }

    static Change settle(List<MessageDraft> copies, List<Settlement> ranges, Completion done) {
        return new Settle(ranges, copies.isEmpty() ? null : pop(copies, List.of(), done), done);
    }

    static Change settleAsHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            List<Settlement> ranges,
            Completion done) {
        return new Settle(ranges, appendHalf(unique, message, producerGroup, sender, firstCheckMillis, done), done);
    }

    /** Says that all below a position may be missing. */
    static Change dropped(long upTo, Completion done) {
        return new WriteRecords(List.of(new Dropped(-1, upTo)), done);
    }

    private static Change write(WriteRecords.Precondition precondition, ControlRecord record, Completion done) {
        return new WriteRecords(precondition, List.of(record), true, done);
    }

    /** Closes the log cleanly. */
    static final class Mark extends Change {
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
