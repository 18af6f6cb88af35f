/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.io.IOException;

/** Keeps other processes (and other holders in this one) out until closed. Ends by itself with the process. */
public interface FileLock extends AutoCloseable {

    /** Lets go. Idempotent. */
    @Override
    void close() throws IOException;
}
