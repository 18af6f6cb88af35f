/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.RewriteSource;
import io.waybill.store.record.StateRecord;

/** Writes a state record again that is about to be dropped, unless a later record, applied or in flight, says it anew. */
final class RewriteState extends Changes.Carry {
    private final StateRecord record;
    private final RewriteSource views;
    private final Changes.InFlight inFlight;

    RewriteState(StateRecord record, RewriteSource views, Changes.InFlight inFlight, Completion done) {
        super(done);
        this.record = record;
        this.views = views;
        this.inFlight = inFlight;
    }

    @Override
    int size() {
        return record.size();
    }

    @Override
    Refused judge(Pending pending) {
        boolean[] replaced = new boolean[1];
        // Some of what is in flight is applied by now; the record itself may be among it.
        inFlight.forEach(later -> replaced[0] |= later.position() > record.position() && record.isReplacedBy(later));
        return replaced[0] || views.positionOf(record) != record.position() ? superseded() : null;
    }

    @Override
    Stored encode(FrameBuilder frame, Pending pending) {
        return frame.add(record);
    }
}
