/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/** Why a call on files failed and what to do, in a sentence: the machine's own exceptions often say nothing but the path. */
final class FileReasons {
    private FileReasons() {}

    /** For a directory that cannot be made or used. */
    static String ofDirectory(Path directory, IOException e) {
        for (Path part = directory; part != null; part = part.getParent()) {
            if (Files.isSymbolicLink(part) && !Files.exists(part)) {
                return part + " is a link to " + target(part)
                        + ", which is not there: make that directory or remove the link";
            }
            if (Files.exists(part, LinkOption.NOFOLLOW_LINKS) && !Files.isDirectory(part)) {
                return part + " is a file and not a directory: choose another directory or move that file away";
            }
        }
        String known = known(directory, e);
        return known == null ? directory + ": " + reason(e) : known;
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException | UnsupportedOperationException e) {
            return "a place that cannot be read";
        }
    }

    /** Null for a reason that needs no more words than it has. */
    private static String known(Object path, IOException e) {
        String said = reason(e);
        if (e instanceof AccessDeniedException || said.contains("Permission denied")) {
            return "no permission for " + path + ": this process runs as user " + System.getProperty("user.name")
                    + ", let that user read and write it or choose another directory";
        }
        if (said.contains("Too many open files")) {
            return "too many files and connections are open for " + path
                    + ": raise the process's limit (ulimit -n, LimitNOFILE) or lower maxConnections";
        }
        if (said.contains("Read-only file system")) {
            return path
                    + " is on a file system that is mounted read-only: mount it for writing or choose another directory";
        }
        if (said.contains("No space left") || said.contains("quota exceeded") || said.contains("not enough space")) {
            return "no space for " + path + ": free some space on this disk";
        }
        if (said.contains("Input/output error")) {
            return "the disk of " + path + " fails (" + said + "): look at the machine's log";
        }
        if (e instanceof NotDirectoryException) {
            return path + " is not a directory";
        }
        return null;
    }

    private static String reason(IOException e) {
        if (e instanceof FileSystemException at && at.getReason() != null) {
            return at.getReason();
        }
        String message = e.getMessage();
        return message == null || e instanceof FileSystemException
                ? e.getClass().getSimpleName()
                : message;
    }

    /**
     * The exception with its reason and the name that is shown for the file, which may reach other machines; those that say in
     * their type that a file is there or not stay of their type.
     */
    static IOException explained(Object shown, IOException e) {
        if (e instanceof NoSuchFileException) {
            return caused(new NoSuchFileException(shown.toString(), null, "it is not there"), e);
        }
        if (e instanceof FileAlreadyExistsException) {
            return caused(new FileAlreadyExistsException(shown.toString(), null, "it is there already"), e);
        }
        String known = e instanceof DiskFullException ? null : known(shown, e);
        if (known == null && e instanceof FileSystemException) {
            known = shown + ": " + reason(e);
        }
        return known == null ? e : new IOException(known, e);
    }

    private static IOException caused(IOException told, IOException cause) {
        told.initCause(cause);
        return told;
    }
}
