/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.id;

import io.waybill.platform.Clock;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.message.UniqueKeys;
import java.nio.ByteBuffer;

/** Ids of messages and clients that no other process uses. Drawn, not read from the host: an address would tell nothing behind a NAT. */
public final class UniqueIds {
    private static final UniqueKeys KEYS = new UniqueKeys(
            ByteBuffer.allocate(4)
                    .putInt((int) RandomSource.system().nextLong())
                    .array(),
            ProcessHandle.current().pid(),
            (int) RandomSource.system().nextLong());

    private UniqueIds() {}

    /** An id of a message, or of what has the form of one: a batch, a question, a reply. */
    public static String next() {
        return KEYS.next(Clock.system().wallMillis());
    }

    /** A client id: the process, and a number that tells its clients apart. */
    public static String nextClient() {
        return "waybill@" + ProcessHandle.current().pid() + "#"
                + Long.toHexString(RandomSource.system().nextLong());
    }
}
