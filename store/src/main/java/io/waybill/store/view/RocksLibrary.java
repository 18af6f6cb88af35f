/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.rocksdb.RocksDB;
import org.rocksdb.util.Environment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads RocksDB's native library once per process. Unpacking its 17 MB costs more than opening a store, so a library
 * that lies ready in ROCKSDB_SHAREDLIB_DIR or on java.library.path is taken; otherwise it is unpacked into
 * {@code native} beside the views, and found there the next time. The last resort is RocksDB's own way, a temporary file.
 */
final class RocksLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(RocksLibrary.class);
    /** As RocksDB calls it; its file names add "jni" and the platform. */
    private static final String LIBRARY = "rocksdb";

    private static final String DIRECTORY = "native";
    private static final int CHUNK = 1 << 20;

    private static boolean loaded;

    private RocksLibrary() {}

    static synchronized void load(Files files) {
        if (loaded) {
            return;
        }
        if (liesOnLibraryPath()) {
            RocksDB.loadLibrary();
        } else if (!tryLoad(readyPlaces())) {
            try {
                if (!tryLoad(List.of(unpacked(files).toString()))) {
                    RocksDB.loadLibrary();
                }
            } catch (IOException e) {
                LOG.info(
                        "RocksDB's library cannot be kept in the data directory ({}); using a temporary file",
                        e.toString());
                RocksDB.loadLibrary();
            }
        }
        loaded = true;
    }

    /** Whether RocksDB finds its library by itself, without unpacking: under its plain name on java.library.path. */
    private static boolean liesOnLibraryPath() {
        return libraryPath()
                .anyMatch(place -> isFile(place, Environment.getSharedLibraryFileName(LIBRARY))
                        || isFile(place, System.mapLibraryName(Environment.getJniLibraryName(LIBRARY))));
    }

    /** Directories with the library as it is named in RocksDB's jar. */
    private static List<String> readyPlaces() {
        return Stream.concat(Stream.ofNullable(System.getenv("ROCKSDB_SHAREDLIB_DIR")), libraryPath())
                .filter(place -> isFile(place, Environment.getJniLibraryFileName(LIBRARY)))
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
            String target = directory + "/" + name;
            if (!files.exists(target) || files.size(target) != size) {
                files.createDirectories(directory);
                String draft = target + ".new";
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
