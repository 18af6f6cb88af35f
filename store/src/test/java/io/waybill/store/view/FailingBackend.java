/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.ViewsDamaged;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Views in memory whose reads of queues, or flushes, fail as often as a test wants. */
public final class FailingBackend extends ViewsBackend {
    private final ViewsBackend memory;
    private final AtomicInteger left = new AtomicInteger();
    private final AtomicInteger flushesLeft = new AtomicInteger();
    private final AtomicInteger visited = new AtomicInteger();
    private volatile Supplier<? extends Throwable> failure;

    public FailingBackend(MemoryBackend memory) {
        this.memory = memory;
    }

    /** The next reads of queues throw this. */
    public void failReads(int count, Supplier<? extends Throwable> thrown) {
        failure = thrown;
        left.set(count);
    }

    /** How many pairs upward scans have visited since the last call. */
    int takeVisited() {
        return visited.getAndSet(0);
    }

    /** The next flushes fail; what was written stays. */
    void failFlushes(int count) {
        flushesLeft.set(count);
    }

    private <E extends Throwable> void mayFail(Family family) throws E {
        if (family == Family.QUEUE && left.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            @SuppressWarnings("unchecked")
            E thrown = (E) failure.get();
            throw thrown;
        }
    }

    @Override
    public void deleteAll() {
        memory.deleteAll();
    }

    @Override
    ViewsBackend beside() {
        return memory.beside();
    }

    @Override
    void retire() {
        memory.retire();
    }

    @Override
    void open() {
        memory.open();
    }

    @Override
    void close() {
        memory.close();
    }

    @Override
    byte[] get(Family family, byte[] key) {
        this.<RuntimeException>mayFail(family);
        return memory.get(family, key);
    }

    @Override
    void scan(Family family, byte[] from, byte[] to, PairVisitor visitor) {
        this.<RuntimeException>mayFail(family);
        memory.scan(family, from, to, (key, value) -> {
            visited.incrementAndGet();
            return visitor.pair(key, value);
        });
    }

    @Override
    void scanDown(Family family, byte[] from, byte[] floor, PairVisitor visitor) {
        this.<RuntimeException>mayFail(family);
        memory.scanDown(family, from, floor, visitor);
    }

    @Override
    ViewBatch newBatch() {
        return memory.newBatch();
    }

    @Override
    void write(ViewBatch batch) {
        memory.write(batch);
    }

    @Override
    void flush() {
        if (flushesLeft.getAndUpdate(n -> Math.max(0, n - 1)) > 0) {
            throw new ViewsDamaged("the flush was told to fail");
        }
        memory.flush();
    }
}
