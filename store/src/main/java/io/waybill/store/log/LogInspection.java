/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.LogRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Leads a visitor over every frame of a closed log, from its first byte. Reads only. */
public final class LogInspection {
    private LogInspection() {}

    /** Where a frame stands and what its header says. */
    public record FrameInfo(
            String file,
            long offset,
            long base,
            int length,
            long index,
            long epoch,
            long storeTimeMillis,
            int records) {}

    /** Called for each frame; the bytes are valid until it returns. */
    @FunctionalInterface
    public interface FrameVisitor {
        void frame(FrameInfo info, List<LogRecord> entries, ByteBuffer bytes, int at);
    }

    /**
     * How the walk ended.
     *
     * @param tornBytes bytes behind the end that the next open will cut
     * @param damage what makes the log unusable from end on; null if nothing does
     */
    public record End(long oldest, long end, long frames, long tornBytes, StoreDamaged damage) {}

    /** Walks the log under these files. */
    public static End walk(Files files, FrameVisitor visitor) throws StoreException {
        return walk(files, 0, visitor);
    }

    /** Where the log starts if the views know that segments below a position were dropped, whatever of them is still there. */
    public static long oldestPosition(Files files, long dropped) throws IOException {
        long oldest = 0;
        if (files.exists(Segment.DIRECTORY)) {
            for (String name : files.list(Segment.DIRECTORY)) {
                long start = Segment.startOf(name);
                oldest = Math.max(oldest, start);
                if (start >= 0 && start + files.size(Segment.name(start)) > dropped) {
                    return start;
                }
            }
        }
        return oldest;
    }

    /** Walks the log as the next open will find it, if the views know that segments below a position were dropped. */
    public static End walk(Files files, long dropped, FrameVisitor visitor) throws StoreException {
        if (!files.exists(Segment.DIRECTORY)) {
            return new End(0, 0, 0, 0, null);
        }
        Segment[] segments = {};
        try {
            segments = Recovery.openAll(files, OpenMode.READ, dropped);
            return segments.length == 0 ? new End(0, 0, 0, 0, null) : walk(segments, visitor);
        } catch (StoreDamaged e) {
            return new End(0, 0, 0, 0, e);
        } catch (IOException e) {
            throw new StoreException("the log cannot be read: " + e.getMessage(), e);
        } finally {
            Recovery.closeAll(segments, new IOException());
        }
    }

    private static End walk(Segment[] segments, FrameVisitor visitor) throws IOException, StoreTooNew {
        long oldest = segments[0].start();
        LogWalk walk = new LogWalk(segments, oldest, oldest == 0 ? 0 : -1, 0);
        List<LogRecord> entries = new ArrayList<>();
        long frames = 0;
        long said = 0;
        while (walk.next()) {
            entries.clear();
            String file = walk.stoppedIn().name();
            long offset = walk.base() - walk.stoppedIn().start();
            Records.Unreadable wrong = Records.parse(walk.bytes(), walk.frameAt(), entries);
            if (wrong != null && wrong.isNewer()) {
                throw walk.tooNew(wrong.text());
            }
            if (wrong != null) {
                return new End(oldest, walk.base(), frames, 0, new StoreDamaged(file, offset, wrong.text()));
            }
            FrameInfo info = new FrameInfo(
                    file,
                    offset,
                    walk.base(),
                    (int) (walk.frameEnd() - walk.base()),
                    walk.index(),
                    walk.epoch(),
                    walk.storeTimeMillis(),
                    Frame.count(walk.bytes(), walk.frameAt()));
            for (LogRecord entry : entries) {
                said = entry instanceof Dropped drop ? Math.max(said, drop.upTo()) : said;
            }
            visitor.frame(info, entries, walk.bytes(), walk.frameAt());
            frames++;
        }
        if (walk.newer() != null) {
            throw walk.tooNew(walk.newer());
        }
        long end = walk.stoppedAt();
        Segment last = walk.stoppedIn();
        String why = walk.why();
        LogWalk.Rest rest = walk.rest();
        if (walk.newer() != null) {
            throw walk.tooNew(walk.newer());
        }
        StoreDamaged damage = null;
        if (rest.proof() >= 0) {
            damage = new StoreDamaged(
                    last.name(), end - last.start(), why + "; a later frame proves that this was on disk once");
        } else if (frames == 0 && oldest > 0) {
            damage = new StoreDamaged(last.name(), 0, "the log must start here, but: " + why);
        } else if (said < oldest) {
            damage = new StoreDamaged(
                    Segment.name(said),
                    0,
                    "the log starts with " + segments[0].name() + ", but only what is below position " + said
                            + " was dropped: segments are missing and their messages are lost");
        }
        return new End(oldest, end, frames, rest.lastUsed() - end, damage);
    }
}
