/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Bytes that were once confirmed are wrong or missing. The store refuses to open rather than skip them. */
public final class StoreDamaged extends StoreException {
    private final String file;
    private final long offset;
    private final String why;

    public StoreDamaged(String file, long offset, String why) {
        super("damage in " + file + " at byte " + offset + ": " + why);
        this.file = file;
        this.offset = offset;
        this.why = why;
    }

    /** Relative to the store's directory. */
    public String file() {
        return file;
    }

    /** Byte in the file. */
    public long offset() {
        return offset;
    }

    public String why() {
        return why;
    }
}
