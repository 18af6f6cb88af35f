/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ThreadedDutiesTest {
    private final Duties duties = Duties.real();

    @AfterEach
    void close() {
        duties.close();
    }

    private record Simple(LongSupplier body, Runnable end) implements Duty {
        @Override
        public String roleName() {
            return "simple";
        }

        @Override
        public long run() {
            return body.getAsLong();
        }

        @Override
        public void close() {
            end.run();
        }
    }

    @Test
    void runsInOneNamedDaemonThreadAndThenOnlyWhenWoken() throws InterruptedException {
        Semaphore ran = new Semaphore(0);
        List<Thread> threads = Collections.synchronizedList(new ArrayList<>());
        DutyHandle handle = duties.start(new Simple(
                () -> {
                    threads.add(Thread.currentThread());
                    ran.release();
                    return Duty.WHEN_WOKEN;
                },
                () -> threads.add(Thread.currentThread())));
        ran.acquire();
        handle.wake();
        ran.acquire();
        Thread thread = threads.get(0);
        assertThat(thread.getName()).isEqualTo("simple");
        assertThat(thread.isDaemon()).isTrue();
        handle.close();
        handle.close();
        assertThat(threads).hasSizeGreaterThanOrEqualTo(3).containsOnly(thread);
        int before = threads.size();
        handle.wake();
        assertThat(threads).hasSize(before);
    }

    @Test
    void comesBackAtOnceOrAfterTheTimeItAskedFor() throws InterruptedException {
        CountDownLatch done = new CountDownLatch(4);
        duties.start(new Simple(
                () -> {
                    done.countDown();
                    return done.getCount() % 2 == 0 ? 0 : TimeUnit.MILLISECONDS.toNanos(1);
                },
                () -> {}));
        done.await();
    }

    @Test
    void noWakeIsLost() throws InterruptedException {
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger seen = new AtomicInteger();
        Semaphore caughtUp = new Semaphore(0);
        int rounds = 20_000;
        DutyHandle handle = duties.start(new Simple(
                () -> {
                    seen.set(asked.get());
                    caughtUp.release();
                    return Duty.WHEN_WOKEN;
                },
                () -> {}));
        for (int i = 1; i <= rounds; i++) {
            asked.set(i);
            handle.wake();
            while (seen.get() < i) {
                assertThat(caughtUp.tryAcquire(10, TimeUnit.SECONDS))
                        .as("round " + i)
                        .isTrue();
            }
        }
    }

    @Test
    void wakingItselfMeansOneMoreRun() throws InterruptedException {
        CountDownLatch runs = new CountDownLatch(3);
        DutyHandle[] self = new DutyHandle[1];
        CountDownLatch known = new CountDownLatch(1);
        self[0] = duties.start(new Simple(
                () -> {
                    if (known.getCount() == 0) {
                        runs.countDown();
                        if (runs.getCount() > 0) {
                            self[0].wake();
                        }
                    }
                    return Duty.WHEN_WOKEN;
                },
                () -> {}));
        known.countDown();
        self[0].wake();
        runs.await();
    }

    @Test
    void aDutyThatThrowsGoesOn() throws InterruptedException {
        CountDownLatch runs = new CountDownLatch(2);
        duties.start(new Simple(
                () -> {
                    runs.countDown();
                    throw new IllegalStateException("expected in this test");
                },
                () -> {}));
        runs.await();
    }

    @Test
    void closingFromInsideEndsIt() throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        DutyHandle[] self = new DutyHandle[1];
        CountDownLatch known = new CountDownLatch(1);
        self[0] = duties.start(new Simple(
                () -> {
                    if (known.getCount() == 0) {
                        self[0].close();
                    }
                    return Duty.WHEN_WOKEN;
                },
                ended::countDown));
        known.countDown();
        self[0].wake();
        ended.await();
    }

    @Test
    void poolsAreBoundedAndSurviveFailingTasks() throws InterruptedException {
        Executor pool = duties.executor("pool", 2);
        AtomicInteger running = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(50);
        for (int i = 0; i < 50; i++) {
            pool.execute(() -> {
                most.accumulateAndGet(running.incrementAndGet(), Math::max);
                running.decrementAndGet();
                done.countDown();
                throw new IllegalStateException("expected in this test");
            });
        }
        done.await();
        assertThat(most.get()).isBetween(1, 2);
    }

    @Test
    void nothingStartsAfterClose() {
        List<String> ended = Collections.synchronizedList(new ArrayList<>());
        duties.start(new Simple(() -> Duty.WHEN_WOKEN, () -> ended.add("first")));
        duties.start(new Simple(() -> Duty.WHEN_WOKEN, () -> ended.add("second")));
        Executor pool = duties.executor("pool", 1);
        duties.close();
        duties.close();
        assertThat(ended).containsExactly("second", "first");
        assertThatExceptionOfType(RejectedExecutionException.class).isThrownBy(() -> pool.execute(() -> {}));
        assertThatExceptionOfType(RejectedExecutionException.class)
                .isThrownBy(() -> duties.start(new Simple(() -> 0, () -> {})));
    }

    @Test
    void ownThreadsAreNamedDaemonsNotStarted() throws InterruptedException {
        CountDownLatch ran = new CountDownLatch(1);
        Thread thread = duties.thread("mine", ran::countDown);
        assertThat(thread.getState()).isEqualTo(Thread.State.NEW);
        assertThat(thread.isDaemon()).isTrue();
        assertThat(thread.getName()).isEqualTo("mine");
        thread.start();
        ran.await();
    }
}
