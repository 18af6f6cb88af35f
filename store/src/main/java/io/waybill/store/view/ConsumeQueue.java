/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.Unpacker;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * One queue. An entry below {@code max} never changes and is either in a live block or in the backend; max is published
 * after the entry, so readers see only what was applied. The applier is the only one that appends.
 *
 * <p>Live (in the map of {@link ConsumeQueues}) only while it has entries that no checkpoint holds. {@code touched} is the
 * generation of its last append, or {@link #SHED} once the duty thread gave it up; both threads change it by
 * compare-and-set, and before the first append of a generation the applier notes the queue's end as of the previous one
 * in {@code boundary}: so a checkpoint is a swap of a number, however many queues there are.
 */
final class ConsumeQueue implements QueueView {
    /** Given up; whoever holds it may read on but not append. */
    static final long SHED = -1;

    /** Not known, or the queue is empty. */
    private static final long UNKNOWN = -1;

    /** The first offset that was held when the entry at it stood at or above the oldest position. */
    private record Floor(long offset, long position) {}

    private static final Block[] NONE = new Block[0];
    private static final VarHandle MAX;
    private static final VarHandle FLOOR;
    private static final VarHandle EVIDENCE;
    private static final VarHandle TOUCHED;
    private static final VarHandle LIVE;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            MAX = lookup.findVarHandle(ConsumeQueue.class, "max", long.class);
            FLOOR = lookup.findVarHandle(ConsumeQueue.class, "floor", Floor.class);
            EVIDENCE = lookup.findVarHandle(ConsumeQueue.class, "evidence", long.class);
            TOUCHED = lookup.findVarHandle(ConsumeQueue.class, "touched", long.class);
            LIVE = lookup.findVarHandle(ConsumeQueue.class, "live", Block[].class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final QueueKey key;
    private final ConsumeQueues home;

    private volatile long max;
    private volatile Floor floor;
    /** Position of the latest record that shows the queue's next offset. */
    private volatile long evidence;

    /** Entries below are not shown since their topic was deleted, though they are kept like others; at most max, 0 if there are none. */
    private volatile long hidden;

    private volatile long touched;
    private volatile long boundary;
    private volatile long boundaryHidden;
    private volatile long boundaryEvidence;

    /** Blocks with consecutive numbers up to the tail; what is below them is in the backend. */
    private volatile Block[] live = NONE;

    /** Applier only: the block that takes the next entry, null if the next entry opens one. */
    private Block tail;

    /** Duty thread only: everything below is in the backend. */
    private long written;

    /** Duty thread only: the floor as in the backend. Nothing from it on was deleted. */
    private Floor stored;

    /** Duty thread only: both as of the batch being written. */
    private long nextWritten;

    private Floor nextStored;

    /** An empty queue. */
    ConsumeQueue(ConsumeQueues home, QueueKey key, long nextOffset) {
        this(home, key, nextOffset, nextOffset, UNKNOWN, UNKNOWN, 0);
    }

    private ConsumeQueue(
            ConsumeQueues home, QueueKey key, long min, long max, long minPosition, long evidence, long hidden) {
        this.home = home;
        this.key = key;
        this.max = max;
        this.written = max;
        this.boundary = max;
        this.evidence = evidence;
        this.hidden = hidden;
        this.floor = new Floor(min, minPosition);
        this.stored = floor;
    }

    /** The queue as of what {@link #writeMeta} wrote. */
    static ConsumeQueue decodeMeta(ConsumeQueues home, QueueKey key, byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        long min = unpacker.i64();
        long minPosition = unpacker.i64();
        long max = unpacker.i64();
        long evidence = unpacker.i64();
        return new ConsumeQueue(home, key, min, max, minPosition, evidence, unpacker.i64());
    }

    /**
     * Puts {@code min 8 | position of the message at min 8 | max 8 | evidence 8 | hidden 8} as of an end and an oldest position, and
     * deletes the blocks that min left behind. The oldest position is that of the checkpoint: the present one may be newer,
     * and what lies between both must still be there if this checkpoint is the one that a crash leaves.
     */
    private void writeMeta(ViewBatch batch, long end, long endEvidence, long hiddenThen, long oldest) {
        Floor floorThen = floorAsOf(end, oldest);
        long from = stored.offset >> Block.SHIFT;
        long to = floorThen.offset >> Block.SHIFT;
        if (from < to) {
            batch.deleteRange(Family.QUEUE, ConsumeQueues.blockKey(key, from), ConsumeQueues.blockKey(key, to));
        }
        nextStored = floorThen;
        byte[] meta = new Packer(40)
                .i64(floorThen.offset)
                .i64(floorThen.position)
                .i64(end)
                .i64(endEvidence)
                .i64(hiddenThen)
                .done();
        batch.put(Family.QUEUE, ConsumeQueues.metaKey(key), meta);
    }

    private Floor floorAsOf(long end, long oldest) {
        Floor seen = stored;
        if (seen.offset >= end || seen.position >= oldest && seen.position != UNKNOWN) {
            return seen;
        }
        long min = firstAtLeast(seen.offset, end, Block.POSITION, oldest);
        Block block = min < end ? block(min) : null;
        return new Floor(min, block == null ? UNKNOWN : block.field(min, Block.POSITION));
    }

    /** For a queue just decoded: its meta as of an oldest position. Duty thread. */
    void clean(ViewBatch batch, long oldest) {
        writeMeta(batch, max, evidence, hidden, oldest);
    }

    long evidence() {
        return evidence;
    }

    // ---- applier

    /** Before the first append: makes the stored tail block the live one. */
    void becomeLive() {
        long end = max;
        if ((end & Block.ENTRIES - 1) != 0 && floor.offset < end) {
            byte[] value = home.storedValue(key, end >> Block.SHIFT);
            if (value == null) {
                throw home.damaged("the tail block of " + key + " below offset " + end + " is missing");
            }
            tail = home.decode(key, end >> Block.SHIFT, value);
            live = new Block[] {tail};
        }
    }

    /** Makes the queue part of a generation; 1 if it is new in it, 0 if it was, -1 if the queue was given up. */
    int touch(long generation) {
        long seen = touched;
        if (seen == generation) {
            return 0;
        }
        if (seen == SHED) {
            return -1;
        }
        boundary = max;
        boundaryEvidence = evidence;
        boundaryHidden = hidden;
        return TOUCHED.compareAndSet(this, seen, generation) ? 1 : -1;
    }

    void append(long offset, long position, int size, int frameDelta, long tagsCode, long storeTimeMillis) {
        long end = max;
        if (offset != end) {
            if (floor.offset < end || offset < end) {
                throw new IllegalStateException("queue " + key + ": next offset is " + end + ", but a message at "
                        + position + " has " + offset);
            }
            restart(offset);
        }
        Block block = tail;
        if (block == null) {
            block = new Block(offset >> Block.SHIFT, (int) (offset & Block.ENTRIES - 1), 4);
            tail = block;
            block.append(position, size, frameDelta, tagsCode, storeTimeMillis);
            addLive(block);
        } else {
            block.append(position, size, frameDelta, tagsCode, storeTimeMillis);
        }
        if ((offset + 1 & Block.ENTRIES - 1) == 0) {
            tail = null;
        }
        if (floor.offset >= offset) {
            floor = new Floor(offset, position);
        }
        EVIDENCE.setRelease(this, position);
        MAX.setRelease(this, offset + 1);
    }

    /** The next offset as restated at a position: an empty or shorter queue continues there. */
    void base(long position, long nextOffset) {
        if (nextOffset > max) {
            restart(nextOffset);
            MAX.setRelease(this, nextOffset);
        }
        EVIDENCE.setRelease(this, position);
    }

    /** Shows none of its entries any more; the next one follows them. */
    void hide() {
        hidden = max;
    }

    /** Shows again what it hides and the log still holds. */
    void show() {
        hidden = 0;
    }

    /** Forgets all entries. Only while a log without the queue's older part is folded: nobody reads yet. */
    private void restart(long nextOffset) {
        tail = null;
        live = NONE;
        floor = new Floor(nextOffset, UNKNOWN);
    }

    private void addLive(Block block) {
        Block[] seen;
        Block[] more;
        do {
            seen = live;
            more = Arrays.copyOf(seen, seen.length + 1);
            more[seen.length] = block;
        } while (!LIVE.compareAndSet(this, seen, more));
    }

    // ---- duty thread

    /** Adds everything of a generation to the batch, as of an oldest position. */
    void write(long generation, ViewBatch batch, long oldest) {
        long end = max;
        long endEvidence = evidence;
        long hiddenThen = hidden;
        if (touched != generation) {
            end = boundary;
            endEvidence = boundaryEvidence;
            hiddenThen = boundaryHidden;
        }
        writeMeta(batch, end, endEvidence, hiddenThen, oldest);
        long start = Math.max(written, nextStored.offset);
        if (start < end) {
            for (long number = start >> Block.SHIFT; number <= end - 1 >> Block.SHIFT; number++) {
                Block block = liveBlock(number);
                long blockEnd = Math.min(end, (number + 1) << Block.SHIFT);
                batch.put(Family.QUEUE, ConsumeQueues.blockKey(key, number), block.encode(blockEnd));
            }
        }
        nextWritten = end;
    }

    /** After the batch is in the backend: whether the queue was given up; if not, its sealed blocks were. */
    boolean shed(long generation) {
        written = nextWritten;
        stored = nextStored;
        if (TOUCHED.compareAndSet(this, generation, SHED)) {
            return true;
        }
        long keep = boundary >> Block.SHIFT;
        Block[] seen;
        Block[] fewer;
        do {
            seen = live;
            int drop = 0;
            while (drop < seen.length && seen[drop].number < keep) {
                drop++;
            }
            fewer = Arrays.copyOfRange(seen, drop, seen.length);
        } while (!LIVE.compareAndSet(this, seen, fewer));
        return false;
    }

    // ---- readers

    private Block liveBlock(long number) {
        Block[] seen = live;
        if (seen.length > 0) {
            long index = number - seen[0].number;
            if (index >= 0 && index < seen.length) {
                return seen[(int) index];
            }
        }
        return null;
    }

    /** The block that holds an offset in [min, max); null if it was trimmed meanwhile. */
    private Block block(long offset) {
        Block block = liveBlock(offset >> Block.SHIFT);
        return block != null ? block : home.stored(key, offset);
    }

    @Override
    public long min() {
        // Before the end is looked at: what is hidden is never behind it.
        long shown = hidden;
        return Math.max(shown, firstKept());
    }

    @Override
    public long firstKept() {
        Floor seen = floor;
        long end = max;
        long oldest = home.oldestPosition();
        if (seen.offset >= end || seen.position >= oldest) {
            return seen.offset;
        }
        long min = firstAtLeast(seen.offset, end, Block.POSITION, oldest);
        Block block = min < end ? block(min) : null;
        // Not over a floor that was raised meanwhile.
        FLOOR.compareAndSet(this, seen, new Floor(min, block == null ? UNKNOWN : block.field(min, Block.POSITION)));
        return min;
    }

    @Override
    public long max() {
        return max;
    }

    @Override
    public long visit(long from, long to, QueueVisitor visitor) {
        long end = Math.min(to, max);
        long offset = Math.max(from, min());
        while (offset < end) {
            Block block = block(offset);
            if (block == null) {
                return offset;
            }
            long blockEnd = Math.min(end, (block.number + 1) << Block.SHIFT);
            for (; offset < blockEnd; offset++) {
                if (!block.visit(offset, visitor)) {
                    return offset + 1;
                }
            }
        }
        return Math.min(offset, max);
    }

    private long field(long offset, int field) {
        if (offset < min() || offset >= max) {
            return -1;
        }
        Block block = block(offset);
        return block == null ? -1 : block.field(offset, field);
    }

    @Override
    public long positionOf(long offset) {
        return field(offset, Block.POSITION);
    }

    @Override
    public long storeTimeOf(long offset) {
        return field(offset, Block.TIME);
    }

    @Override
    public boolean isInMemory(long offset) {
        return liveBlock(offset >> Block.SHIFT) != null || home.isCached(key, offset);
    }

    @Override
    public long offsetByTime(long timeMillis, Boundary boundary) {
        long end = max;
        long min = Math.min(min(), end);
        if (boundary == Boundary.LOWER) {
            return firstAtLeast(min, end, Block.TIME, timeMillis);
        }
        long above = timeMillis == Long.MAX_VALUE ? end : firstAtLeast(min, end, Block.TIME, timeMillis + 1);
        return Math.max(min, above - 1);
    }

    /** The first offset in [from, to) whose field, which never falls, is at least a value; {@code to} if none is. A trimmed block is below every value. */
    private long firstAtLeast(long from, long to, int field, long value) {
        long low = from >> Block.SHIFT;
        long high = to - 1 >> Block.SHIFT;
        while (low < high) {
            long middle = low + high >>> 1;
            long last = ((middle + 1) << Block.SHIFT) - 1;
            Block block = block(last);
            if (block == null || block.field(last, field) < value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        long start = Math.max(from, low << Block.SHIFT);
        long end = Math.min(to, (low + 1) << Block.SHIFT);
        Block block = start < end ? block(start) : null;
        if (block == null) {
            return end;
        }
        while (start < end) {
            long middle = start + end >>> 1;
            if (block.field(middle, field) < value) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        return start;
    }
}
