/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.nio.ByteBuffer;

/**
 * A range of the log that can be sliced: the mapping of a segment this process writes (hot), or one frame read from disk and
 * verified (cold). Slices are read-only and keep the bytes alive, whatever happens to the file.
 */
public final class Extent {
    private final ByteBuffer bytes;
    private final long base;
    private final long from;
    private final long to;
    private final boolean cold;

    /** The range [from, to) of the log may be read; index 0 of the bytes is position base. */
    Extent(ByteBuffer bytes, long base, long from, long to, boolean cold) {
        this.bytes = bytes;
        this.base = base;
        this.from = from;
        this.to = to;
        this.cold = cold;
    }

    public boolean isCold() {
        return cold;
    }

    public boolean contains(long position, int size) {
        return position >= from && position + size <= to;
    }

    /** The size bytes at a position. */
    public ByteBuffer slice(long position, int size) {
        return bytes.slice((int) (position - base), size);
    }

    /**
     * The size bytes at a position, for someone who may hold them long: a copy if holding a slice would hold much more
     * memory, as that of a small message in a large cold frame would.
     */
    public ByteBuffer keep(long position, int size) {
        ByteBuffer slice = slice(position, size);
        if (!cold || size >= bytes.capacity() / 2) {
            return slice;
        }
        return ByteBuffer.allocate(size).put(slice).flip().asReadOnlyBuffer();
    }

    long base() {
        return base;
    }
}
