/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.RebuildableFold;
import io.waybill.store.record.ViewsDamaged;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings log and views to one state after any end of the process. What holds afterwards: every frame from the views'
 * checkpoint to the end was verified, forced and applied; behind the end there are only zeros; no segment stands behind the
 * last one with a frame. Doing it twice is doing it once (ADR 0007).
 *
 * <p>Views are believed only if the last frame they hold stands in the log as they know it; else, and if they cannot take what
 * follows, they are made again from the log's oldest frame. They are never a reason not to start.
 *
 * <p>Steps: list the segments, which must follow each other without a gap; force them, because what a killed process left in
 * the page cache is read here but may not be on disk; walk and apply; tell a torn tail from damage by proof (see
 * {@link Frame}); cut the tail and force the cut before anything can be appended.
 */
final class Recovery {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

    private final Files files;
    private final StoreSettings settings;
    private final RebuildableFold views;

    Recovery(Files files, StoreSettings settings, RebuildableFold views) {
        this.files = files;
        this.settings = settings;
        this.views = views;
    }

    record Result(Segments segments, Recovered recovered) {}

    Result run() throws StoreException {
        Segment[] segments = {};
        try {
            files.createDirectories(Segment.DIRECTORY);
            files.forceDirectory("");
            segments = openAll(files, OpenMode.READ_WRITE);
            Checkpoint known = views.checkpoint();
            String foreign = segments.length == 0 ? null : mismatch(segments, known);
            if (foreign == null) {
                // What retention dropped and a crash brought back, perhaps with a gap behind it, goes again. Views of
                // another log know nothing of that.
                segments = withoutDropped(files, OpenMode.READ_WRITE, segments, known.oldestPosition());
            }
            refuseGaps(segments);
            return recover(segments, known, foreign);
        } catch (IOException e) {
            closeAll(segments, e);
            throw new StoreException("the log cannot be recovered: " + e.getMessage(), e);
        } catch (StoreException | RuntimeException e) {
            closeAll(segments, e);
            throw e;
        }
    }

    /** The segments in order, from the first that was not dropped. */
    static Segment[] openAll(Files files, OpenMode mode, long dropped) throws IOException, StoreDamaged {
        Segment[] segments = openAll(files, mode);
        try {
            segments = withoutDropped(files, mode, segments, dropped);
            refuseGaps(segments);
            return segments;
        } catch (IOException | StoreDamaged e) {
            closeAll(segments, e);
            throw e;
        }
    }

    private static Segment[] openAll(Files files, OpenMode mode) throws IOException {
        List<Segment> segments = new ArrayList<>();
        try {
            for (String name : files.list(Segment.DIRECTORY)) {
                if (Segment.startOf(name) >= 0) {
                    segments.add(Segment.open(files, Segment.startOf(name), mode));
                }
            }
            return segments.toArray(Segment[]::new);
        } catch (IOException e) {
            closeAll(segments.toArray(Segment[]::new), e);
            throw e;
        }
    }

    /** Closes those that were dropped and, unless it may only read, deletes them. The last one stays. */
    private static Segment[] withoutDropped(Files files, OpenMode mode, Segment[] segments, long dropped)
            throws IOException {
        int first = 0;
        for (; first < segments.length - 1 && segments[first].end() <= dropped; first++) {
            Segment gone = segments[first];
            gone.close();
            if (mode != OpenMode.READ) {
                files.delete(gone.name());
                files.forceDirectory(Segment.DIRECTORY);
            }
        }
        return Arrays.copyOfRange(segments, first, segments.length);
    }

    private static void refuseGaps(Segment[] segments) throws StoreDamaged {
        for (int i = 1; i < segments.length; i++) {
            Segment before = segments[i - 1];
            if (before.end() != segments[i].start()) {
                throw new StoreDamaged(
                        before.name(),
                        before.length(),
                        "the log ends there at position " + before.end() + " and the next segment is "
                                + segments[i].name() + "; a segment is missing or was cut");
            }
        }
    }

    private Result recover(Segment[] segments, Checkpoint known, String foreign) throws IOException, StoreException {
        if (foreign != null) {
            LOG.error(
                    "the views do not belong to this log and are rebuilt from it: {}. If the log is an older copy, what came "
                            + "after it is not in it",
                    foreign);
            views.startOver();
        }
        Result result;
        try {
            result = recoverWith(segments);
        } catch (ViewsDamaged | IllegalStateException e) {
            if (views.checkpoint().position() == 0) {
                throw e;
            }
            LOG.warn("the views cannot take the log behind their checkpoint and are rebuilt from it: {}", e.toString());
            views.startOver();
            result = recoverWith(segments);
        }
        long end = result.recovered().end();
        if (foreign != null && end < known.position()) {
            LOG.error(
                    "the log ends at position {}; views found beside it knew one up to {}: {} bytes of messages and "
                            + "decisions are not in this log",
                    end,
                    known.position(),
                    known.position() - end);
        }
        return result;
    }

