/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.TimerCancelled;

/** Cancels a delayed message. Its topic and keys are looked up when it is its turn. */
final class Cancel extends LogWrite {
    private static final long MOST_USUAL_BYTES = 1024;

    private final long handle;
    private final String by;
    private TimerCancelled record;

    Cancel(long handle, String by, Completion done) {
        super(done);
        this.handle = handle;
        this.by = by;
        this.record = new TimerCancelled(-1, handle, 0, by, "", null);
    }

    @Override
    int size() {
        return record.size();
    }

    @Override
    long weight() {
        return MOST_USUAL_BYTES + record.size();
    }

    @Override
    Refused judge(Pending pending) {
        Refused refused = pending.judgeDue(handle);
        if (refused == null) {
            // Known: a handle is only returned once its message is applied.
            record = new TimerCancelled(
                    -1,
                    handle,
                    0,
                    by,
                    pending.views().due(handle).topic(),
                    pending.views().keysOfDue(handle));
        }
        return refused;
    }

    @Override
    Stored encode(FrameBuilder frame, Pending pending) {
        TimerCancelled placed = (TimerCancelled) frame.add(record);
        pending.note(frame.index(), placed);
        return frame.stored(placed);
    }
}
