/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.rocksdb.RocksDB;
import org.rocksdb.util.Environment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads RocksDB's native library once per process. Unpacking its 17 MB costs more than opening a store, so a library
 * that lies ready in ROCKSDB_SHAREDLIB_DIR or on java.library.path is taken; otherwise it is unpacked once into
 * {@code waybill/native} of the user's cache directory, or else into {@code native} beside the views, and found there the
 * next time. The last resort is RocksDB's own way, a temporary file.
 */
final class RocksLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(RocksLibrary.class);
    /** As RocksDB calls it; its file names add "jni" and the platform. */
    private static final String LIBRARY = "rocksdb";
    /** What RocksDB adds "jni" to once more when it is given directories: there it wants {@code librocksdbjnijni-...}. */
    private static final String LIBRARY_IN_PLACE = "rocksdbjni";

    private static final String DIRECTORY = "native";
    private static final int CHUNK = 1 << 20;

    /** Where the library came from. */
    enum Source {
        LIBRARY_PATH,
        READY_PLACE,
        USER_CACHE,
        DATA_DIRECTORY,
        TEMPORARY_FILE
    }

    private static Source loaded;

    private RocksLibrary() {}

    static synchronized Source load(Files files) {
        if (loaded == null) {
            loaded = loadFirst(files);
        }
        return loaded;
    }

    private static Source loadFirst(Files files) {
        if (liesOnLibraryPath()) {
            RocksDB.loadLibrary();
            return Source.LIBRARY_PATH;
        }
        if (tryLoad(readyPlaces())) {
            return Source.READY_PLACE;
        }
        if (tryUnpacked(userCache())) {
            return Source.USER_CACHE;
        }
        if (tryUnpacked(files)) {
            return Source.DATA_DIRECTORY;
        }
        RocksDB.loadLibrary();
        return Source.TEMPORARY_FILE;
    }

    private static boolean tryUnpacked(Files into) {
        if (into == null) {
            return false;
        }
        try {
            return tryLoad(List.of(unpacked(into).toString()));
        } catch (IOException e) {
            LOG.info("RocksDB's library cannot be kept in {}: {}", into, e.toString());
            return false;
        }
    }

    /** One place for all stores of a user, so that brokers in new directories do not unpack either; null if there is none. */
    private static Files userCache() {
        String given = System.getenv("XDG_CACHE_HOME");
        String home = System.getProperty("user.home", "");
        try {
            if (given != null && Path.of(given).isAbsolute()) {
                return Files.real(Path.of(given, "waybill"));
            }
            return new File(home).isDirectory() ? Files.real(Path.of(home, ".cache", "waybill")) : null;
        } catch (UncheckedIOException | InvalidPathException e) {
            LOG.info("there is no cache for RocksDB's library: {}", e.toString());
            return null;
        }
    }

    /** Whether RocksDB finds its library by itself, without unpacking: under its plain name on java.library.path. */
    private static boolean liesOnLibraryPath() {
        return libraryPath()
                .anyMatch(place -> isFile(place, Environment.getSharedLibraryFileName(LIBRARY))
                        || isFile(place, System.mapLibraryName(Environment.getJniLibraryName(LIBRARY))));
    }

    /** Directories with the library under the name RocksDB looks for in given directories. */
    private static List<String> readyPlaces() {
        return Stream.concat(Stream.ofNullable(System.getenv("ROCKSDB_SHAREDLIB_DIR")), libraryPath())
                .filter(place -> isFile(place, Environment.getJniLibraryFileName(LIBRARY_IN_PLACE)))
                .map(place -> Path.of(place).toAbsolutePath().toString())
                .toList();
    }

    private static Stream<String> libraryPath() {
        return Stream.of(System.getProperty("java.library.path", "").split(File.pathSeparator))
                .filter(place -> !place.isEmpty());
    }

    private static boolean isFile(String place, String name) {
        return new File(place, name).isFile();
    }

    private static boolean tryLoad(List<String> places) {
        if (places.isEmpty()) {
            return false;
        }
        try {
            RocksDB.loadLibrary(places);
            return true;
        } catch (UnsatisfiedLinkError e) {
            LOG.info("RocksDB's library cannot be loaded from {}: {}", places, e.getMessage());
            return false;
        }
    }

    /** The directory with this version's library, unpacked now unless it was before. */
    static Path unpacked(Files files) throws IOException {
        String name = Environment.getJniLibraryFileName(LIBRARY);
        URL packed = RocksDB.class.getClassLoader().getResource(name);
        if (packed == null) {
            throw new IOException("no " + name + " on the class path");
        }
        URLConnection connection = packed.openConnection();
        connection.setUseCaches(false);
        try (InputStream source = connection.getInputStream()) {
            long size = connection.getContentLengthLong();
            // A version is told by its size: no two releases had the same.
            String directory = DIRECTORY + "/" + size;
            String target = directory + "/" + Environment.getJniLibraryFileName(LIBRARY_IN_PLACE);
            if (!files.exists(target) || files.size(target) != size) {
                files.createDirectories(directory);
                // Of this process: another may be unpacking beside it, and the last to rename wins.
                String draft = target + "." + ProcessHandle.current().pid() + ".new";
                if (files.exists(draft)) {
                    files.delete(draft);
                }
                try (StoreFile file = files.open(draft, OpenMode.CREATE_NEW)) {
                    copy(source, file);
                    file.forceAll();
                }
                files.rename(draft, target);
            }
            return files.hostPath(directory);
        }
    }

    private static void copy(InputStream source, StoreFile file) throws IOException {
        byte[] chunk = new byte[CHUNK];
        long position = 0;
        int count;
        while ((count = source.readNBytes(chunk, 0, CHUNK)) > 0) {
            file.write(position, ByteBuffer.wrap(chunk, 0, count));
            position += count;
        }
    }
}
