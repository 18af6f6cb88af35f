/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.LogRecord;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * The records of frames that are not applied yet, for changes that restate older ones: what a frame on its way says anew must
 * not be restated. Used by the holder of the writer's role only.
 */
final class InFlight implements Changes.InFlight {
    /** The last frame of the carrier's chain of which nothing is needed any more. */
    private WrittenFrame applied;

    private final FrameBuilder builder;

    InFlight(WrittenFrame applied, FrameBuilder builder) {
        this.applied = applied;
        this.builder = builder;
    }

    void prune(long appliedIndex) {
        while (applied.next != null && applied.next.index <= appliedIndex) {
            applied = applied.next;
        }
    }

    @Override
    public boolean hasProgress(ConsumerOffset key) {
        return any(entry -> entry instanceof LogRecord.Progress progress
                && progress.entries().stream()
                        .anyMatch(e -> e.queueId() == key.queueId()
                                && e.group().equals(key.group())
                                && e.topic().equals(key.topic())));
    }

    @Override
    public boolean hasCatalog(CatalogKind kind, String name) {
        return any(entry -> entry instanceof LogRecord.Catalog catalog
                && catalog.kind() == kind
                && catalog.name().equals(name));
    }

    @Override
    public boolean hasChecked(long handle) {
        return any(entry -> entry instanceof LogRecord.Checked checked && checked.handle() == handle);
    }

    @Override
    public void forEach(Consumer<LogRecord> visitor) {
        for (WrittenFrame frame = applied.next; frame != null; frame = frame.next) {
            frame.entries.forEach(visitor);
        }
        builder.frame().entries.forEach(visitor);
    }

    private boolean any(Predicate<LogRecord> matches) {
        for (WrittenFrame frame = applied.next; frame != null; frame = frame.next) {
            if (frame.entries.stream().anyMatch(matches)) {
                return true;
            }
        }
        return builder.frame().entries.stream().anyMatch(matches);
    }
}
