/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.offset.CommitFence;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.record.PopKey;
import io.waybill.store.view.ViewsBackend;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How many messages may be in flight, on simulated time. */
class PopQueueTest {
    private static final int QUEUED = 10_000;

    private final SimulatedClock clock = new SimulatedClock();
    private final PopClock popClock = new PopClock(clock);
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final AtomicInteger all = new AtomicInteger();
    private Store store;
    private PopQueue queue;

    @BeforeEach
    void open() throws Exception {
        Platform platform = new Platform(clock, RandomSource.seeded(1), duties);
        BrokerSettings settings = BrokerSettings.defaults();
        store = Store.open(
                new SimulatedFiles(), platform, settings.store().withSegmentBytes(1 << 20), ViewsBackend.memory());
        queue = new PopQueue(
                new PopKey("g", "t", 0),
                store.offsets(),
                store.pops(),
                new Offsets(store.queues(), store.offsets(), store.clock(), settings, group -> false, CommitFence.NONE),
                popClock,
                all);
    }

    @AfterEach
    void close() throws Exception {
        store.close();
    }

    private Pop pop(int count, long invisibleMillis) {
        PopParameters parameters = new PopParameters(
                PopMode.LEASE, "g", "t", 0, count, 1 << 20, invisibleMillis, false, false, null, null, null);
        PopTerms terms = new PopTerms(1, "*", Filter.ALL, 16, null);
        Pop pop = new Pop(null, null, parameters, terms, 0, 0);
        pop.startTurn(Pop.LOOK, popClock);
        pop.grant(count);
        return pop;
    }

    /** Takes what may be taken, without bytes. */
    private int take(int count) {
        Pop pop = pop(count, 1_000);
        PopQueue.Scan scan = queue.scan(pop, new QueueRange(0, QUEUED), false, true);
        List<StoredSlice> messages = new ArrayList<>();
        scan.ranges()
                .forEach(range -> LongStream.range(range.from(), Math.min(range.to(), range.from() + count))
                        .forEach(offset -> messages.add(new StoredSlice(offset, ByteBuffer.allocate(256)))));
        int given = queue.lease(pop, scan, new PopQueue.ScanResult(messages, List.of()))
                .delivered()
                .size();
        queue.drain();
        duties.runUntilIdle();
        return given;
    }

    @Test
    void whenAllQueuesHoldTheMostAQueueGetsAFewAndNoMoreUntilSomeAreDone() {
        assertThat(take(100)).isEqualTo(100);
        assertThat(all).hasValue(100);
        all.addAndGet(Leases.MOST_OF_ALL);
        assertThat(take(Leases.FEW_IN_FLIGHT)).as("it holds few").isEqualTo(Leases.FEW_IN_FLIGHT);
        assertThat(take(100)).as("it holds enough").isZero();
        List<Long> acked = new ArrayList<>();
        queue.ack(LongStream.range(0, 200).toArray(), clock.wallMillis(), acked, new ArrayList<>(), Completion.NONE);
        assertThat(acked).hasSize(200);
        assertThat(queue.isFreed()).as("whoever waits may look again").isTrue();
        assertThat(take(10)).isEqualTo(10);
        assertThat(all).hasValue(Leases.MOST_OF_ALL + 100 + Leases.FEW_IN_FLIGHT - 200 + 10);
        queue.drop();
        assertThat(all).hasValue(Leases.MOST_OF_ALL);
    }

    @Test
    void whatComesAgainComesAlthoughNoMoreIsToBeHad() {
        assertThat(take(Leases.FEW_IN_FLIGHT)).isEqualTo(Leases.FEW_IN_FLIGHT);
        all.addAndGet(Leases.MOST_OF_ALL);
        assertThat(take(1)).isZero();
        duties.advance(1_000);
        assertThat(take(1)).isEqualTo(1);
    }

