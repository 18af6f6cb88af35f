/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;
import io.waybill.store.record.ViewsDamaged;

/**
 * Where the views are kept: ordered tables of byte strings, changed only by atomic batches. After a crash it holds
 * some prefix of the batches, at least up to the last flush. Keys are ordered as unsigned bytes.
 */
public abstract class ViewsBackend {
    private volatile String damage;
    private volatile Runnable onDamage = () -> {};

    ViewsBackend() {}

    /** Why what it holds is not to be trusted as a whole; null as long as nothing wrong was found since it was opened. */
    final String damage() {
        return damage;
    }

    /** Notes that something wrong was found; the exception is for who asked. */
    final ViewsDamaged damaged(String what) {
        return damaged(what, null);
    }

    final ViewsDamaged damaged(String what, Throwable cause) {
        if (damage == null) {
            damage = what;
            markDamage();
            wake();
        }
        return new ViewsDamaged(what + "; it is rebuilt from the log, try again later", cause);
    }

    final void onDamage(Runnable wake) {
        onDamage = wake;
    }

    /** Somebody must look at what went wrong. */
    final void wake() {
        onDamage.run();
    }

    /** Why nothing can be written to it now; null if it can, as far as known. */
    String unwritable() {
        return null;
    }

    /** It is opened: nothing wrong was found yet. */
    final void trusted() {
        damage = null;
    }

    /** Makes the next open start from nothing, also that of another process. */
    void markDamage() {}

    /** An empty backend of the same kind beside this one, which takes over once this one is retired. */
    abstract ViewsBackend beside();

    /** Closes it and deletes what it held: another one took over. Reads that are still under way are refused. */
    abstract void retire();

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

    /** Before a checkpoint is written: batches that were not flushed may be gone when this returns. */
    void beforeWriting() {}

    abstract ViewBatch newBatch();

    /** Applies a batch of this backend. Readers see all of it or nothing. */
    abstract void write(ViewBatch batch);

    /** Makes all written batches durable. */
    abstract void flush();
}
