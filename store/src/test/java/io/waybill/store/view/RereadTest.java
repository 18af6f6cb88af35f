/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.ViewsDamaged;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Views that are read again from a backend that may still lose what it was given last. */
class RereadTest {
    private static ConsumerOffsets progress(long position, String group, long offset) {
        return new ConsumerOffsets(position, List.of(new ConsumerOffset(group, "t", 0, offset)));
    }

    @Test
    void nothingIsBuiltUponACheckpointThatMayBeLost() {
        MemoryBackend memory = ViewsBackend.memory();
        FailingBackend backend = new FailingBackend(memory);
        Views views = Views.open(backend);
        views.apply(List.of(progress(0, "first", 7)), 100, 0, 1, 1);
        views.prepareCheckpoint();
        backend.failFlushes(1);
        assertThatThrownBy(() -> views.writeCheckpoint(true)).isInstanceOf(ViewsDamaged.class);

        Views again = views.reread();
        if (again.checkpoint().position() == 0) {
            again.apply(List.of(progress(0, "first", 7)), 100, 0, 1, 1);
        }
        again.apply(List.of(progress(100, "second", 8)), 200, 1, 1, 1);
        again.prepareCheckpoint();
        // As if RocksDB was opened anew because it could not write.
        memory.crash();
        again.writeCheckpoint(true);

        Views opened = Views.open(backend);
        assertThat(opened.checkpoint().position()).isEqualTo(200);
        assertThat(opened.offsets().get("second", "t", 0)).isEqualTo(8);
        assertThat(opened.offsets().get("first", "t", 0)).isEqualTo(7);
    }

    @Test
    void aFlushThatStillFailsIsTriedAgain() {
        FailingBackend backend = new FailingBackend(ViewsBackend.memory());
        Views views = Views.open(backend);
        views.apply(List.of(progress(0, "first", 7)), 100, 0, 1, 1);
        views.prepareCheckpoint();
        backend.failFlushes(2);
        assertThatThrownBy(() -> views.writeCheckpoint(true)).isInstanceOf(ViewsDamaged.class);
        assertThatThrownBy(views::reread).isInstanceOf(ViewsDamaged.class);
        assertThat(views.reread().flushedCheckpoint().position()).isEqualTo(100);
    }
}
