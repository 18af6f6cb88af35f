/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.TimerFired;

/** A delayed message becomes visible; its copy stands behind the record in the same frame. */
final class Fire extends LogWrite {
    private final TimerFired record;
    private final MessageDraft copy;

    Fire(long handle, MessageDraft copy, Completion done) {
        super(done);
        this.record = new TimerFired(-1, handle);
        this.copy = copy;
    }

    @Override
    int size() {
        return record.size() + copy.size();
    }

    @Override
    long weight() {
        return super.weight() + Appends.extraOf(copy);
    }

    @Override
    Refused judge(Pending pending) {
        return pending.judgeFire(record.handle());
    }

    @Override
    Stored encode(FrameBuilder frame, Pending pending) {
        pending.note(frame.index(), frame.add(record));
        // The message says nothing of its timer; only who asked learns the handle.
        Stored visible = frame.visible(copy, 0);
        return new Stored(
                visible.position(), visible.queueOffset(), visible.storeTimeMillis(), visible.size(), record.handle());
    }
}
