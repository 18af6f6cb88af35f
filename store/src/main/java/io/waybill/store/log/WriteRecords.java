/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.ControlRecord;
import java.util.List;

/** Records that need nothing to be so before them, behind another change that needs nothing; all or none. */
final class WriteRecords extends Change {
    private final Change first;
    private final List<ControlRecord> records;
    private final int size;

    /** @param first null for none */
    WriteRecords(Change first, List<? extends ControlRecord> records, Completion done) {
        super(done);
        if (records.isEmpty()) {
            throw new IllegalArgumentException("a change needs a record");
        }
        this.first = first;
        this.records = List.copyOf(records);
        this.size = sizeOf(this.records);
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
        return size + (first == null ? 0 : first.size());
    }

    @Override
    Outcome encode(FrameBuilder frame, Pending pending) {
        Outcome made = first == null ? null : first.encode(frame, pending);
        Stored stored = add(records, frame);
        return made == null ? stored : made;
    }

    /** Returns what became of the first. */
    static Stored add(List<? extends ControlRecord> records, FrameBuilder frame) {
        Stored first = frame.add(records.get(0));
        for (int i = 1; i < records.size(); i++) {
            frame.add(records.get(i));
        }
        return first;
    }
}
