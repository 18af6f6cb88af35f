/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** The fields of a record say something this program does not know, or something that cannot be. */
public final class UnreadableRecord extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final boolean isNewer;

    private UnreadableRecord(String message, boolean isNewer) {
        super(message);
        this.isNewer = isNewer;
    }

    /** A newer program wrote it. */
    public static UnreadableRecord newer(String what) {
        return new UnreadableRecord(what, true);
    }

    /** No program wrote that. */
    public static UnreadableRecord wrong(String what) {
        return new UnreadableRecord(what, false);
    }

    public boolean isNewer() {
        return isNewer;
    }
}
