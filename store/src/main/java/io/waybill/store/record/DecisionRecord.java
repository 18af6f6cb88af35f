/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * The one final decision of a transaction; the first one of a half message counts. What it makes visible stands behind it in the same frame.
 *
 * <pre>
 *   3 DECISION   handle 8, outcome 1, fromCheck 1, atMillis 8, by text
 * </pre>
 *
 * @param position where the decision stands in the log; the record is kept as long as the log keeps it
 * @param by who decided, for people
 */
public record DecisionRecord(long handle, long position, Decision outcome, boolean fromCheck, long atMillis, String by)
        implements ControlRecord {
    public DecisionRecord {
        Objects.requireNonNull(outcome, "outcome");
        by = by == null ? "" : by;
    }

    static DecisionRecord read(RecordReader in) {
        long handle = in.i64();
        Decision outcome = decision(in);
        return new DecisionRecord(handle, in.position(), outcome, in.flag(), in.i64(), in.text());
    }

    static Decision decision(RecordReader in) {
        Decision decision = Decision.ofCode(in.i8());
        if (decision == null) {
            throw UnreadableRecord.newer("unknown decision");
        }
        return decision;
    }

    @Override
    public RecordKind kind() {
        return RecordKind.DECISION;
    }

    @Override
    public int fieldBytes() {
        return 8 + 1 + 1 + 8 + Texts.size(by);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle)
                .put((byte) outcome.code())
                .put((byte) (fromCheck ? 1 : 0))
                .putLong(atMillis);
        Texts.put(to, by);
    }

    @Override
    public DecisionRecord at(long atPosition, long storeTimeMillis) {
        return new DecisionRecord(handle, atPosition, outcome, fromCheck, storeTimeMillis, by);
    }
}
