/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.function.Consumer;

/**
 * How a store keeps its log. Sizes in bytes; 0 switches a retention rule off.
 *
 * @param segmentBytes size of a new segment file
 * @param asyncFlushMillis with {@link FlushMode#ASYNC}: the longest time between two forces while something is written
 * @param maxFrameBytes a frame is closed at this size; one larger record gets its own frame
 * @param retentionMillis a segment is dropped when its newest message is older
 * @param retentionBytes the oldest segments are dropped while the log is larger
 * @param freeDiskFloorBytes no segment is made that would leave less free disk: new messages are refused then, nothing is dropped
 * @param retentionCheckMillis time between two looks at the retention rules
 * @param checkpointBytes the views are written after so many bytes of log
 * @param checkpointMillis the views are written after this time, if anything changed
 * @param hotBytes the newest part of the log that is read through mappings, without copy or check
 * @param maxWaiting changes that may wait for the writer before new ones are refused
 * @param viewsBytes memory for what the views have not written yet, roughly; beyond it new messages are refused
 * @param maxChangeBytes the largest change that brings something new; memory for its frame is taken at the start
 * @param maxClockAheadMillis a store whose newest time is more ahead of the clock is not opened; 0 takes any
 * @param maxWaitingBytes of the changes that wait for the writer or for the disk; new messages are refused at three quarters of it
 */
