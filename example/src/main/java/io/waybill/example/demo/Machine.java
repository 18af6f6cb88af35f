/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** How much of the machine is left for this program, measured now. */
record Machine(double processorShare, long forcedWriteMillis, double load, int processors) {
    private static final long SPIN_NANOS = 100_000_000;

    /** Of a processor that others do not want a thread gets all. */
    private static final double BUSY_SHARE = 0.7;

    private static final long BUSY_DISK_MILLIS = 500;

    /** @param directory on the disk in question */
    static Machine measure(Path directory) {
        return new Machine(
                processorShareNow(),
                forcedWriteNow(directory),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                Runtime.getRuntime().availableProcessors());
    }

    /** True if something that did not happen may be owed to the machine. */
    boolean isBusy() {
        return processorShare < BUSY_SHARE || forcedWriteMillis > BUSY_DISK_MILLIS || load > 2.0 * processors;
    }

    private static double processorShareNow() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long startNanos = System.nanoTime();
        if (!threads.isCurrentThreadCpuTimeSupported()) {
            return 1;
        }
        long cpuStart = threads.getCurrentThreadCpuTime();
        long cpuNanos = 0;
        while (cpuNanos < SPIN_NANOS) {
            cpuNanos = threads.getCurrentThreadCpuTime() - cpuStart;
        }
        return (double) cpuNanos / Math.max(cpuNanos, System.nanoTime() - startNanos);
    }

    private static long forcedWriteNow(Path directory) {
        long startNanos = System.nanoTime();
        try {
            Path file = Files.createTempFile(directory, "waybill-demo", ".tmp");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.write(ByteBuffer.allocate(4096));
                channel.force(true);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            return 0; // what is wrong with the disk shows elsewhere
        }
        return (System.nanoTime() - startNanos) / 1_000_000;
    }

    @Override
    public String toString() {
        return String.format(
                "a thread gets %.0f %% of a processor, a forced write takes %d ms, the load is %.1f on %d processors",
                100 * processorShare, forcedWriteMillis, load, processors);
    }
}
