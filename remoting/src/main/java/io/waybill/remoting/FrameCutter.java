/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.waybill.protocol.frame.Limits;
import io.waybill.protocol.frame.MalformedFrame;

/**
 * Cuts a stream of bytes into frames. A length word is judged before anything is taken for it, and the memory of a frame
 * that is still arriving grows with what has arrived, not with what was announced. Whole frames are handed out where
 * they lie in the read buffer; only a frame split over two reads is copied. At most one partial frame is held.
 *
 * <pre>
 *   length 4 | length bytes: type and header length 4 | header | body
 * </pre>
 *
 * Used by one thread.
 */
final class FrameCutter {
    private static final int LENGTH_WORD = 4;
    private static final int FIRST_PARTIAL = 512;

    /** Takes a frame that lies at index, without its length word; valid until it returns. */
    interface Sink {
        void frame(ByteBuf buffer, int index, int length) throws MalformedFrame;
    }

    private final int maxFrameBytes;
    private final Budget budget;
    private ByteBuf partial;
    private long charged;

    FrameCutter(int maxFrameBytes, Budget budget) {
        this.maxFrameBytes = maxFrameBytes;
        this.budget = budget;
    }

    /** True while a frame has begun and not ended. */
    boolean insideFrame() {
        return partial != null;
    }

    /**
     * Passes on the next frame if the bytes complete one, else keeps them all.
     *
     * @return false when the bytes are used up without completing a frame
     */
    boolean cut(ByteBuf in, ByteBufAllocator allocator, Sink sink) throws MalformedFrame {
        if (partial != null) {
            return finishPartial(in, allocator, sink);
        }
        int available = in.readableBytes();
        if (available < LENGTH_WORD) {
            if (available > 0) {
                keep(in, FIRST_PARTIAL, allocator);
            }
            return false;
        }
        int start = in.readerIndex();
        int length = checked(in.getInt(start));
        if (available - LENGTH_WORD < length) {
            keep(in, LENGTH_WORD + length, allocator);
            return false;
        }
        in.readerIndex(start + LENGTH_WORD + length);
        sink.frame(in, start + LENGTH_WORD, length);
        return true;
    }

    /** Drops a partial frame, and what was charged for one that was refused. */
    void release() {
        ByteBuf dropped = partial;
        if (dropped != null) {
            partial = null;
            dropped.release();
        }
        settle();
    }

    private boolean finishPartial(ByteBuf in, ByteBufAllocator allocator, Sink sink) throws MalformedFrame {
        if (partial.readableBytes() < LENGTH_WORD) {
            take(in, Math.min(LENGTH_WORD - partial.readableBytes(), in.readableBytes()), allocator, FIRST_PARTIAL);
            if (partial.readableBytes() < LENGTH_WORD) {
                return false;
            }
        }
        int length = checked(partial.getInt(0));
        int whole = LENGTH_WORD + length;
        take(in, Math.min(whole - partial.readableBytes(), in.readableBytes()), allocator, whole);
        if (partial.readableBytes() < whole) {
            return false;
        }
        ByteBuf complete = partial;
        partial = null;
        settle();
        try {
            sink.frame(complete, LENGTH_WORD, length);
        } finally {
            complete.release();
        }
        return true;
    }

    private void keep(ByteBuf in, int whole, ByteBufAllocator allocator) throws MalformedFrame {
        take(in, in.readableBytes(), allocator, whole);
    }

    /** Moves bytes into the partial frame, doubling its memory as needed but never beyond the whole frame. */
    private void take(ByteBuf in, int count, ByteBufAllocator allocator, int whole) throws MalformedFrame {
        int held = partial == null ? 0 : partial.readableBytes();
        int needed = held + count;
        if (partial == null || partial.capacity() < needed) {
            int capacity = Math.max(needed, Math.min(whole, Math.max(FIRST_PARTIAL, 2 * needed)));
            charge(capacity);
            ByteBuf larger = allocator.directBuffer(capacity, capacity);
            if (partial != null) {
                larger.writeBytes(partial, 0, held);
                partial.release();
            }
            partial = larger;
        }
        partial.writeBytes(in, count);
    }

    private void charge(int capacity) throws MalformedFrame {
        long more = capacity - charged;
        charged = capacity;
        if (!budget.take(more)) {
            throw new MalformedFrame(
                    "unanswered requests and unfinished frames",
                    "at most " + budget.limit() + " bytes in total",
                    budget.used() + " bytes, " + capacity + " of them here");
        }
    }

    private void settle() {
        budget.give(charged);
        charged = 0;
    }

    private int checked(int length) throws MalformedFrame {
        Limits.checkFrameLength(length, maxFrameBytes);
        return length;
    }
}