public record StoreSettings(
        long segmentBytes,
        FlushMode flush,
        long asyncFlushMillis,
        int maxFrameBytes,
        long retentionMillis,
        long retentionBytes,
        long freeDiskFloorBytes,
        long retentionCheckMillis,
        long checkpointBytes,
        long checkpointMillis,
        long hotBytes,
        int maxWaiting,
        long viewsBytes,
        int maxChangeBytes,
        long maxWaitingBytes,
        long maxClockAheadMillis) {

    public StoreSettings {
        atLeast("segmentBytes", segmentBytes, 4096);
        if (segmentBytes > 1 << 30) {
            throw new IllegalArgumentException("segmentBytes must be at most 1 GiB, seen " + segmentBytes);
        }
        atLeast("asyncFlushMillis", asyncFlushMillis, 1);
        atLeast("maxFrameBytes", maxFrameBytes, 1024);
        atLeast("retentionMillis", retentionMillis, 0);
        atLeast("retentionBytes", retentionBytes, 0);
        atLeast("freeDiskFloorBytes", freeDiskFloorBytes, 0);
        atLeast("retentionCheckMillis", retentionCheckMillis, 1);
        atLeast("checkpointBytes", checkpointBytes, 4096);
        atLeast("checkpointMillis", checkpointMillis, 1);
        atLeast("hotBytes", hotBytes, 0);
        atLeast("maxWaiting", maxWaiting, 16);
        atLeast("viewsBytes", viewsBytes, 4096);
        atLeast("maxChangeBytes", maxChangeBytes, 1024);
        atLeast("maxWaitingBytes", maxWaitingBytes, 4096);
        atLeast("maxClockAheadMillis", maxClockAheadMillis, 0);
    }

    public static StoreSettings defaults() {
        return new StoreSettings(
                64L << 20,
                FlushMode.SYNC,
                200,
                1 << 20,
                72L * 3600 * 1000,
                0,
                256L << 20,
                10_000,
                64L << 20,
                5_000,
                128L << 20,
                1 << 16,
                64L << 20,
                9 << 20,
                64L << 20,
                0);
    }

    public StoreSettings withSegmentBytes(long bytes) {
        return with(copy -> copy.segmentBytes = bytes);
    }

    public StoreSettings withFlush(FlushMode mode) {
        return with(copy -> copy.flush = mode);
    }

    public StoreSettings withAsyncFlushMillis(long millis) {
        return with(copy -> copy.asyncFlushMillis = millis);
    }

    public StoreSettings withMaxFrameBytes(int bytes) {
        return with(copy -> copy.maxFrameBytes = bytes);
    }

    public StoreSettings withRetention(long millis, long bytes, long freeFloorBytes, long checkMillis) {
        return with(copy -> {
            copy.retentionMillis = millis;
            copy.retentionBytes = bytes;
            copy.freeDiskFloorBytes = freeFloorBytes;
            copy.retentionCheckMillis = checkMillis;
        });
    }

    public StoreSettings withCheckpoint(long bytes, long millis) {
        return with(copy -> {
            copy.checkpointBytes = bytes;
            copy.checkpointMillis = millis;
        });
    }

    public StoreSettings withHotBytes(long bytes) {
        return with(copy -> copy.hotBytes = bytes);
    }

    public StoreSettings withMaxWaiting(int changes) {
        return with(copy -> copy.maxWaiting = changes);
    }

    public StoreSettings withViewsBytes(long bytes) {
        return with(copy -> copy.viewsBytes = bytes);
    }

    public StoreSettings withMaxChangeBytes(int bytes) {
        return with(copy -> copy.maxChangeBytes = bytes);
    }

    public StoreSettings withMaxWaitingBytes(long bytes) {
        return with(copy -> copy.maxWaitingBytes = bytes);
    }

    public StoreSettings withMaxClockAheadMillis(long millis) {
        return with(copy -> copy.maxClockAheadMillis = millis);
    }

    private StoreSettings with(Consumer<Copy> change) {
        Copy copy = new Copy(this);
        change.accept(copy);
        return copy.toSettings();
    }

    /** The same settings, to change some of them. */
    private static final class Copy {
        private long segmentBytes;
        private FlushMode flush;
        private long asyncFlushMillis;
        private int maxFrameBytes;
        private long retentionMillis;
        private long retentionBytes;
        private long freeDiskFloorBytes;
        private long retentionCheckMillis;
        private long checkpointBytes;
        private long checkpointMillis;
        private long hotBytes;
        private int maxWaiting;
        private long viewsBytes;
        private int maxChangeBytes;
        private long maxWaitingBytes;
        private long maxClockAheadMillis;

        Copy(StoreSettings from) {
            segmentBytes = from.segmentBytes;
            flush = from.flush;
            asyncFlushMillis = from.asyncFlushMillis;
            maxFrameBytes = from.maxFrameBytes;
            retentionMillis = from.retentionMillis;
            retentionBytes = from.retentionBytes;
            freeDiskFloorBytes = from.freeDiskFloorBytes;
            retentionCheckMillis = from.retentionCheckMillis;
            checkpointBytes = from.checkpointBytes;
            checkpointMillis = from.checkpointMillis;
            hotBytes = from.hotBytes;
            maxWaiting = from.maxWaiting;
            viewsBytes = from.viewsBytes;
            maxChangeBytes = from.maxChangeBytes;
            maxWaitingBytes = from.maxWaitingBytes;
            maxClockAheadMillis = from.maxClockAheadMillis;
        }

        StoreSettings toSettings() {
            return new StoreSettings(
                    segmentBytes,
                    flush,
                    asyncFlushMillis,
                    maxFrameBytes,
                    retentionMillis,
                    retentionBytes,
                    freeDiskFloorBytes,
                    retentionCheckMillis,
                    checkpointBytes,
                    checkpointMillis,
                    hotBytes,
                    maxWaiting,
                    viewsBytes,
                    maxChangeBytes,
                    maxWaitingBytes,
                    maxClockAheadMillis);
        }
    }

    /** The largest frame whose memory is taken at the start. */
    int keptFrameBytes() {
        return (int) Math.min(segmentBytes, Math.max(maxFrameBytes, (long) Frame.HEADER + maxChangeBytes));
    }

    /** A checkpoint begins when the views hold so much that is not written. */
    long gatherBytes() {
        return viewsBytes / 4;
    }

    private static void atLeast(String name, long value, long least) {
        if (value < least) {
            throw new IllegalArgumentException(name + " must be at least " + least + ", seen " + value);
        }
    }
}
