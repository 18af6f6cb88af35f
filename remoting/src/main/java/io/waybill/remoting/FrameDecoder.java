/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.waybill.protocol.frame.Limits;
import io.waybill.protocol.frame.MalformedFrame;
import java.util.function.BooleanSupplier;

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
final class FrameDecoder {
    private static final int LENGTH_WORD = 4;
    private static final int FIRST_PARTIAL = 512;

    /** Takes a frame that lies at index, without its length word; valid until it returns. */
    interface Sink {
        void frame(ByteBuf buffer, int index, int length) throws MalformedFrame;
    }

    private final int maxFrameBytes;
    private final Charge charge;
    private final BooleanSupplier mayFinish;
    private ByteBuf partial;
    private long charged;
    private int word;
    private boolean lacksRoom;

    /** @param charge pays for frames that are still arriving */
    FrameDecoder(int maxFrameBytes, Charge charge) {
        this(maxFrameBytes, charge, () -> false);
    }

    /** @param mayFinish asked when there is no share left: whether the frame that is arriving may take what it needs all the same */
    FrameDecoder(int maxFrameBytes, Charge charge, BooleanSupplier mayFinish) {
        this.mayFinish = mayFinish;
        this.maxFrameBytes = maxFrameBytes;
        this.charge = charge;
    }

    /** The length word that was judged last. */
    int lengthWord() {
        return word;
    }

    /** True when the last {@link #decode} left bytes because there is no room for them now: they are to be offered again later. */
    boolean lacksRoom() {
        return lacksRoom;
    }

    /** True while a frame has begun and not ended. */
    boolean insideFrame() {
        return partial != null;
    }

    /**
     * Passes on the next frame if the bytes complete one, else keeps them all, or leaves them when there is no room.
     *
     * @return false when the bytes are used up without completing a frame, or {@link #lacksRoom}
     */
    boolean decode(ByteBuf in, ByteBufAllocator allocator, Sink sink) throws MalformedFrame {
        lacksRoom = false;
        if (partial != null) {
            return finishPartial(in, allocator, sink);
        }
        int available = in.readableBytes();
        if (available < LENGTH_WORD) {
            if (available > 0) {
                take(in, available, allocator, FIRST_PARTIAL);
            }
            return false;
        }
        int start = in.readerIndex();
        int length = checked(in.getInt(start));
        if (available - LENGTH_WORD < length) {
            take(in, available, allocator, LENGTH_WORD + length);
            return false;
        }
        in.readerIndex(start + LENGTH_WORD + length);
        sink.frame(in, start + LENGTH_WORD, length);
        return true;
    }

    /** Drops a partial frame. */
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
        if (!take(in, Math.min(whole - partial.readableBytes(), in.readableBytes()), allocator, whole)
                || partial.readableBytes() < whole) {
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

    /**
     * Moves bytes into the partial frame, doubling its memory as needed but never beyond the whole frame.
     *
     * @return false when nothing was moved because there is no room
     */
    private boolean take(ByteBuf in, int count, ByteBufAllocator allocator, int whole) {
        int held = partial == null ? 0 : partial.readableBytes();
        int needed = held + count;
        if (partial == null || partial.capacity() < needed) {
            int capacity = Math.max(needed, Math.min(whole, Math.max(FIRST_PARTIAL, 2 * needed)));
            if (!charge.admits(capacity - charged) && !mayFinish.getAsBoolean()) {
                lacksRoom = true;
                return false;
            }
            charge.add(capacity - charged);
            charged = capacity;
            ByteBuf larger = allocator.directBuffer(capacity, capacity);
            if (partial != null) {
                larger.writeBytes(partial, 0, held);
                partial.release();
            }
            partial = larger;
        }
        partial.writeBytes(in, count);
        return true;
    }

    private void settle() {
        charge.add(-charged);
        charged = 0;
    }

    private int checked(int length) throws MalformedFrame {
        word = length;
        Limits.checkFrameLength(length, maxFrameBytes);
        return length;
    }
}
