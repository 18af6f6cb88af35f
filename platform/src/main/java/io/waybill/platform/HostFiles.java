/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Files of this machine. No path leaves the root: names are checked before a path is built from them. */
final class HostFiles implements Files {
    private static final boolean WINDOWS = java.io.File.separatorChar == '\\';

    private static final Logger LOG = LoggerFactory.getLogger(HostFiles.class);

    /** Lock files held by this process. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path root;

    HostFiles(Path root) {
        this.root = root.toAbsolutePath().normalize();
        try {
            java.nio.file.Files.createDirectories(this.root, attributes(this.root, "rwx------"));
            if (!java.nio.file.Files.isDirectory(this.root)) {
                throw new NotDirectoryException(this.root.toString());
            }
        } catch (IOException e) {
            IOException explained = new IOException(FileReasons.ofDirectory(this.root, e), e);
            throw new UncheckedIOException(explained.getMessage(), explained);
        }
    }

    /** What is stored is nobody else's business. Where the file system has other rules, it keeps them. */
    private static FileAttribute<?>[] attributes(Path path, String permissions) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix")
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
                }
                : new FileAttribute<?>[0];
    }

    private static FileChannel channel(Path path, OpenOption... options) throws IOException {
        return FileChannel.open(path, Set.of(options), attributes(path, "rw-------"));
    }

    private static String shown(String directory) {
        return directory.isEmpty() ? "the directory" : directory;
    }

    private interface Call<T> {
        T run() throws IOException;
    }

    private static <T> T explained(Object shown, Call<T> call) throws IOException {
        try {
            return call.run();
        } catch (IOException e) {
            throw FileReasons.explained(shown, e);
        }
    }

    @Override
    public StoreFile open(String name, OpenMode mode) throws IOException {
        Path path = hostPath(name);
        FileChannel channel = explained(name, () -> switch (mode) {
            case READ -> FileChannel.open(path, StandardOpenOption.READ);
            case READ_WRITE -> FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
            case CREATE_NEW ->
                channel(path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        });
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
        Path path = directoryPath(directory);
        return explained(shown(directory), () -> names(path));
    }

    private static List<String> names(Path directory) throws IOException {
        List<String> names = new ArrayList<>();
        try (var entries = java.nio.file.Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                names.add(entry.getFileName().toString());
            }
        }
        names.sort(null);
        return names;
    }

    @Override
    public void createDirectories(String name) throws IOException {
        Path path = hostPath(name);
        try {
            java.nio.file.Files.createDirectories(path, attributes(path, "rwx------"));
        } catch (IOException e) {
            throw new IOException(FileReasons.ofDirectory(path, e), e);
        }
    }

    @Override
    public void rename(String from, String to) throws IOException {
        explained(
                to,
                () -> java.nio.file.Files.move(
                        hostPath(from),
                        hostPath(to),
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING));
    }

    @Override
    public void delete(String name) throws IOException {
        Path path = hostPath(name);
        explained(name, () -> {
            java.nio.file.Files.delete(path);
            return null;
        });
    }

    @Override
    public void forceDirectory(String directory) throws IOException {
        Path path = directoryPath(directory);
        if (WINDOWS) {
            return; // directories cannot be opened there, and renames are journalled
        }
        explained(shown(directory), () -> {
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
                channel.force(true);
            }
            return null;
        });
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
            FileChannel channel = explained(path, () -> lockedChannel(path));
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
                channel(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
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
            sayHolder(channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
        return channel;
    }

    /** A courtesy to whoever is refused; a disk without a free byte must not keep the store shut. */
    private static void sayHolder(FileChannel channel) {
        try {
            channel.truncate(0);
            channel.write(
                    ByteBuffer.wrap(Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII)),
                    0);
        } catch (IOException e) {
            LOG.warn("the process id cannot be written into the lock file: {}", e.getMessage());
        }
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
        return usableBytes(root);
    }

    /** Without opening anything: the file store looks for its mount point first, and finds none when descriptors are short. */
    static long usableBytes(Path path) throws IOException {
        long bytes = path.toFile().getUsableSpace();
        if (bytes > 0) {
            return bytes;
        }
        // None, or it cannot be told.
        return explained(
                "the directory", () -> java.nio.file.Files.getFileStore(path).getUsableSpace());
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

    @Override
    public String toString() {
        return root.toString();
    }
}