    @Test
    void whatNobodyUsesIsPutAwayAndWhatIsHeldStays() {
        PopQueues queues = new PopQueues(
                store.offsets(),
                store.pops(),
                store.clock(),
                new Offsets(
                        store.queues(),
                        store.offsets(),
                        store.clock(),
                        BrokerSettings.defaults(),
                        group -> false,
                        CommitFence.NONE),
                popClock);
        for (int i = 0; i < 1_000; i++) {
            queues.of("g" + i, "t", 0);
        }
        PopQueue held = queues.of("g5", "t", 0);
        assertThat(held.enter(pop(1, 1_000))).isTrue();
        queues.sweep(key -> true);
        assertThat(queues.size()).as("used lately").isEqualTo(1_000);
        assertThat(queues.of("g6", "t", 0)).isNotNull();
        queues.sweep(key -> true);
        assertThat(queues.size()).isEqualTo(2);
        assertThat(queues.of("g5", "t", 0)).isSameAs(held);
        held.exit();
        for (int i = 0; i < 3; i++) {
            queues.sweep(key -> true);
        }
        assertThat(queues.size()).isZero();
        assertThatThrownBy(() -> held.enter(pop(1, 1_000))).isInstanceOf(IllegalStateException.class);
        assertThat(queues.of("g5", "t", 0).enter(pop(1, 1_000))).isTrue();
    }

    /** The topic came again while the sweep ended what was left of the one before, and a pop is there already. */
    @Test
    void whoUsesAQueueWhoseStateTheSweepEndsDoesNotGetASecondOne() {
        PopQueues queues = new PopQueues(
                store.offsets(),
                store.pops(),
                store.clock(),
                new Offsets(
                        store.queues(),
                        store.offsets(),
                        store.clock(),
                        BrokerSettings.defaults(),
                        group -> false,
                        CommitFence.NONE),
                popClock);
        PopQueue used = queues.of("g", "t", 0);
        assertThat(used.enter(pop(1, 1_000))).isTrue();
        queues.sweep(key -> false);
        assertThat(queues.of("g", "t", 0)).as("it is in use").isSameAs(used);
        used.exit();
        duties.runUntilIdle();
        for (int i = 0; i < 3; i++) {
            queues.sweep(key -> false);
            duties.runUntilIdle();
        }
        assertThat(queues.size()).isZero();
        assertThat(queues.find("g", "t", 0)).isNull();
    }

    @Test
    void manyThreadsAndTheSweepNeverHaveTwoOfOneQueue() throws Exception {
        PopQueues queues = new PopQueues(
                store.offsets(),
                store.pops(),
                store.clock(),
                new Offsets(
                        store.queues(),
                        store.offsets(),
                        store.clock(),
                        BrokerSettings.defaults(),
                        group -> false,
                        CommitFence.NONE),
                popClock);
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger worst = new AtomicInteger();
        AtomicInteger putAway = new AtomicInteger();
        Thread[] threads = new Thread[3];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> {
                for (int n = 0; n < 20_000; n++) {
                    PopQueue one = queues.of("g", "t", 0);
                    try {
                        if (one.enter(pop(1, 1_000))) {
                            worst.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            inside.decrementAndGet();
                            one.exit();
                        }
                    } catch (IllegalStateException e) {
                        putAway.incrementAndGet(); // it slept through two sweeps, which run here without a pause
                    }
                }
            });
            threads[i].start();
        }
        while (threads[0].isAlive() || threads[1].isAlive() || threads[2].isAlive()) {
            queues.sweep(key -> true);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(worst).hasValue(1);
        assertThat(putAway.get()).isLessThan(60_000);
    }

    @Test
    void anOffsetFromOutsideSaysWhetherItTookMessagesFromSomebody() {
        assertThat(queue.outside(0, false)).as("nobody pops here").isFalse();
        assertThat(take(5)).isEqualTo(5);
        assertThat(queue.outside(3, false)).as("they come again").isTrue();
        assertThat(queue.outside(4, false)).isFalse();
    }
}
