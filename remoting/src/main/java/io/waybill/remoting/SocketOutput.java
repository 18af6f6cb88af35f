/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The writing side of a socket. Frames leave in the order in which they are written, whole, and none before {@link #flush}.
 *
 * <p>System calls are what costs, so small frames are copied together into one buffer, and large body slices go to the socket from where they lie.
 * The buffer is as large as the bursts before needed: its size follows half of each change. At most one buffer is held that the socket does not
 * have. Of one event loop.
 */
final class SocketOutput {
    // Measured: up to about this a slice is cheaper copied into the gathered buffer than sent as an element of its own.
    private static final int COPIED_SLICE_BYTES = 2 * 1024;
    private static final int COPIED_BODY_BYTES = 64 * 1024;
    private static final int SMALLEST_CHUNK = 512;
    private static final int LARGEST_CHUNK = 32 * 1024;
    private static final int FLUSH_AT_BYTES = 256 * 1024;

    private final ChannelHandlerContext context;
    private final int maxFrameBytes;
    private ByteBuf chunk;
    private int burstBytes;
    private int chunkGuess = SMALLEST_CHUNK;
    private int unflushedBytes;
    private boolean unflushed;
    /** Bytes given to the socket since its buffer was last empty, without slices of mapped files. */
    private long memoryWritten;
    /** Bytes of mapped files among what the socket has not taken. */
    private long mappedPending;

    private boolean isShut;

    SocketOutput(ChannelHandlerContext context, int maxFrameBytes) {
        this.context = context;
        this.maxFrameBytes = maxFrameBytes;
    }

    /**
     * Adds a frame.
     *
     * @param slices the body, or null = the command's own
     * @param item told when slices that were not copied are no longer needed
     * @return true when slices are sent from where they lie and are released by the socket later
     * @throws IllegalArgumentException when the frame is longer than the peer takes; nothing is written then
     */
    boolean write(Command command, int opaque, List<ByteBuffer> slices, Outgoing item) {
        int bodyBytes = slices == null ? command.bodyLength() : bytesOf(slices);
        boolean copied =
                slices == null || bodyBytes <= Math.min(COPIED_BODY_BYTES, (long) slices.size() * COPIED_SLICE_BYTES);
        int headRoom = FrameEncoder.maxHeadLength(command);
        if ((long) headRoom + bodyBytes > maxFrameBytes) {
            throw new IllegalArgumentException(
                    "frame of up to " + ((long) headRoom + bodyBytes) + " bytes exceeds the limit of " + maxFrameBytes);
        }
        int room = copied ? headRoom + bodyBytes : headRoom;
        ByteBuf target = room(room);
        int start = target.writerIndex();
        ByteBuffer bytes = target.internalNioBuffer(start, room);
        int from = bytes.position();
        FrameEncoder.encodeHead(command, opaque, bodyBytes, bytes);
        if (copied) {
            if (slices == null) {
                bytes.put(command.body());
            } else {
                for (ByteBuffer slice : slices) {
                    int length = slice.remaining();
                    bytes.put(bytes.position(), slice, slice.position(), length);
                    bytes.position(bytes.position() + length);
                }
            }
        }
        int written = bytes.position() - from;
        target.writerIndex(start + written);
        burstBytes += written;
        unflushedBytes += written;
        unflushed = true;
        if (!copied) {
            writeInPlace(slices, item);
            unflushedBytes += bodyBytes;
        }
        return !copied;
    }

    /** True when so much is written that it should not wait for the end of the burst. */
    boolean isFull() {
        return unflushedBytes >= FLUSH_AT_BYTES;
    }

    boolean isFlushed() {
        return !unflushed;
    }

    /** Gives all that was written to the socket. */
    void flush() {
        writeChunk();
        unflushed = false;
        unflushedBytes = 0;
        chunkGuess = Math.max(SMALLEST_CHUNK, Math.min(LARGEST_CHUNK, (chunkGuess + burstBytes) / 2));
        burstBytes = 0;
        context.flush();
    }

    /** Sends these bytes, which belong to no frame, and then nothing more: the peer sees the end of the stream. */
    void shut(ByteBuf last) {
        isShut = true;
        context.writeAndFlush(last)
                .addListener((ChannelFutureListener) sent -> ((DuplexChannel) context.channel()).shutdownOutput());
    }

    boolean isShut() {
        return isShut;
    }

    /** Bytes of memory that the socket has not taken; mapped files are none. */
    long heldBytes() {
        ChannelOutboundBuffer buffer = context.channel().unsafe().outboundBuffer();
        long pending = buffer == null ? 0 : buffer.totalPendingWriteBytes();
        if (pending == 0) {
            memoryWritten = 0;
        }
        return Math.min(Math.max(0, pending - mappedPending), memoryWritten);
    }

    /** Drops what the socket does not have. */
    void release() {
        if (chunk != null) {
            chunk.release();
            chunk = null;
        }
    }

    /** Mapped slices cost nothing while they wait; others are copied for the socket. */
    static long memoryOf(List<ByteBuffer> slices) {
        long sum = 0;
        for (ByteBuffer slice : slices) {
            sum += memoryOf(slice);
        }
        return sum;
    }

    private static long memoryOf(ByteBuffer slice) {
        return slice.isDirect() ? 0 : slice.remaining();
    }

    private static int bytesOf(List<ByteBuffer> slices) {
        long sum = 0;
        for (ByteBuffer slice : slices) {
            sum += slice.remaining();
        }
        return (int) Math.min(Integer.MAX_VALUE, sum);
    }

    private void writeInPlace(List<ByteBuffer> slices, Outgoing item) {
        writeChunk();
        int last = slices.size() - 1;
        while (last > 0 && !slices.get(last).hasRemaining()) {
            last--;
        }
        for (int i = 0; i < last; i++) {
            if (slices.get(i).hasRemaining()) {
                memoryWritten += memoryOf(slices.get(i));
                context.write(Unpooled.wrappedBuffer(slices.get(i)), context.voidPromise());
            }
        }
        // Writes end in order, also when they fail, so the last one stands for all.
        ChannelPromise end = context.newPromise();
        long mapped = bytesOf(slices) - memoryOf(slices);
        mappedPending += mapped;
        end.addListener(ended -> {
            mappedPending -= mapped;
            item.slicesReleased();
        });
        memoryWritten += memoryOf(slices.get(last));
        context.write(Unpooled.wrappedBuffer(slices.get(last)), end);
    }

    /** The gathered buffer, with room for so many bytes. */
    private ByteBuf room(int bytes) {
        if (chunk == null || chunk.writableBytes() < bytes) {
            writeChunk();
            int capacity = Math.max(bytes, Math.max(chunkGuess, Math.min(LARGEST_CHUNK, burstBytes)));
            chunk = context.alloc().directBuffer(capacity, capacity);
        }
        return chunk;
    }

    private void writeChunk() {
        ByteBuf full = chunk;
        if (full != null) {
            chunk = null;
            if (full.isReadable()) {
                memoryWritten += full.capacity();
                context.write(full, context.voidPromise());
            } else {
                full.release();
            }
        }
    }
}
