/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.Arrays;

/**
 * A record that says all there is of the thing its key names: the last one counts. Retention rewrites it at the end of the log before its segment goes,
 * unless it removes the thing or a later record says it anew.
 */
public interface StateRecord extends ControlRecord {
    /** What it is about; ordered as unsigned bytes. */
    byte[] key();

    /** Whether nothing is left of the thing. */
    boolean isRemoval();

    /** Whether another record, later in the log, makes this one say nothing. */
    default boolean isReplacedBy(LogRecord later) {
        return later instanceof StateRecord state && state.kind() == kind() && Arrays.equals(state.key(), key());
    }

    @Override
    default long viewBytes() {
        return ROW_BYTES;
    }
}
