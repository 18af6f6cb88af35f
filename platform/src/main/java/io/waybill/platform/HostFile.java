/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * One file channel. Writes are positional system calls from the caller's buffer; only {@link #map} maps, and only for
 * reading, because a forced mapping writes whole page-cache blocks and a write to an unallocated one can kill the process.
 */
final class HostFile implements StoreFile {
    /** For {@link #allocate}, made when first needed; large enough that the system calls do not count. */
    private static final class Zeros {
        static final ByteBuffer BLOCK = ByteBuffer.allocateDirect(1 << 18);
    }

    private final String name;
    private final Path path;
    private final FileChannel channel;

    HostFile(String name, Path path, FileChannel channel) {
        this.name = name;
        this.path = path;
        this.channel = channel;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long size() throws IOException {
        return channel.size();
    }

    @Override
    public void write(long position, ByteBuffer source) throws IOException {
        long at = position;
        try {
            while (source.hasRemaining()) {
                at += channel.write(source, at);
            }
        } catch (IOException e) {
            throw explained(e, source.remaining());
        }
    }

    @Override
    public int read(long position, ByteBuffer target) throws IOException {
        int total = 0;
        while (target.hasRemaining()) {
            int count = channel.read(target, position + total);
            if (count < 0) {
                return total == 0 ? -1 : total;
            }
            total += count;
        }
        return total;
    }

    @Override
    public ByteBuffer map(long position, long length) throws IOException {
        long size = channel.size();
        if (position < 0 || length < 0 || length > Integer.MAX_VALUE || position > size - length) {
            throw new IOException(
                    "cannot map " + length + " bytes at " + position + " of " + name + ": it has " + size);
        }
        return channel.map(FileChannel.MapMode.READ_ONLY, position, length);
    }

    @Override
    public void allocate(long length) throws IOException {
        long start = channel.size();
        if (length <= start) {
            return;
        }
        long usable = usableBytes();
        if (usable < length - start) {
            throw new DiskFullException(name, length - start, usable);
        }
        ByteBuffer zeros = Zeros.BLOCK.duplicate();
        try {
            for (long at = start; at < length; ) {
                zeros.clear().limit((int) Math.min(zeros.capacity(), length - at));
                at += channel.write(zeros, at);
            }
        } catch (IOException e) {
            IOException explained = explained(e, length - start);
            try {
                channel.truncate(start);
            } catch (IOException again) {
                explained.addSuppressed(again);
            }
            throw explained;
        }
    }

    @Override
    public void force() throws IOException {
        channel.force(false);
    }

    @Override
    public void forceAll() throws IOException {
        channel.force(true);
    }

    @Override
    public void truncate(long size) throws IOException {
        channel.truncate(size);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    /** The JDK hands on the system's text for ENOSPC and EDQUOT and no code. */
    private IOException explained(IOException e, long wantedBytes) throws IOException {
        String text = String.valueOf(e.getMessage());
        if (text.contains("No space left") || text.contains("quota exceeded") || text.contains("not enough space")) {
            IOException full = new DiskFullException(name, wantedBytes, usableBytes());
            full.addSuppressed(e);
            return full;
        }
        return e;
    }

    private long usableBytes() throws IOException {
        return java.nio.file.Files.getFileStore(path).getUsableSpace();
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
