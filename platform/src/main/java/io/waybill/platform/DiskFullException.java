/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;

/** There was no room. What was being allocated is as long as before; a write may have left a part behind. */
public final class DiskFullException extends IOException {
    private final long wantedBytes;
    private final long usableBytes;

    public DiskFullException(String file, long wantedBytes, long usableBytes) {
        super("no space for " + file + ": wanted " + wantedBytes + " bytes, usable " + usableBytes
                + " bytes; free some space on this disk");
        this.wantedBytes = wantedBytes;
        this.usableBytes = usableBytes;
    }

    /** Bytes that were asked for. */
    public long wantedBytes() {
        return wantedBytes;
    }

    /** Bytes the disk could still give when it was asked. */
    public long usableBytes() {
        return usableBytes;
    }
}
