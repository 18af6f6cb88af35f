/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * One file of the log: the positions from start to end. It is as long as it will ever be, really allocated, before the first
 * frame is written into it.
 */
final class Segment {
    static final String DIRECTORY = "log";
    private static final String SUFFIX = ".seg";
    private static final int DIGITS = 20;

    private final StoreFile file;
    private final long start;
    private final long length;

    /** The mapping while the segment is hot; positions below hotFrom were not written by this process. */
    private volatile Extent hot;

    private volatile boolean closed;

    Segment(StoreFile file, long start, long length) {
        this.file = file;
        this.start = start;
        this.length = length;
    }

    static String name(long start) {
        return DIRECTORY + "/" + String.format("%0" + DIGITS + "d", start) + SUFFIX;
    }

    /** The start position in a plain file name, or -1 if this is no segment. */
    static long startOf(String plainName) {
        if (plainName.length() != DIGITS + SUFFIX.length() || !plainName.endsWith(SUFFIX)) {
            return -1;
        }
        try {
            return Long.parseLong(plainName, 0, DIGITS, 10);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** A new file of zeros whose bytes, size and name are durable. Whatever was left there by an interrupted try is replaced. */
    static Segment create(Files files, long start, long length) throws IOException {
        String name = name(start);
        if (files.exists(name)) {
            files.delete(name);
        }
        StoreFile file = files.open(name, OpenMode.CREATE_NEW);
        try {
            file.allocate(length);
            file.forceAll();
            files.forceDirectory(DIRECTORY);
            return new Segment(file, start, length);
        } catch (IOException | RuntimeException | Error e) {
            try {
                file.close();
                files.delete(name);
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    static Segment open(Files files, long start, OpenMode mode) throws IOException {
        StoreFile file = files.open(name(start), mode);
        return new Segment(file, start, file.size());
    }

    String name() {
        return file.name();
    }

    long start() {
        return start;
    }

    long end() {
        return start + length;
    }

    long length() {
        return length;
    }

    void write(long position, ByteBuffer source) throws IOException {
        file.write(position - start, source);
    }

    /** Reads until the target is full or the segment ends; returns the bytes read. */
    int read(long position, ByteBuffer target) throws IOException {
        return Math.max(0, file.read(position - start, target));
    }

    void force() throws IOException {
        file.force();
    }

    /**
     * Verifies the checksum of a frame with no more memory than the buffer has, however long the frame says it is.
     *
     * @return what is wrong, or null
     */
    String checkInSteps(long base, int length, int stored, ByteBuffer buffer, CRC32C crc) throws IOException {
        crc.reset();
        for (long at = base + Frame.VERSION_AT; at < base + length; at += buffer.limit()) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), base + length - at));
            if (read(at, buffer) < buffer.limit()) {
                return "the file ends within the frame";
            }
            crc.update(buffer.rewind());
        }
        return Frame.checkSum(stored, (int) crc.getValue());
    }

    /** Serves reads from this position on through a mapping. */
    void heat(long from) throws IOException {
        hot = new Extent(file.map(0, length), start, Math.max(from, start), end(), false);
    }

    void cool() {
        hot = null;
    }

    Extent hot() {
        return hot;
    }

    boolean isClosed() {
        return closed;
    }

    void close() throws IOException {
        hot = null;
        closed = true;
        file.close();
    }
}
