/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.DiskFullException;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;

/** Which calls of {@link SimulatedFiles} fail, and how many there were. Safe from any thread. */
public final class DiskFaults {
    private final Object lock; // of the files, which count their calls while they hold it
    private final SimulatedDisk disk;
    private final Map<FileCall, Long> counts = new EnumMap<>(FileCall.class);
    private final TreeMap<Long, Fault> faults = new TreeMap<>(); // by ordinal of the changing call
    private final Map<FileCall, TreeMap<Long, Fault>> faultsByCall = new EnumMap<>(FileCall.class);
    private long failFrom = Long.MAX_VALUE;
    private Fault failFromFault;
    private long changes;
    private int delivered;
    private Runnable beforeChange = () -> {};

    DiskFaults(Object lock, SimulatedDisk disk) {
        this.lock = lock;
        this.disk = disk;
    }

    /**
     * Makes the n-th following changing call fail: 1 = the next one. Several may be planned. Which calls change something
     * says {@link FileCall#mutating}.
     */
    public void failAt(long n, Fault fault) {
        synchronized (lock) {
            faults.put(changes + atLeastOne(n), fault);
        }
    }

    /** Makes the n-th following call of one kind fail. */
    public void failAt(FileCall call, long n, Fault fault) {
        synchronized (lock) {
            faultsByCall.computeIfAbsent(call, c -> new TreeMap<>()).put(count(call) + atLeastOne(n), fault);
        }
    }

    /** Makes the n-th following changing call and every later one fail. */
    public void failFrom(long n, Fault fault) {
        synchronized (lock) {
            failFrom = changes + atLeastOne(n);
            failFromFault = fault;
        }
    }

    /** Forgets all planned failures. What failed already stays as doubtful as it is. */
    public void heal() {
        synchronized (lock) {
            faults.clear();
            faultsByCall.clear();
            failFrom = Long.MAX_VALUE;
        }
    }

    private static long atLeastOne(long n) {
        if (n < 1) {
            throw new IllegalArgumentException("the next call is number 1, not " + n);
        }
        return n;
    }

    /** Runs before each changing call, on its thread; may look at the disk and copy it, not change it. */
    public void beforeEachChange(Runnable hook) {
        synchronized (lock) {
            beforeChange = hook;
        }
    }

    /** Calls of a kind so far, failed ones included. */
    public long count(FileCall call) {
        synchronized (lock) {
            return counts.getOrDefault(call, 0L);
        }
    }

    /** Changing calls so far: the scale of {@link #failAt}. */
    public long changes() {
        synchronized (lock) {
            return changes;
        }
    }

    /** Planned failures that happened. */
    public int delivered() {
        synchronized (lock) {
            return delivered;
        }
    }

    // ---- for the files

    void counted(FileCall call) throws IOException {
        long n = counts.merge(call, 1L, Long::sum);
        TreeMap<Long, Fault> planned = faultsByCall.get(call);
        Fault fault = planned == null ? null : planned.remove(n);
        if (fault != null) {
            throw failure(fault, call, "");
        }
    }

    void changing(FileCall call, String name) throws IOException {
        beforeChange.run();
        changes++;
        Fault fault = faults.remove(changes);
        if (fault == null && changes >= failFrom) {
            fault = failFromFault;
        }
        if (fault != null) {
            counts.merge(call, 1L, Long::sum);
            throw failure(fault, call, name);
        }
        counted(call);
    }

    private IOException failure(Fault fault, FileCall call, String name) {
        delivered++;
        return switch (fault) {
            case EIO -> new IOException("Input/output error (simulated " + call + " " + name + ")");
            case ENOSPC -> new DiskFullException(name, 0, disk.usableBytes());
        };
    }
}
