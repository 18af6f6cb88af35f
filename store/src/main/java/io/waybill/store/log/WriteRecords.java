/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.ControlRecord;
import java.util.List;

/** The ordinary change: what must be so, and records that then stand in one frame, all or none. */
final class WriteRecords extends LogWrite {
    /** What must be so before a change; asked inside the writer's role. */
    @FunctionalInterface
    interface Precondition {
        Precondition NONE = pending -> null;

        /** Null if it is so; else the outcome of the change, with nothing written. */
        Outcome judge(Pending pending);
    }

    private final Precondition precondition;
    private final List<ControlRecord> records;
    private final int size;
    private final boolean isControl;

    WriteRecords(List<? extends ControlRecord> records, Completion done) {
        this(Precondition.NONE, records, true, done);
    }

    /** @param isControl whether it may use the room that is held back when the disk is full */
    WriteRecords(Precondition precondition, List<? extends ControlRecord> records, boolean isControl, Completion done) {
        super(done);
        if (records.isEmpty()) {
            throw new IllegalArgumentException("a change needs a record");
        }
        this.precondition = precondition;
        this.records = List.copyOf(records);
        this.size = sizeOf(this.records);
        this.isControl = isControl;
    }

    static int sizeOf(List<? extends ControlRecord> records) {
        long size = 0;
        for (ControlRecord record : records) {
            size += record.size();
        }
        return (int) Math.min(Integer.MAX_VALUE, size);
    }

    @Override
    int size() {
        return size;
    }

    @Override
    boolean isControl() {
        return isControl;
    }

    @Override
    Outcome judge(Pending pending) {
        return precondition.judge(pending);
    }

    @Override
    Stored encode(FrameBuilder frame, Pending pending) {
        return add(records, frame, pending);
    }

    /** Returns what became of the first. */
    static Stored add(List<? extends ControlRecord> records, FrameBuilder frame, Pending pending) {
        Stored first = null;
        for (int i = 0; i < records.size(); i++) {
            ControlRecord placed = frame.add(records.get(i));
            pending.note(frame.index(), placed);
            first = first == null ? frame.stored(placed) : first;
        }
        return first;
    }
}
