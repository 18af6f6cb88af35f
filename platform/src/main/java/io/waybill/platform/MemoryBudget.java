/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Bytes that peers make this process hold, of one kind of memory for one kind of use. Thread-safe.
 *
 * <p>What always holds: nobody takes more than is then left for all others, so there is always something left for one who
 * holds little. A holder asks with what it holds already ({@link #admits}); one alone gets half, two get a third each.
 */
public final class MemoryBudget {
    private final long limitBytes;
    private final AtomicLong usedBytes = new AtomicLong();

    public MemoryBudget(long limitBytes) {
        if (limitBytes <= 0) {
            throw new IllegalArgumentException("a budget must have at least 1 byte, had " + limitBytes);
        }
        this.limitBytes = limitBytes;
    }

    /** A part of the heap that this process may use: {@code 1 / divisor} of it. */
    public static MemoryBudget ofHeap(int divisor) {
        return new MemoryBudget(Runtime.getRuntime().maxMemory() / divisor);
    }

    /** Whether one who holds {@code ownBytes} of what is used may hold so many more. */
    public boolean admits(long ownBytes, long moreBytes) {
        return ownBytes + moreBytes <= freeBytes();
    }

    /** Takes bytes, or gives them back when negative. Never refuses: what is in memory must be counted. */
    public void add(long bytes) {
        usedBytes.addAndGet(bytes);
    }

    public long usedBytes() {
        return usedBytes.get();
    }

    /** Negative when more is held than the limit. */
    public long freeBytes() {
        return limitBytes - usedBytes.get();
    }

    public long limitBytes() {
        return limitBytes;
    }
}
