/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.VisibleMessage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Readers beside the applier and the duty thread: what was applied before they asked is there, at every moment of a checkpoint. */
class ViewsReadersTest {
    private static final int QUEUES = 5;
    private static final int MESSAGES = 60_000;
    private static final int STEP = 100;

    private final Platform platform = Platform.real();

    @TempDir
    Path directory;

    private Views views;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile long applied;
    private volatile boolean done;

    @Test
    void seeWhatWasAppliedThroughEveryCheckpointInMemory() throws InterruptedException {
        run(ViewsBackend.memory());
    }

    @Test
    void seeWhatWasAppliedThroughEveryCheckpointOfRocks() throws InterruptedException {
        run(ViewsBackend.rocks(Files.real(directory)));
    }

    private void run(ViewsBackend backend) throws InterruptedException {
        views = Views.open(backend);
        List<Thread> threads = new ArrayList<>();
        threads.add(thread("duty", () -> {
            while (!done) {
                views.writeCheckpoint(false);
            }
        }));
        threads.add(thread("reader", () -> {
            RandomSource random = RandomSource.seeded(7);
            while (!done) {
                read(random);
            }
        }));
        threads.forEach(Thread::start);
        apply();
        done = true;
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failure.get()).isNull();
        views.close();
    }

    private Thread thread(String name, Runnable body) {
        return platform.duties().thread(name, () -> {
            try {
                body.run();
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        });
    }

    /** Message n: position n * STEP, queue n % QUEUES, key n / 3; a delayed message for each tenth, fired 50 later. */
    private void apply() {
        for (long n = 0; n < MESSAGES && failure.get() == null; n++) {
            List<LogRecord> entries = new ArrayList<>();
            entries.add(new VisibleMessage(
                    n * STEP, 50, 0, "t", (int) (n % QUEUES), n / QUEUES, n, n, new String[] {"k" + n / 3}));
            if (n % 10 == 0) {
                entries.add(new DelayedMessage(n * STEP + 60, 10, 0, n * STEP + 60, n, "t", 0, null, n));
            }
            if (n % 10 == 0 && n >= 50) {
                entries.add(new TimerFired(n * STEP + 80, (n - 50) * STEP + 60));
            }
            views.apply(entries, (n + 1) * STEP, n, 1, n);
            applied = n;
            if (n % 64 == 0) {
                views.prepareCheckpoint();
            }
            if (n % 5000 == 4999) {
                views.trimBefore((n - 3000) * STEP);
            }
        }
    }

    private void read(RandomSource random) {
        long n = applied;
        if (n < 3000) {
            return;
        }
        long wanted = n - random.nextInt(2500);
        QueueView queue = views.consumeQueues().view("t", (int) (wanted % QUEUES));
        long offset = wanted / QUEUES;
        check(queue.max() > offset, "max", wanted, queue.max());
        if (wanted * STEP >= views.applied().oldestPosition()) {
            long position = queue.positionOf(offset);
            boolean trimmed = wanted * STEP < views.applied().oldestPosition();
            check(position == wanted * STEP || trimmed, "position", wanted, position);
            long byTime = queue.offsetByTime(wanted, Boundary.LOWER);
            check(byTime == offset || wanted * STEP < views.applied().oldestPosition(), "time", wanted, byTime);
            long[] found = views.keyPositions("t", "k" + wanted / 3, 0, Long.MAX_VALUE, wanted * STEP + 1, 1);
            trimmed = wanted * STEP < views.applied().oldestPosition();
            check(found.length == 1 && found[0] == wanted * STEP || trimmed, "key", wanted, found.length);
        }
        long[] expected = {-1};
        long count = views.consumeQueues()
                .view("t", 0)
                .visit(Math.max(0, n / QUEUES - 600), n / QUEUES, (at, position, s, d, t, time) -> {
                    check(position == at * QUEUES * STEP, "visited position", at, position);
                    check(expected[0] < 0 || expected[0] == at, "visited offset", at, expected[0]);
                    expected[0] = at + 1;
                    return true;
                });
        check(count >= 0, "visit", n, count);
        long due = (n - n % 10) * STEP + 60;
        PendingTimer pending = views.timers().get(due);
        // The frame that fires it takes effect just before this test publishes that it did.
        check(pending != null || applied + 1 >= n - n % 10 + 50, "due", n, due);
        check(
                views.schedule().nextMillis() >= n - n % 10 - 60,
                "next due",
                n,
                views.schedule().nextMillis());
    }

    private static void check(boolean holds, String what, long wanted, long seen) {
        if (!holds) {
            throw new AssertionError(what + " of " + wanted + ": " + seen);
        }
    }
}
