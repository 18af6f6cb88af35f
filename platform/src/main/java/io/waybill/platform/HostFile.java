/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * One file channel. Writes are positional system calls from the caller's buffer; only {@link #map} maps, and only for
 * reading, because a forced mapping writes whole page-cache blocks and a write to an unallocated one can kill the process.
 *
 * <p>An interrupted thread closes the channel it uses, for everyone: a reader of an embedded broker could freeze the log
 * that way. So a channel that was closed by an interrupt is opened again and the call repeated; the thread stays interrupted.
 */
final class HostFile implements StoreFile {
    /**
     * For {@link #allocate}; large enough that the system calls do not count. Taken with the class, at the start: a passing shortage
     * of direct memory when the first segment is made would keep the log from growing until a restart.
     */
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 18);

    /** The runtime reads into a heap buffer through a direct one of the same size, which it keeps for the thread. */
    private static final int MAX_HEAP_READ = 1 << 17;

    private final String name;
    private final Path path;
    private final OpenMode mode;
    private volatile FileChannel channel;
    private volatile boolean closed;

    HostFile(String name, Path path, FileChannel channel, OpenMode mode) {
        this.name = name;
        this.path = path;
        this.channel = channel;
        this.mode = mode;
    }

    private interface Call<T> {
        T on(FileChannel channel) throws IOException;
    }

    /** The call must be one that can be repeated from its start. */
    private <T> T uninterrupted(Call<T> call) throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                FileChannel now = channel;
                try {
                    return call.on(now);
                } catch (ClosedChannelException e) {
                    interrupted |= Thread.interrupted();
                    reopen(now, e);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private synchronized void reopen(FileChannel broken, ClosedChannelException e) throws IOException {
        if (closed) {
            throw e;
        }
        if (channel == broken) {
            channel = mode == OpenMode.READ
                    ? FileChannel.open(path, StandardOpenOption.READ)
                    : FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long size() throws IOException {
        return uninterrupted(FileChannel::size);
    }

    @Override
    public void write(long position, ByteBuffer source) throws IOException {
        int start = source.position();
        try {
            uninterrupted(to -> {
                source.position(start);
                while (source.hasRemaining()) {
                    to.write(source, position + source.position() - start);
                }
                return null;
            });
        } catch (IOException e) {
            throw explained(e, source.remaining());
        }
    }

    @Override
    public int read(long position, ByteBuffer target) throws IOException {
        int start = target.position();
        return uninterrupted(from -> {
            target.position(start);
            int total = 0;
            int limit = target.limit();
            try {
                while (target.position() < limit) {
                    int most = target.isDirect() ? Integer.MAX_VALUE : MAX_HEAP_READ;
                    target.limit(Math.min(limit - target.position(), most) + target.position());
                    int count = from.read(target, position + total);
                    if (count < 0) {
                        return total == 0 ? -1 : total;
                    }
                    total += count;
                }
            } finally {
                target.limit(limit);
            }
            return total;
        });
    }

    @Override
    public ByteBuffer map(long position, long length) throws IOException {
        long size = size();
        if (position < 0 || length < 0 || length > Integer.MAX_VALUE || position > size - length) {
            throw new IOException(
                    "cannot map " + length + " bytes at " + position + " of " + name + ": it has " + size);
        }
        return uninterrupted(from -> from.map(FileChannel.MapMode.READ_ONLY, position, length));
    }

    @Override
    public void allocate(long length) throws IOException {
        long start = size();
        if (length <= start) {
            return;
        }
        long usable = usableBytes();
        if (usable < length - start) {
            throw new DiskFullException(name, length - start, usable);
        }
        ByteBuffer zeros = ZEROS.duplicate();
        try {
            uninterrupted(to -> {
                for (long at = start; at < length; ) {
                    zeros.clear().limit((int) Math.min(zeros.capacity(), length - at));
                    at += to.write(zeros, at);
                }
                return null;
            });
        } catch (IOException e) {
            IOException explained = explained(e, length - start);
            try {
                truncate(start);
            } catch (IOException again) {
                explained.addSuppressed(again);
            }
            throw explained;
        }
    }

    @Override
    public void force() throws IOException {
        forced(false);
    }

    @Override
    public void forceAll() throws IOException {
        forced(true);
    }

    /** Broken off by an interrupt it has not failed: it starts anew, and is still told of an error nobody was told of. */
    private void forced(boolean metadata) throws IOException {
        uninterrupted(at -> {
            at.force(metadata);
            return null;
        });
    }

    @Override
    public void truncate(long size) throws IOException {
        uninterrupted(at -> at.truncate(size));
    }

    @Override
    public synchronized void close() throws IOException {
        closed = true;
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
        return HostFiles.usableBytes(path);
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
