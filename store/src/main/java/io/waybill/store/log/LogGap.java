/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Frames between the end of the log and the one to append are not here: nothing was written. They must come first. */
final class LogGap extends StoreException {
    private static final long serialVersionUID = 1;

    LogGap(long end, long base) {
        super("the log ends at position " + end + " and the frame begins at " + base + "; what is between is missing");
    }
}
