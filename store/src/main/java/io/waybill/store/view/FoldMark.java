/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import io.waybill.store.record.ViewsDamaged;

/** What is recorded with a checkpoint, besides the views: {@code version 1 | the components, 8 each}. */
record FoldMark(Checkpoint checkpoint, long openHalves, long pendingDue) {
    private static final int VERSION = 9;

    byte[] encode() {
        return new Packer(96)
                .i8(VERSION)
                .i64(checkpoint.position())
                .i64(checkpoint.frameIndex())
                .i64(checkpoint.epoch())
                .i64(checkpoint.storeTimeMillis())
                .i64(checkpoint.oldestPosition())
                .i64(checkpoint.frameBase())
                .i64(checkpoint.frameChecksum())
                .i64(openHalves)
                .i64(pendingDue)
                .done();
    }

    static FoldMark decode(byte[] value) {
        if (value == null) {
            return new FoldMark(Checkpoint.EMPTY, 0, 0);
        }
        Unpacker unpacker = new Unpacker(value, 0);
        int version = unpacker.i8();
        if (version != VERSION) {
            throw new ViewsDamaged("the views have version " + version + ", known is " + VERSION);
        }
        Checkpoint checkpoint = new Checkpoint(
                unpacker.i64(), unpacker.i64(), unpacker.i64(), unpacker.i64(), unpacker.i64(), unpacker.i64(), (int)
                        unpacker.i64());
        return new FoldMark(checkpoint, unpacker.i64(), unpacker.i64());
    }
}
