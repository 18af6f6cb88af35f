/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is trimmed, joined or idle takes no room. */
class ViewsSpaceTest {
    private final MemoryBackend backend = ViewsBackend.memory();
    private final Views views = Views.open(backend);
    private long end;
    private long index;

    private void apply(LogRecord... entries) {
        end += 200;
        views.apply(List.of(entries), end, index++, 1, end);
    }

    private VisibleMessage message(String topic, long offset, String... keys) {
        return new VisibleMessage(end, 100, 56, topic, 0, offset, 1, end, keys);
    }

    private void checkpoint() {
        assertThat(views.prepareCheckpoint()).isTrue();
        views.writeCheckpoint(true);
    }

    private int count(Family family, int prefix) {
        int[] count = new int[1];
        backend.scan(family, new byte[] {(byte) prefix}, new byte[] {(byte) (prefix + 1)}, (key, value) -> {
            count[0]++;
            return true;
        });
        return count[0];
    }

    @Test
    void blocksAndDecisionsBelowTheOldestPositionAreDeleted() {
        for (int i = 0; i < 2000; i++) {
            long handle = end;
            apply(message("t", i, "k" + i), new HalfMessage(handle, 100, 56, handle, "g", "", 1, 1));
            apply(new DecisionRecord(handle, end, Decision.ROLLBACK, false, 1, ""));
            if (i % 100 == 0) {
                checkpoint();
            }
        }
        checkpoint();
        assertThat(count(Family.QUEUE, 1)).isEqualTo(8);
        assertThat(count(Family.TRANSACTIONS, 1)).isEqualTo(2000);

        // The queue goes on while its older part is trimmed, then rests while the rest is.
        views.trimBefore(end / 2);
        apply(message("t", 2000));
        checkpoint();
        assertThat(views.consumeQueues().view("t", 0).min()).isEqualTo(1000);
        assertThat(count(Family.QUEUE, 1)).isEqualTo(5);
        assertThat(count(Family.TRANSACTIONS, 1)).isEqualTo(1000);

        views.trimBefore(end);
        checkpoint();
        apply();
        checkpoint();
        assertThat(views.consumeQueues().view("t", 0).min()).isEqualTo(2001);
        assertThat(views.consumeQueues().view("t", 0).max()).isEqualTo(2001);
        assertThat(count(Family.QUEUE, 1)).isEqualTo(1);
        assertThat(count(Family.QUEUE, 0)).isEqualTo(1);
        assertThat(count(Family.TRANSACTIONS, 1)).isZero();
        assertThat(count(Family.KEYS, 0)).isZero();
        assertThat(count(Family.KEYS, 1)).isZero();
        assertThat(views.keyPositions("t", "k1999", 0, Long.MAX_VALUE, Long.MAX_VALUE, 10))
                .isEmpty();
        apply(message("t", 2001));
        assertThat(views.consumeQueues().view("t", 0).positionOf(2001)).isEqualTo(end - 200);
        assertThat(views.consumeQueues().view("t", 0).min()).isEqualTo(2001);
    }

    @Test
    void manySmallRunsOfKeysBecomeFew() {
        for (int i = 0; i < 1000; i++) {
            apply(message("t", i, "k" + i % 7));
            checkpoint();
        }
        assertThat(count(Family.KEYS, 0)).isLessThan(12);
        assertThat(views.keyPositions("t", "k3", 0, Long.MAX_VALUE, Long.MAX_VALUE, 1000))
                .hasSize(143);
    }

    @Test
    void blocksOfJoinedRunsAreDeletedAfterACrashToo() {
        for (int i = 0; i < 5; i++) {
            apply(message("t", i, "k"));
            checkpoint();
        }
        Views again = Views.open(backend);
        again.apply(List.of(), end + 1, index, 1, end);
        again.prepareCheckpoint();
        again.writeCheckpoint(true);
        assertThat(count(Family.KEYS, 1)).isEqualTo(count(Family.KEYS, 0));
    }

    @Test
    void idleQueuesAreNotObjectsAfterACheckpoint() {
        for (int i = 0; i < 1000; i++) {
            apply(message("t" + i, 0));
        }
        assertThat(views.liveQueueCount()).isEqualTo(1000);
        checkpoint();
        assertThat(views.liveQueueCount()).isZero();
        apply(message("t7", 1));
        assertThat(views.liveQueueCount()).isEqualTo(1);
        assertThat(views.consumeQueues().view("t7", 0).max()).isEqualTo(2);
        assertThat(views.consumeQueues().view("t8", 0).max()).isEqualTo(1);
        assertThat(views.consumeQueues().all()).hasSize(1000);
    }

    @Test
    void whatEndsWithinAGenerationIsNeverWritten() {
        List<LogRecord> entries = new ArrayList<>();
        for (int i = 1; i <= 100; i++) {
            entries.add(new DelayedMessage(i, 1, 0, i, 5000 + i, "t", 0, new String[] {"k" + i}, 1));
            entries.add(new HalfMessage(1000 + i, 1, 0, 1000 + i, "g", "", 6000, 1));
        }
        for (int i = 1; i <= 100; i++) {
            entries.add(new TimerFired(2000 + i, i));
            entries.add(new DecisionRecord(1000 + i, 3000 + i, Decision.COMMIT, true, 1, "x"));
        }
        views.apply(entries, 4000, 0, 1, 1);
        checkpoint();
        for (int prefix = 0; prefix < 3; prefix++) {
            assertThat(count(Family.DUE, prefix)).isZero();
        }
        assertThat(count(Family.TRANSACTIONS, 0)).isZero();
        assertThat(count(Family.TRANSACTIONS, 1)).isEqualTo(100);
        assertThat(views.schedule().nextMillis()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void aFailedBatchIsTriedAgainWhole() {
        apply(message("t", 0, "k"), new QueueBase(end, "empty", 1, 42));
        checkpoint();
        apply(message("t", 1, "k"));
        views.prepareCheckpoint();
        backend.failNextWrite();
        assertThatThrownBy(() -> views.writeCheckpoint(true)).isInstanceOf(ViewsDamaged.class);
        apply(message("t", 2, "k"));
        views.writeCheckpoint(true);
        Views again = Views.open(backend);
        assertThat(again.consumeQueues().view("t", 0).max()).isEqualTo(2);
        assertThat(again.consumeQueues().view("empty", 1).max()).isEqualTo(42);
        assertThat(again.keyPositions("t", "k", 0, Long.MAX_VALUE, Long.MAX_VALUE, 9))
                .hasSize(2);
        checkpoint();
        assertThat(Views.open(backend).consumeQueues().view("t", 0).max()).isEqualTo(3);
    }

    @Test
    void anOffsetThatDoesNotFollowIsRefused() {
        apply(message("t", 0));
        assertThatThrownBy(() -> apply(message("t", 2)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("next offset is 1");
    }
}
