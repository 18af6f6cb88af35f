/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/** How a file is opened. */
public enum OpenMode {
    /** Must exist; changes are refused. */
    READ,
    /** Must exist. */
    READ_WRITE,
    /** Must not exist; is created empty, for reading and writing. Its directory entry is durable after forceDirectory. */
    CREATE_NEW
}
