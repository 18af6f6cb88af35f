/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Views that miss a confirmed change when there is not even memory to say so: they are right as of before, or not read. */
class MissedChangeTest {
    private final FailingBackend backend = new FailingBackend(ViewsBackend.memory());
    private Views views;

    /** As an error of memory when there is none left to print it or ask for its text either. */
    private static final class Exhausted extends Error {
        private static final long serialVersionUID = 1;

        @Override
        public String getMessage() {
            throw new IllegalStateException("no memory for the message");
        }
    }

    private static VisibleMessage message(long position, long offset) {
        return new VisibleMessage(position, 50, 0, "t", 0, offset, 0, 1, new String[0]);
    }

    private static Checkpoint upTo(long position, long frameIndex) {
        return new Checkpoint(position, frameIndex, 1, 1, 0);
    }

    @BeforeEach
    void start() {
        views = Views.open(backend);
        views.applyOrLose(List.of(message(0, 0)), upTo(100, 0));
        views.prepareCheckpoint();
        views.writeCheckpoint(true);
        assertThat(views.damage()).isNull();
    }

    private void comesBack() {
        assertThat(views.damage()).isNotNull();
        assertThatThrownBy(() -> views.consumeQueues().view("t", 0)).isInstanceOf(ViewsDamaged.class);
        assertThatThrownBy(() -> views.transactions().first(1)).isInstanceOf(ViewsDamaged.class);
        assertThat(views.prepareCheckpoint()).isFalse();
        assertThat(views.isBackendSound()).isTrue();
        Views fresh = views.reread();
        fresh.apply(List.of(message(100, 1), message(200, 2)), views.applied());
        views.adopt(fresh).run();
        assertThat(views.damage()).isNull();
        assertThat(views.consumeQueues().view("t", 0).max()).isEqualTo(3);
    }

    @Test
    void aLossThatCannotBeSaidIsALossOfEverything() {
        backend.failReads(1, Exhausted::new);
        views.applyOrLose(List.of(message(100, 1)), upTo(200, 1));
        views.applyOrLose(List.of(message(200, 2)), upTo(300, 2));
        comesBack();
    }

    @Test
    void aFrameThatWasNotAppliedIsMissed() {
        views.applyOrLose(List.of(), upTo(300, 2));
        comesBack();
    }
}
