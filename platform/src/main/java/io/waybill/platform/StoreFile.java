/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One open file. Positional calls are safe from several threads; who writes where is the caller's order.
 *
 * <p>Nothing is durable before {@link #force()} returned. After a failed force or write the state of everything not yet
 * forced is unknown and stays unknown, even if a later force succeeds: the caller must give the file up.
 */
public interface StoreFile extends AutoCloseable {

    /** Relative to the root, as given to {@link Files#open}. */
    String name();

    /** Bytes. */
    long size() throws IOException;

    /**
     * Writes all that remains in the source, from its position to its limit, and grows the file if needed. Direct buffers
     * are written without a copy.
     *
     * @throws DiskFullException if there is no room
     */
    void write(long position, ByteBuffer source) throws IOException;

    /**
     * Reads until the target is full or the file ends.
     *
     * @return bytes read, or -1 if the position is at or past the end
     */
    int read(long position, ByteBuffer target) throws IOException;

    /**
     * A read-only view that shows later writes and stays valid after {@link #close()} and deletion, until it is no longer
     * reachable. Do not truncate below it: touching what is gone can end the process.
     *
     * @throws IOException if the range is not within the file
     */
    ByteBuffer map(long position, long length) throws IOException;

    /**
     * Grows the file to the length by writing zeros, so that later writes below it need no room. A shorter length
     * changes nothing. Follow it by {@link #forceAll()}, or the first force of a small write pays for all the zeros.
     *
     * @throws DiskFullException if there is no room; the file is then as long as before
     */
    void allocate(long length) throws IOException;

    /** Makes data and size durable (fdatasync). The directory entry needs {@link Files#forceDirectory}. */
    void force() throws IOException;

    /** As {@link #force()}, and the rest of the metadata too (fsync). */
    void forceAll() throws IOException;

    /** Cuts the file; a size that is not smaller changes nothing. Durable after {@link #force()}. */
    void truncate(long size) throws IOException;

    /** Does not force. Idempotent. */
    @Override
    void close() throws IOException;
}
