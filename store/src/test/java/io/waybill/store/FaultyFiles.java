/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.DiskFullException;
import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Real files of which the n-th write or force of the log, and all allocations from the n-th on, fail. */
final class FaultyFiles implements Files {
    enum Call {
        WRITE,
        FORCE,
        ALLOCATE
    }

    private final Files real;
    private final Call failing;
    private final AtomicInteger left;

    FaultyFiles(Files real, Call failing, int ordinal) {
        this.real = real;
        this.failing = failing;
        this.left = new AtomicInteger(ordinal);
    }

    boolean hasFailed() {
        return left.get() <= 0;
    }

    private boolean fails(Call call) {
        return call == failing && left.decrementAndGet() <= 0 && (call == Call.ALLOCATE || left.get() == 0);
    }

    @Override
    public StoreFile open(String name, OpenMode mode) throws IOException {
        StoreFile file = real.open(name, mode);
        return name.startsWith("log/") ? new FaultyFile(file) : file;
    }

    private final class FaultyFile implements StoreFile {
        private final StoreFile file;

        FaultyFile(StoreFile file) {
            this.file = file;
        }

        @Override
        public String name() {
            return file.name();
        }

        @Override
        public long size() throws IOException {
            return file.size();
        }

        @Override
        public void write(long position, ByteBuffer source) throws IOException {
            if (fails(Call.WRITE)) {
                ByteBuffer half = source.duplicate();
                half.limit(source.position() + source.remaining() / 2);
                file.write(position, half);
                throw new IOException("injected: the write failed half way");
            }
            file.write(position, source);
        }

        @Override
        public int read(long position, ByteBuffer target) throws IOException {
            return file.read(position, target);
        }

        @Override
        public ByteBuffer map(long position, long length) throws IOException {
            return file.map(position, length);
        }

        @Override
        public void allocate(long length) throws IOException {
            if (fails(Call.ALLOCATE)) {
                throw new DiskFullException(name(), length, 0);
            }
            file.allocate(length);
        }

        @Override
        public void force() throws IOException {
            if (fails(Call.FORCE)) {
                throw new IOException("injected: the force failed");
            }
            file.force();
        }

        @Override
        public void forceAll() throws IOException {
            file.forceAll();
        }

        @Override
        public void truncate(long size) throws IOException {
            file.truncate(size);
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }

    @Override
    public boolean exists(String name) {
        return real.exists(name);
    }

    @Override
    public long size(String name) throws IOException {
        return real.size(name);
    }

    @Override
    public List<String> list(String directory) throws IOException {
        return real.list(directory);
    }

    @Override
    public void createDirectories(String name) throws IOException {
        real.createDirectories(name);
    }

    @Override
    public void rename(String from, String to) throws IOException {
        real.rename(from, to);
    }

    @Override
    public void delete(String name) throws IOException {
        real.delete(name);
    }

    @Override
    public void forceDirectory(String directory) throws IOException {
        real.forceDirectory(directory);
    }

    @Override
    public FileLock lock(String name) throws IOException {
        return real.lock(name);
    }

    @Override
    public long usableBytes() throws IOException {
        return real.usableBytes();
    }

    @Override
    public long totalBytes() throws IOException {
        return real.totalBytes();
    }

    @Override
    public Path hostPath(String name) {
        return real.hostPath(name);
    }
}
