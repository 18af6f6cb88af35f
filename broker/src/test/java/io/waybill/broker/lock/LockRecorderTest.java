/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.QueueLock;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LockRecorderTest {
    private final List<Outcome> outcomes = new ArrayList<>();

    /** As what the store's writer may throw when memory is short. */
    private static List<QueueLock> unwritable() {
        return new AbstractList<>() {
            @Override
            public QueueLock get(int index) {
                throw new OutOfMemoryError("of the test");
            }

            @Override
            public int size() {
                return 1;
            }
        };
    }

    @Test
    void afterAnErrorTheChangeIsAnsweredAndThoseBehindItAreWritten() {
        try (SimulatedBroker broker = new SimulatedBroker()) {
            LockRecorder recorder = new LockRecorder(broker.store.locks());
            recorder.note(unwritable(), outcomes::add);
            recorder.note(List.of(new QueueLock("g", "orders", 0, "c1", false)), outcomes::add);
            recorder.write();
            broker.settle();
            assertThat(outcomes).hasSize(2);
            assertThat(outcomes.get(0))
                    .isInstanceOfSatisfying(
                            Failed.class, failed -> assertThat(failed.text()).contains("of the test"));
            assertThat(outcomes.get(1)).isInstanceOf(Stored.class);

            // And the next one finds nobody who is writing for ever.
            recorder.note(List.of(new QueueLock("g", "orders", 1, "c1", false)), outcomes::add);
            recorder.write();
            broker.settle();
            assertThat(outcomes).hasSize(3);
            assertThat(broker.store.locks().locksOf("g")).hasSize(2);
        }
    }

    @Test
    void anAnswerThatThrowsAnErrorDoesNotEndTheWriting() {
        try (SimulatedBroker broker = new SimulatedBroker()) {
            LockRecorder recorder = new LockRecorder(broker.store.locks());
            recorder.note(unwritable(), outcome -> {
                throw new StackOverflowError("of the test");
            });
            recorder.note(List.of(new QueueLock("g", "orders", 0, "c1", false)), outcomes::add);
            recorder.write();
            broker.settle();
            assertThat(outcomes).singleElement().isInstanceOf(Stored.class);
        }
    }
}
