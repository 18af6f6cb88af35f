/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.LogRecord;
import java.util.function.Consumer;

/**
 * The records of frames that are not applied yet, for changes that restate older ones: what a frame on its way says anew must
 * not be restated. Used by the holder of the writer's role only.
 */
final class UnappliedRecords implements Rewrites.UnappliedLog {
    /** The last frame of the carrier's chain of which nothing is needed any more. */
    private WrittenFrame applied;

    private final FrameBuilder builder;

    UnappliedRecords(WrittenFrame applied, FrameBuilder builder) {
        this.applied = applied;
        this.builder = builder;
    }

    void prune(long appliedIndex) {
        while (applied.next != null && applied.next.index <= appliedIndex) {
            applied = applied.next;
        }
    }

    @Override
    public void forEach(Consumer<LogRecord> visitor) {
        for (WrittenFrame frame = applied.next; frame != null; frame = frame.next) {
            frame.entries.forEach(visitor);
        }
        builder.frame().entries.forEach(visitor);
    }
}
