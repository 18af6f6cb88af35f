/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;

/** A record that ends something pending, and the visible (or delayed) copy behind it in the same frame, so that neither is ever there alone (ADR 0003). */
final class WriteWithCopy extends LogWrite {
    private final WriteRecords.Precondition precondition;
    private final ControlRecord record;
    private final UniqueKey unique;
    private final MessageDraft copy;
    /** Null for a visible copy. */
    private final DelayedMessage delayed;

    private final int size;

    /**
     * @param unique the key the copy claims again, or null
     * @param dueMillis 0 for a visible copy
     */
    WriteWithCopy(
            WriteRecords.Precondition precondition,
            ControlRecord record,
            UniqueKey unique,
            MessageDraft copy,
            long dueMillis,
            Completion done) {
        super(done);
        this.precondition = precondition;
        this.record = record;
        this.unique = unique;
        this.copy = copy;
        this.delayed =
                dueMillis == 0 ? null : new DelayedMessage(dueMillis, copy.topic(), copy.queueId(), copy.indexKeys());
        this.size = record.size()
                + copy.size()
                + (delayed == null ? 0 : delayed.bytesBefore())
                + (unique == null ? 0 : UniqueKeyClaim.sizeOf(unique));
    }

    @Override
    int size() {
        return size;
    }

    @Override
    long weight() {
        return super.weight() + Appends.extraOf(copy);
    }

    @Override
    Outcome judge(Pending pending) {
        Outcome refused = precondition.judge(pending);
        return refused != null || unique == null ? refused : Appends.Unique.judge(unique, pending);
    }

    @Override
    Stored encode(FrameBuilder frame, Pending pending) {
        pending.note(frame.index(), frame.add(record));
        long handle = record.handle();
        Stored stored = delayed == null ? frame.visible(copy, handle) : frame.pending(delayed, copy, handle);
        if (unique != null) {
            Appends.Unique.hold(unique, copy.queueId(), stored, frame, pending);
        }
        return stored;
    }
}
