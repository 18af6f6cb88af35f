/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.DiskFullException;
import io.waybill.platform.Duty;
import io.waybill.platform.Files;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The duty that has the next segment ready before it is needed. While that fails, say for want of room, it tries again every
 * second; the log is not harmed by it, it only cannot grow past its last segment.
 */
final class SegmentMaker implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(SegmentMaker.class);
    private static final long RETRY_NANOS = 1_000_000_000L;

    private final Files files;
    private final long segmentBytes;
    private final long floorBytes;
    private final AtomicReference<Segment> ready = new AtomicReference<>();
    private volatile IOException failure;
    private volatile long wantedStart;
    private volatile boolean ignoreFloor;
    private volatile boolean stopped;
    private Runnable wake = () -> {};
    private Runnable tellWriter = () -> {};

    SegmentMaker(Files files, StoreSettings settings, long firstStart) {
        this.files = files;
        this.segmentBytes = settings.segmentBytes();
        this.floorBytes = settings.freeDiskFloorBytes();
        this.wantedStart = firstStart;
    }

    void start(Runnable wakeThis, Runnable writer) {
        wake = wakeThis;
        tellWriter = writer;
    }

    /** The next segment, or null if there is none now; then {@link #failure} says why, or it is being made. */
    Segment next() {
        return ready.get();
    }

    /** It is part of the log now. */
    void taken(Segment segment) {
        wantedStart = segment.end();
        ready.set(null);
        wake.run();
    }

    /** The log was cut: the next segment must begin here, and one that was made for another place goes. */
    void restartAt(long start) throws IOException {
        Segment stale;
        synchronized (ready) {
            wantedStart = start;
            stale = ready.getAndSet(null);
        }
        if (stale != null) {
            delete(stale);
        }
        wake.run();
    }

    /** Closes a segment whose positions were cut from the log and removes its file, durably. */
    void delete(Segment cut) throws IOException {
        cut.close();
        files.delete(cut.name());
        files.forceDirectory(Segment.DIRECTORY);
    }

    /** Why the last try failed; null if it did not. */
    IOException failure() {
        return failure;
    }

    boolean hasResult() {
        return ready.get() != null || failure != null;
    }

    /** While something must be carried forward so that older segments can go, the floor of free disk does not count. */
    void ignoreFloor(boolean ignore) {
        if (ignoreFloor != ignore) {
            ignoreFloor = ignore;
            wake.run();
        }
    }

    @Override
    public String roleName() {
        return "log-allocator";
    }

    @Override
    public long run() {
        if (stopped || ready.get() != null) {
            return WHEN_WOKEN;
        }
        long start = wantedStart;
        try {
            long usable = floorBytes == 0 || ignoreFloor ? Long.MAX_VALUE : files.usableBytes();
            if (usable < floorBytes + segmentBytes) {
                throw new DiskFullException(Segment.name(start), floorBytes + segmentBytes, usable);
            }
            Segment segment = made(start);
            if (failure != null) {
                LOG.info("there is room for the next segment again");
            }
            failure = null;
            synchronized (ready) {
                if (start == wantedStart) {
                    ready.set(segment);
                    segment = null;
                }
            }
            if (segment != null) {
                delete(segment);
                return 0;
            }
            tellWriter.run();
            return WHEN_WOKEN;
        } catch (IOException e) {
            if (failure == null) {
                LOG.error("the next segment cannot be made, trying again every second: {}", e.getMessage());
            }
            failure = e;
            tellWriter.run();
            return RETRY_NANOS;
        }
    }

    /** The file, its room and its mapping, or nothing: the next try begins with the file. */
    private Segment made(long start) throws IOException {
        Segment segment = Segment.create(files, start, segmentBytes);
        try {
            segment.heat(start);
            return segment;
        } catch (IOException | RuntimeException | Error e) {
            try {
                segment.close();
                files.delete(segment.name());
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    /** Gives back the segment that was made ahead. Called by the closing thread, when the duty has ended. */
    void dispose() {
        stopped = true;
        Segment segment = ready.getAndSet(null);
        if (segment != null) {
            String name = segment.name();
            try {
                segment.close();
                files.delete(name);
            } catch (IOException e) {
                LOG.warn("the unused segment {} stays: {}", name, e.getMessage());
            }
        }
    }
}
