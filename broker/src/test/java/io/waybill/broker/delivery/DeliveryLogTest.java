/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.delivery;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Stored;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvent.DeliveryKind;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DeliveryLogTest {
    private final List<DeliveryEvent> log = new ArrayList<>();
    private final List<Completion> waiting = new ArrayList<>();
    private boolean answers = true;
    private long nowMillis = 1_000;
    private final FakeConnection one = new FakeConnection(1);
    private final FakeConnection two = new FakeConnection(2);
    private DeliveryLog journal = journal(1_000, 1_000);

    private DeliveryLog journal(int mostQueues, int mostUnwritten) {
        return new DeliveryLog(
                (entries, done) -> {
                    log.addAll(entries);
                    if (answers) {
                        done.done(new Stored(0, 0, 0, 0, 0));
                    } else {
                        waiting.add(done);
                    }
                },
                (topic, queueId, offset, max) -> log.stream()
                        .filter(e -> e.topic().equals(topic) && e.fromOffset() <= offset && offset < e.toOffset())
                        .toList(),
                (group, connection) -> "client-" + connection.id(),
                () -> nowMillis,
                mostQueues,
                mostUnwritten);
    }

    @Test
    void consecutivePullsAreOneEntryAndWrittenTogether() {
        for (int i = 0; i < 10; i++) {
            pulled(i * 32L, i * 32L + 32, one);
            nowMillis += 10;
        }
        journal.acknowledged("g", "t", 0, 0, 100, one);
        assertThat(log).isEmpty();
        assertThat(journal.of("t", 0, 5, 10))
                .extracting(DeliveryEvent::kind)
                .containsExactly(DeliveryKind.DELIVERED, DeliveryKind.ACKNOWLEDGED);
        journal.run();
        assertThat(log)
                .containsExactlyInAnyOrder(
                        new DeliveryEvent(DeliveryKind.DELIVERED, "g", "t", 0, 0, 320, "client-1", 1_000, 1_090),
                        new DeliveryEvent(DeliveryKind.ACKNOWLEDGED, "g", "t", 0, 0, 100, "client-1", 1_100, 1_100));
        journal.run();
        assertThat(log).hasSize(2);
        assertThat(journal.of("t", 0, 5, 10)).hasSize(2);
        assertThat(journal.of("t", 0, 320, 10)).isEmpty();
    }

    @Test
    void anEntryNeverSpansMoreThanItMay() {
        pulled(0, 10_000, one);
        pulled(10_000, 12_000, one);
        journal.run();
        assertThat(log).allMatch(e -> e.toOffset() - e.fromOffset() <= DeliveryEvent.MAX_SPAN);
        assertThat(log.stream().mapToLong(e -> e.toOffset() - e.fromOffset()).sum())
                .isEqualTo(12_000);
    }

    @Test
    void theHolderIsTheLastToReadAndKnowsSinceWhen() {
        journal.tracker("g", "t", 0).pulled(one);
        nowMillis = 5_000;
        pulled(10, 20, one);
        assertThat(journal.handedOut("g", "t", 0, 10))
                .isEqualTo(new QueueOwner("client-1", true, true, 1_000, 5_000, 10, 20, 5_000));
        nowMillis = 6_000;
        one.close();
        journal.tracker("g", "t", 0).pulled(two);
        pulled(12, 14, two);
        assertThat(journal.handedOut("g", "t", 0, 12))
                .isEqualTo(new QueueOwner("client-2", true, true, 6_000, 6_000, 12, 14, 6_000));
    }

    @Test
    void aRepeatedPullKeepsTheRunAndASoughtOneBeginsAnew() {
        pulled(0, 32, one);
        pulled(32, 64, one);
        pulled(32, 64, one); // the answer was lost
        assertThat(journal.handedOut("g", "t", 0, 0).fromOffset()).isZero();
        journal.tracker("g", "t", 0).passed(64, 90, one);
        pulled(90, 95, one);
        assertThat(journal.handedOut("g", "t", 0, 0))
                .extracting(QueueOwner::fromOffset, QueueOwner::toOffset)
                .containsExactly(0L, 95L);
        pulled(200, 210, one);
        assertThat(journal.handedOut("g", "t", 0, 200).fromOffset()).isEqualTo(200);
    }

    @Test
    void afterARestartWhatWasHandedOutComesFromTheLog() {
        pulled(0, 32, one);
        journal.run();
        nowMillis = 9_000;
        pulled(32, 50, one);
        journal.run();
        journal = journal(1_000, 1_000);
        assertThat(journal.handedOut("g", "t", 0, 10))
                .isEqualTo(new QueueOwner("client-1", false, false, 0, 0, 10, 50, 9_000));
        pulled(50, 60, one);
        assertThat(journal.handedOut("g", "t", 0, 10))
                .extracting(QueueOwner::fromOffset, QueueOwner::toOffset)
                .containsExactly(10L, 60L);
        assertThat(journal.handedOut("other", "t", 0, 10)).isNull();
    }

    @Test
    void memoryIsBoundedAndTheLossCounted() {
        answers = false;
        journal = journal(100, 50);
        for (int i = 0; i < 1_000; i++) {
            journal.tracker("g" + i, "t", i).delivered(0, 1, one, false);
        }
        journal.run();
        journal.run();
        assertThat(journal.lost()).isGreaterThan(0);
        assertThat(log.size() + journal.lost()).isLessThanOrEqualTo(1_000);
        assertThat(journal.handedOut("g0", "t", 0, 0)).isNotNull();
        waiting.forEach(done -> done.done(new Failed(Failed.FailureCause.DISK_FULL, false, "full")));
        long lost = journal.lost();
        journal.run();
        assertThat(journal.lost()).isGreaterThanOrEqualTo(lost);
    }

    @Test
    void aSteadyReaderCostsAKeyAndNothingElse() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int pulls = 100_000;
        run(pulls, 0);
        long before = threads.getCurrentThreadAllocatedBytes();
        run(pulls, pulls);
        long perPull = (threads.getCurrentThreadAllocatedBytes() - before) / pulls;
        assertThat(perPull).as("bytes allocated per pull").isLessThanOrEqualTo(64);
    }

    private void pulled(long from, long to, FakeConnection by) {
        journal.tracker("g", "t", 0).delivered(from, to, by, false);
    }

    private void run(int pulls, long from) {
        for (long i = from; i < from + pulls; i++) {
            QueueDeliveryTracker tracker = journal.tracker("g", "t", 0);
            tracker.pulled(one);
            tracker.delivered(i * 32, i * 32 + 32, one, false);
        }
    }
}
