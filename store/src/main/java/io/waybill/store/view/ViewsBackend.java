/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;

/**
 * Where the views are kept: ordered tables of byte strings, changed only by atomic batches. After a crash it holds
 * some prefix of the batches, at least up to the last flush. Keys are ordered as unsigned bytes.
 */
public abstract class ViewsBackend {
    ViewsBackend() {}

    /** RocksDB in the directory {@code views} of the given files; opened by {@link Views#open}. */
    public static ViewsBackend rocks(Files files) {
        return new RocksBackend(files);
    }

    /** In memory: the same object survives close and open, and {@code crash()} loses what was not flushed. */
    public static MemoryBackend memory() {
        return new MemoryBackend();
    }

    /** Empties it, as if its directory had been deleted. Only while it is not open. */
    public abstract void deleteAll();

    /**
     * Opens it, created if missing.
     *
     * @throws ViewsDamaged if what is there is broken and may be deleted
     * @throws java.io.UncheckedIOException if the directory cannot be used
     * @throws IllegalStateException if it is open already, here or in another process, or cannot be opened for another reason
     */
    abstract void open();

    /** Idempotent. */
    abstract void close();

    /** The value, or null. */
    abstract byte[] get(Family family, byte[] key);

    /**
     * Visits keys upwards from {@code from} (inclusive) to {@code to} (exclusive, null for the end). What no batch changes
     * meanwhile is seen exactly once.
     */
    abstract void scan(Family family, byte[] from, byte[] to, PairVisitor visitor);

    /** Visits keys downwards from {@code from} (inclusive) to {@code floor} (inclusive), otherwise as scan. */
    abstract void scanDown(Family family, byte[] from, byte[] floor, PairVisitor visitor);

    abstract Batch newBatch();

    /** Applies a batch of this backend. Readers see all of it or nothing. */
    abstract void write(Batch batch);

    /** Makes all written batches durable. */
    abstract void flush();
}