    /**
     * Why the views are not of this log as it is: it ends before them, or the last frame they hold is not the one that stands there.
     * Null if they may be. A frame that is damaged but recognised is damage of the log, and the views are right.
     */
    private static String mismatch(Segment[] segments, Checkpoint checkpoint) throws IOException, StoreException {
        long end = segments[segments.length - 1].end();
        if (checkpoint.position() > end) {
            return "they know the log up to position " + checkpoint.position() + ", but its files end at " + end;
        }
        long base = checkpoint.frameBase();
        if (checkpoint.position() == 0 || base < segments[0].start()) {
            return null;
        }
        Segment segment = segments[0];
        for (Segment next : segments) {
            if (next.start() <= base) {
                segment = next;
            }
        }
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
        if (segment.read(base, header) < Frame.HEADER) {
            return "the last frame they hold, at position " + base + ", is behind the end of " + segment.name();
        }
        int fits = 0;
        fits += Frame.base(header, 0) == base ? 1 : 0;
        fits += Frame.index(header, 0) == checkpoint.frameIndex() ? 1 : 0;
        fits += Frame.epoch(header, 0) == checkpoint.epoch() ? 1 : 0;
        fits += Frame.length(header, 0) == checkpoint.position() - base ? 1 : 0;
        fits += Frame.checksum(header, 0) == checkpoint.frameChecksum() ? 1 : 0;
        if (fits == 5) {
            return null;
        }
        LogWalk walk = new LogWalk(segments, base, -1, 0);
        boolean isWhole = walk.next() && walk.base() == base;
        if (walk.newer() != null) {
            throw walk.tooNew(walk.newer());
        }
        if (!isWhole && fits == 4) {
            LOG.error(
                    "damage in {} at byte {}: the last frame that the views hold does not read as it was written",
                    segment.name(),
                    base - segment.start());
            return null;
        }
        return isWhole
                ? "frame " + walk.index() + " of epoch " + walk.epoch() + " with checksum "
                        + Integer.toHexString(walk.checksum()) + " stands at position " + base
                        + ", where they know frame "
                        + checkpoint.frameIndex() + " of epoch " + checkpoint.epoch() + " with checksum "
                        + Integer.toHexString(checkpoint.frameChecksum())
                : "no frame stands at position " + base + ", where they know frame " + checkpoint.frameIndex()
                        + " of epoch " + checkpoint.epoch();
    }

    private Result recoverWith(Segment[] segments) throws IOException, StoreException {
        Checkpoint checkpoint = views.checkpoint();
        if (segments.length == 0) {
            if (checkpoint.position() > 0) {
                throw new StoreDamaged(
                        Segment.DIRECTORY,
                        0,
                        "there is no log, but the views know one up to position " + checkpoint.position());
            }
            return new Result(new Segments(firstSegment()), new Recovered(0, 0, 0, 0));
        }
        long oldest = segments[0].start();
        if (checkpoint.position() > 0 && oldest > checkpoint.oldestPosition()) {
            // A segment goes only after a flushed checkpoint knows of it, so these views are older than the log, say a
            // restored copy. That alone proves nothing: the DROPPED record may stand in what follows (refuseMissing).
            LOG.info(
                    "the log starts with {}, the views last knew it from {} on",
                    segments[0].name(),
                    Segment.name(checkpoint.oldestPosition()));
        }
        if (checkpoint.position() < oldest) {
            checkpoint = Checkpoint.EMPTY;
        }
        boolean fromStart = checkpoint.position() == 0;
        long start = fromStart ? oldest : checkpoint.position();
        for (Segment segment : segments) {
            if (segment.end() >= start) {
                segment.force();
            }
        }
        long expected = !fromStart ? checkpoint.frameIndex() + 1 : oldest == 0 ? 0 : -1;
        LogWalk walk = new LogWalk(segments, start, expected, fromStart ? 0 : checkpoint.epoch());
        Recovered recovered = replay(
                segments,
                walk,
                start,
                fromStart
                        ? new Recovered(oldest, 0, 0, 0)
                        : new Recovered(start, expected, checkpoint.epoch(), checkpoint.storeTimeMillis()));
        if (fromStart && oldest > 0 && recovered.end() == oldest) {
            throw new StoreDamaged(segments[0].name(), 0, "the log must start here, but: " + walk.why());
        }
        refuseMissing(segments[0]);
        Segment[] kept = withoutStub(cut(segments, walk, recovered.end()), recovered.end());
        return new Result(new Segments(kept), recovered);
    }

    /** What retention drops it says first, in the log; segments that are gone without a word are lost. */
    private void refuseMissing(Segment first) throws StoreDamaged {
        long said = views.droppedTo();
        if (said < first.start()) {
            throw new StoreDamaged(
                    Segment.name(said),
                    0,
                    "the log starts with " + first.name() + ", but only what is below position " + said
                            + " was dropped: segments are missing and their messages are lost");
        }
    }

    private Segment[] firstSegment() throws IOException {
        return new Segment[] {Segment.create(files, 0, settings.segmentBytes())};
    }

