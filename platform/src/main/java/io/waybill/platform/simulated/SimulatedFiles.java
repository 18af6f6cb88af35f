/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.DiskFullException;
import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A disk in memory that keeps exactly what it promised and, from a seed, any part of the rest.
 *
 * <p><b>While it runs</b> every read and mapping sees the latest write, forced or not, as a page cache shows it.
 *
 * <p><b>What a power cut may do</b> ({@link SimulatedDisk#crash}). Promised is: the bytes and the size a file had when a force of it
 * last returned, and the entries a directory had when a force of it last returned. Of everything newer, the random source
 * decides:
 *
 * <ul>
 *   <li><i>Data.</i> Each 512-byte sector written since the last force comes back on its own as it is now, as it was at
 *       that force, as one of the writes in between left it, or torn: one part of one state and the rest of another.
 *       Neighbours in one write need not share their fate and an earlier write may be lost while a later one is kept.
 *   <li><i>Size.</i> An un-forced growth may be lost, wholly or in part, whatever happened to the data: bytes past the
 *       surviving size are gone, bytes inside it that were lost read as zeros. An un-forced cut may be undone, and then
 *       the old bytes may come back; also below a new size, if the file has grown again since.
 *   <li><i>Entries.</i> Each un-forced creation, replacement and deletion of a name happened or not, independent of the
 *       others and of the data: a new file may be gone although its data was forced, a renamed one may have its old name,
 *       a deleted one may be back. A rename inside one directory is one step. A rename between two directories may leave
 *       both names if only one of the two was forced. When the entry of a directory is lost, all below it is.
 * </ul>
 *
 * The draws are not all alike: some power cuts keep nothing un-forced, some everything, some cut the writes at one moment
 * in time, the rest roll the dice for each sector with odds of their own, so that both common and perverse outcomes turn
 * up. {@link SimulatedDisk#kill} is the other end, a killed process: the page cache survives, so everything written is there, though
 * no more of it is forced than before.
 *
 * <p><b>What may fail while it runs.</b> {@link DiskFaults#failAt} makes the n-th following change fail, {@link DiskFaults#failFrom} that and
 * all after it. A failed write may have written any leading part. A failed force promised nothing, and worse: the sectors
 * it was to write count as clean from then on, as Linux does it, so a later force that succeeds does not cover them. Only
 * writing them again and forcing does. The same holds for the entries of a directory whose force failed. Every other
 * failed call changed nothing. {@link SimulatedDisk#capacityBytes(long)} makes the disk full: what needs more room than is left fails
 * with {@link DiskFullException} after writing what fitted; overwriting needs no room. {@link SimulatedDisk#flipBit} damages what
 * has been promised.
 *
 * <p>Deleting a file that is open leaves its handles and mappings usable. After a crash every call on the old disk and its
 * files fails; go on with the disk that {@link SimulatedDisk#crash} returned. Safe from any thread; reproducible if one thread at a
 * time uses it.
 */
public final class SimulatedFiles implements Files {
    /** The unit in which data is kept or lost. */
    public static final int SECTOR_SIZE = SectorFile.SECTOR_SIZE;

    private final RandomSource random; // only for how failing calls fail
    private final SimulatedDisk disk;
    private final Namespace names;
    private final DiskFaults faults;
    private final Set<String> locked = new HashSet<>();

    /** An empty disk. */
    public SimulatedFiles() {
        this(RandomSource.seeded(0));
    }

    /** An empty disk whose failing writes are cut where the random source says. */
    public SimulatedFiles(RandomSource random) {
        this.random = random;
        this.disk = new SimulatedDisk(this, random);
        this.names = disk.names();
        this.faults = new DiskFaults(this, disk);
    }

    /** What lies under the files: for a test to look at, to cut its power and to damage it. */
    public SimulatedDisk disk() {
        return disk;
    }

    /** Which calls fail. */
    public DiskFaults faults() {
        return faults;
    }

    // ---- Files

    @Override
    public synchronized StoreFile open(String name, OpenMode mode) throws IOException {
        Files.checkName(name);
        disk.refuseIfDead();
        faults.counted(FileCall.OPEN);
        if (mode != OpenMode.CREATE_NEW) {
            return new Handle(name, names.file(name), mode);
        }
        faults.changing(FileCall.CREATE, name);
        if (names.exists(name)) {
            throw new FileAlreadyExistsException(name);
        }
        names.refuseMissingParent(name);
        SectorFile file = new SectorFile();
        names.put(disk.nextInstant(), name, file);
        return new Handle(name, file, mode);
    }

    @Override
    public synchronized boolean exists(String name) {
        return names.exists(Files.checkName(name));
    }

    @Override
    public synchronized long size(String name) throws IOException {
        disk.refuseIfDead();
        return names.file(Files.checkName(name)).size();
    }

    @Override
    public synchronized List<String> list(String directory) throws IOException {
        disk.refuseIfDead();
        return names.list(checkDirectory(directory));
    }

    @Override
    public synchronized void createDirectories(String name) throws IOException {
        Files.checkName(name);
        disk.refuseIfDead();
        for (int end = name.indexOf('/'); ; end = name.indexOf('/', end + 1)) {
            String part = end < 0 ? name : name.substring(0, end);
            if (!names.exists(part)) {
                faults.changing(FileCall.CREATE_DIRECTORY, part);
                names.put(disk.nextInstant(), part, Namespace.DIRECTORY);
            } else if (!names.isDirectory(part)) {
                throw new FileAlreadyExistsException(part);
            }
            if (end < 0) {
                return;
            }
        }
    }

    @Override
    public synchronized void rename(String from, String to) throws IOException {
        Files.checkName(from);
        Files.checkName(to);
        disk.refuseIfDead();
        faults.changing(FileCall.RENAME, from);
        SectorFile file = names.file(from);
        names.refuseMissingParent(to);
        if (names.isDirectory(to)) {
            throw new FileAlreadyExistsException(to);
        }
        if (!from.equals(to)) {
            names.rename(disk.nextInstant(), from, to, file);
        }
    }

    @Override
    public synchronized void delete(String name) throws IOException {
        Files.checkName(name);
        disk.refuseIfDead();
        faults.changing(FileCall.DELETE, name);
        if (!names.exists(name)) {
            throw new NoSuchFileException(name);
        }
        if (names.isDirectory(name) && !names.list(name).isEmpty()) {
            throw new DirectoryNotEmptyException(name);
        }
        names.put(disk.nextInstant(), name, null);
    }

    @Override
    public synchronized void forceDirectory(String directory) throws IOException {
        checkDirectory(directory);
        disk.refuseIfDead();
        if (!directory.isEmpty() && !names.isDirectory(directory)) {
            throw names.exists(directory) ? new NotDirectoryException(directory) : new NoSuchFileException(directory);
        }
        try {
            faults.changing(FileCall.FORCE_DIRECTORY, directory);
        } catch (IOException e) {
            names.forceFailed(directory);
            throw e;
        }
        names.force(directory);
    }

    @Override
    public synchronized FileLock lock(String name) throws IOException {
        Files.checkName(name);
        disk.refuseIfDead();
        if (!names.exists(name)) {
            open(name, OpenMode.CREATE_NEW).close();
        }
        if (!locked.add(name)) {
            throw new IOException(name + " is locked: the directory is in use");
        }
        return new FileLock() {
            private boolean held = true;

            @Override
            public void close() {
                synchronized (SimulatedFiles.this) {
                    if (held) {
                        held = false;
                        locked.remove(name);
                    }
                }
            }
        };
    }

    @Override
    public synchronized long usableBytes() throws IOException {
        disk.refuseIfDead();
        return disk.usableBytes();
    }

    @Override
    public synchronized long totalBytes() throws IOException {
        disk.refuseIfDead();
        return disk.capacityBytes();
    }

    @Override
    public Path hostPath(String name) {
        throw new IllegalStateException("a simulated disk has no path on this machine: " + name);
    }

    private static String checkDirectory(String directory) {
        return directory.isEmpty() ? directory : Files.checkName(directory);
    }

    /** One opened file. */
    private final class Handle implements StoreFile {
        private final String name;
        private final SectorFile file;
        private final OpenMode mode;
        private boolean closed;

        Handle(String name, SectorFile file, OpenMode mode) {
            this.name = name;
            this.file = file;
            this.mode = mode;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public long size() throws IOException {
            synchronized (SimulatedFiles.this) {
                usable();
                return file.size();
            }
        }

        @Override
        public void write(long position, ByteBuffer source) throws IOException {
            synchronized (SimulatedFiles.this) {
                writable();
                refuseNegative(position);
                int wanted = source.remaining();
                try {
                    faults.changing(FileCall.WRITE, name);
                } catch (IOException e) {
                    writeSome(position, source, Math.min(random.nextInt(wanted + 1), room(position, wanted)));
                    throw e;
                }
                int fits = room(position, wanted);
                writeSome(position, source, fits);
                if (fits < wanted) {
                    throw new DiskFullException(name, wanted - fits, 0);
                }
            }
        }

        /** How many of the wanted bytes the disk has room for. */
        private int room(long position, int wanted) throws IOException {
            long growth = position + wanted - file.size();
            return growth <= 0 ? wanted : (int) Math.max(0, wanted - Math.max(0, growth - disk.usableBytes()));
        }

        private void writeSome(long position, ByteBuffer source, int count) throws IOException {
            if (count > 0) {
                byte[] bytes = new byte[count];
                source.get(bytes);
                file.write(disk.nextInstant(), position, bytes);
            }
        }

        @Override
        public int read(long position, ByteBuffer target) throws IOException {
            synchronized (SimulatedFiles.this) {
                usable();
                refuseNegative(position);
                faults.counted(FileCall.READ);
                return file.read(position, target);
            }
        }

        @Override
        public ByteBuffer map(long position, long length) throws IOException {
            synchronized (SimulatedFiles.this) {
                usable();
                faults.counted(FileCall.MAP);
                if (position < 0 || length < 0 || position > file.size() - length) {
                    throw new IOException("cannot map " + length + " bytes at " + position + " of " + name + ": it has "
                            + file.size());
                }
                return file.map((int) position, (int) length);
            }
        }

        @Override
        public void allocate(long length) throws IOException {
            synchronized (SimulatedFiles.this) {
                writable();
                faults.changing(FileCall.ALLOCATE, name);
                long growth = length - file.size();
                if (growth <= 0) {
                    return;
                }
                if (growth > disk.usableBytes()) {
                    throw new DiskFullException(name, growth, disk.usableBytes());
                }
                file.resize(disk.nextInstant(), length);
            }
        }

        @Override
        public void force() throws IOException {
            synchronized (SimulatedFiles.this) {
                usable();
                try {
                    faults.changing(FileCall.FORCE, name);
                } catch (IOException e) {
                    file.forceFailed();
                    throw e;
                }
                file.force();
            }
        }

        @Override
        public void forceAll() throws IOException {
            force();
        }

        @Override
        public void truncate(long size) throws IOException {
            synchronized (SimulatedFiles.this) {
                writable();
                refuseNegative(size);
                faults.changing(FileCall.TRUNCATE, name);
                if (size < file.size()) {
                    file.resize(disk.nextInstant(), size);
                }
            }
        }

        @Override
        public void close() {
            synchronized (SimulatedFiles.this) {
                closed = true;
            }
        }

        private void usable() throws IOException {
            disk.refuseIfDead();
            if (closed) {
                throw new ClosedChannelException();
            }
        }

        private void writable() throws IOException {
            usable();
            if (mode == OpenMode.READ) {
                throw new NonWritableChannelException();
            }
        }

        private void refuseNegative(long position) {
            if (position < 0) {
                throw new IllegalArgumentException("negative position " + position + " in " + name);
            }
        }

        @Override
        public String toString() {
            return name;
        }
    }

    @Override
    public synchronized String toString() {
        List<String> lines = new ArrayList<>();
        names.forEachFile((name, file) -> lines.add(name + " " + file));
        return "simulated disk" + lines;
    }
}
