/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

/** How a call to the disk fails. */
public enum Fault {
    /** An input/output error: the device did not do it, or did only a part. */
    EIO,
    /** No space left. */
    ENOSPC
}