    /**
     * A last segment without a frame that is shorter than wanted was being made when the process ended. With no bytes at all
     * it would even have the name of the next one.
     */
    private Segment[] withoutStub(Segment[] segments, long end) throws IOException {
        Segment last = segments[segments.length - 1];
        if (last.start() < end || last.length() >= settings.segmentBytes()) {
            return segments;
        }
        last.close();
        files.delete(last.name());
        files.forceDirectory(Segment.DIRECTORY);
        return segments.length > 1 ? Arrays.copyOf(segments, segments.length - 1) : firstSegment();
    }

    /**
     * Writes what no later frame proves durable once more, byte for byte, and forces it. If the process before this one froze
     * because a force failed, the kernel may count those pages as clean although they are not on disk: it would serve them
     * here, and a force alone would pass them over.
     */
    private static void writeAgain(Segment[] segments, long from, long to) throws IOException {
        for (Segment segment : segments) {
            long begin = Math.max(from, segment.start());
            long end = Math.min(to, segment.end());
            if (begin < end) {
                ByteBuffer bytes = ByteBuffer.allocateDirect((int) Math.min(1 << 20, end - begin));
                for (long at = begin; at < end; at += bytes.capacity()) {
                    bytes.clear().limit((int) Math.min(bytes.capacity(), end - at));
                    if (segment.read(at, bytes) < bytes.limit()) {
                        throw new IOException(segment.name() + " ends before position " + end);
                    }
                    segment.write(at, bytes.flip());
                }
                segment.force();
            }
        }
    }

    private Recovered replay(Segment[] segments, LogWalk walk, long start, Recovered before)
            throws IOException, StoreException {
        Recovered now = before;
        long durable = start;
        List<LogRecord> entries = new ArrayList<>();
        long sinceCheckpoint = start;
        long frames = 0;
        while (walk.next()) {
            entries.clear();
            Records.Unreadable wrong = Records.parse(walk.bytes(), walk.frameAt(), entries);
            if (wrong != null) {
                throw wrong.isNewer()
                        ? walk.tooNew(wrong.text())
                        : new StoreDamaged(
                                walk.stoppedIn().name(),
                                walk.base() - walk.stoppedIn().start(),
                                "the frame is intact but cannot be understood: " + wrong.text());
            }
            views.apply(entries, Applier.upTo(walk));
            now = new Recovered(
                    walk.frameEnd(),
                    walk.index() + 1,
                    walk.epoch(),
                    Math.max(now.storeTimeMillis(), walk.storeTimeMillis()));
            frames++;
            durable = Math.max(durable, walk.durable());
            if (now.end() - sinceCheckpoint >= settings.checkpointBytes()
                    || views.gatheredBytes() >= settings.gatherBytes()) {
                sinceCheckpoint = now.end();
                writeAgain(segments, durable, now.end());
                durable = now.end();
                checkpoint();
            }
        }
        if (walk.newer() != null) {
            throw walk.tooNew(walk.newer());
        }
        writeAgain(segments, durable, now.end());
        if (frames > 0) {
            LOG.info("replayed {} frames of the log from {} to {}", frames, start, now.end());
        }
        return now;
    }

    /** A full disk must not keep the store shut: it opens with what memory holds, and the room comes from what it drops. */
    private void checkpoint() throws StoreException {
        try {
            views.prepareCheckpoint();
            views.writeCheckpoint(true);
        } catch (ViewsDamaged e) {
            LOG.warn("the views cannot be written while the log is replayed; going on in memory: {}", e.getMessage());
            if (views.unwrittenBytes() > settings.viewsBytes()) {
                throw new StoreException(
                        "the views cannot be written and have grown too large for memory: " + e.getMessage(), e);
            }
        }
    }

    /** Removes what stands behind the end, unless it proves that the end is none. Returns the segments that stay. */
    private Segment[] cut(Segment[] segments, LogWalk walk, long end) throws IOException, StoreException {
        Segment last = walk.stoppedIn();
        LogWalk.Rest rest = walk.rest();
        if (walk.newer() != null) {
            throw walk.tooNew(walk.newer());
        }
        if (rest.proof() >= 0) {
            throw new StoreDamaged(
                    last.name(),
                    end - last.start(),
                    walk.why() + "; the frame at position " + rest.proof() + " proves that this was on disk once");
        }
        if (rest.lastUsed() > end) {
            LOG.info("cutting {} torn bytes at position {} ({})", rest.lastUsed() - end, end, walk.why());
            ByteBuffer zeros = ByteBuffer.allocate((int) Math.min(1 << 20, rest.lastUsed() - end));
            for (long at = end; at < rest.lastUsed(); at += zeros.capacity()) {
                zeros.clear().limit((int) Math.min(zeros.capacity(), rest.lastUsed() - at));
                last.write(at, zeros);
            }
            last.force();
        }
        int keep = Arrays.asList(segments).indexOf(last) + 1;
        for (int i = segments.length - 1; i >= keep; i--) {
            segments[i].close();
            files.delete(segments[i].name());
        }
        if (keep < segments.length) {
            files.forceDirectory(Segment.DIRECTORY);
        }
        return Arrays.copyOf(segments, keep);
    }

    static void closeAll(Segment[] segments, Exception cause) {
        for (Segment segment : segments) {
            try {
                segment.close();
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
    }
}
