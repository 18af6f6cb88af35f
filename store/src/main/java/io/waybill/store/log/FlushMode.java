/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** What must be true before a change counts as confirmed. */
public enum FlushMode {
    /** Forced to disk. Survives a power cut. */
    SYNC,
    /** Handed to the operating system. Survives the end of the process; a power cut loses the last asyncFlushMillis. */
    ASYNC
}
