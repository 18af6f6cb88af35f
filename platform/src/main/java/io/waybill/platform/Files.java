/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A directory tree. All names are relative to its root; '/' separates, and no name can lead outside: empty parts, ".",
 * "..", backslashes and control characters are refused with IllegalArgumentException. Safe from any thread.
 *
 * <p>Creating, renaming and deleting are durable only after {@link #forceDirectory} of the directory they happened in.
 */
public interface Files {

    /**
     * Opens a file in an existing directory.
     *
     * @throws java.nio.file.NoSuchFileException if it must exist and does not
     * @throws java.nio.file.FileAlreadyExistsException if it must not exist and does
     */
    StoreFile open(String name, OpenMode mode) throws IOException;

    /** Whether a file or directory of this name is there. */
    boolean exists(String name);

    /** Bytes in the file. */
    long size(String name) throws IOException;

    /** The plain names in a directory, sorted; "" is the root. */
    List<String> list(String directory) throws IOException;

    /** Makes the directory and its missing parents; fine if it is there. */
    void createDirectories(String name) throws IOException;

    /** Gives a file another name, replacing what had it, in one step. */
    void rename(String from, String to) throws IOException;

    /** Removes a file or an empty directory; it must exist. Open handles and mappings stay usable. */
    void delete(String name) throws IOException;

    /** Makes the entries of a directory durable; "" is the root. */
    void forceDirectory(String directory) throws IOException;

    /**
     * Takes the lock file of this name, created if missing.
     *
     * @throws IOException naming the holder's process id if it is held
     */
    FileLock lock(String name) throws IOException;

    /** Bytes that could still be written. */
    long usableBytes() throws IOException;

    /** Bytes of the whole file system that the tree is on, used or not. */
    long totalBytes() throws IOException;

    /**
     * Where a name lies on this machine, for a library that opens files by itself.
     *
     * @throws IllegalStateException in simulation
     */
    Path hostPath(String name);

    /** The tree under a directory of this machine, which is created if missing. */
    static Files real(Path root) {
        return new HostFiles(root);
    }

    /**
     * Checks a name as every method here does.
     *
     * @return the name
     */
    static String checkName(String name) {
        return FileNames.check(name);
    }
}
