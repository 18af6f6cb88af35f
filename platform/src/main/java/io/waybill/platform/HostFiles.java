/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Files of this machine. No path leaves the root: names are checked before a path is built from them. */
final class HostFiles implements Files {
    private static final boolean WINDOWS = java.io.File.separatorChar == '\\';

    /** Lock files held by this process. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path root;

    HostFiles(Path root) {
        this.root = root.toAbsolutePath().normalize();
        try {
            java.nio.file.Files.createDirectories(this.root);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the directory " + this.root + ": " + reason(e), e);
        }
    }

    @Override
    public StoreFile open(String name, OpenMode mode) throws IOException {
        Path path = hostPath(name);
        FileChannel channel = switch (mode) {
            case READ -> FileChannel.open(path, StandardOpenOption.READ);
            case READ_WRITE -> FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            case CREATE_NEW ->
                FileChannel.open(
                        path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        };
        return new HostFile(name, path, channel, mode);
    }

    @Override
    public boolean exists(String name) {
        return java.nio.file.Files.exists(hostPath(name));
    }

    @Override
    public long size(String name) throws IOException {
        return java.nio.file.Files.size(hostPath(name));
    }

    @Override
    public List<String> list(String directory) throws IOException {
        List<String> names = new ArrayList<>();
        try (var entries = java.nio.file.Files.newDirectoryStream(directoryPath(directory))) {
            for (Path entry : entries) {
                names.add(entry.getFileName().toString());
            }
        }
        names.sort(null);
        return names;
    }

    @Override
    public void createDirectories(String name) throws IOException {
        java.nio.file.Files.createDirectories(hostPath(name));
    }

    @Override
    public void rename(String from, String to) throws IOException {
        java.nio.file.Files.move(
                hostPath(from), hostPath(to), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Override
    public void delete(String name) throws IOException {
        java.nio.file.Files.delete(hostPath(name));
    }

    @Override
    public void forceDirectory(String directory) throws IOException {
        Path path = directoryPath(directory);
        if (WINDOWS) {
            return; // directories cannot be opened there, and renames are journalled
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    @Override
    public FileLock lock(String name) throws IOException {
        Path path = hostPath(name);
        // Not even opened a second time in this process: POSIX drops a process's lock when it closes any channel of the
        // file, so the refused one would take the holder's lock with it.
        Path held = root.toRealPath().resolve(name);
        if (!HELD.add(held)) {
            throw locked(path, " by process " + ProcessHandle.current().pid() + " (this one)");
        }
        try {
            FileChannel channel = lockedChannel(path);
            return () -> {
                if (channel.isOpen()) {
                    channel.close();
                    HELD.remove(held);
                }
            };
        } catch (IOException | RuntimeException e) {
            HELD.remove(held);
            throw e;
        }
    }

    private static IOException locked(Path path, String holder) {
        return new IOException(path + " is locked: the directory is in use" + holder
                + "; stop that process or choose another directory");
    }

    private static FileChannel lockedChannel(Path path) throws IOException {
        FileChannel channel =
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            java.nio.channels.FileLock held;
            try {
                held = channel.tryLock();
            } catch (OverlappingFileLockException e) {
                held = null;
            }
            if (held == null) {
                throw locked(path, holder(channel));
            }
            channel.truncate(0);
            channel.write(
                    ByteBuffer.wrap(Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII)),
                    0);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
        return channel;
    }

    /** The process id its holder wrote into the lock file; a courtesy, so its failures are not. */
    private static String holder(FileChannel channel) {
        ByteBuffer text = ByteBuffer.allocate(20);
        try {
            channel.read(text, 0);
        } catch (IOException e) {
            return "";
        }
        String pid = new String(text.array(), 0, text.position(), StandardCharsets.US_ASCII);
        return pid.matches("[0-9]+") ? " by process " + pid : "";
    }

    @Override
    public long usableBytes() throws IOException {
        return java.nio.file.Files.getFileStore(root).getUsableSpace();
    }

    @Override
    public long totalBytes() throws IOException {
        return java.nio.file.Files.getFileStore(root).getTotalSpace();
    }

    @Override
    public Path hostPath(String name) {
        return root.resolve(FileNames.check(name));
    }

    private Path directoryPath(String directory) throws NoSuchFileException {
        return directory.isEmpty() ? root : hostPath(directory);
    }

    private static String reason(IOException e) {
        String message = e.getMessage();
        return e.getClass().getSimpleName() + (message == null ? "" : " " + message);
    }

    @Override
    public String toString() {
        return root.toString();
    }
}
