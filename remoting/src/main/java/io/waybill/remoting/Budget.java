/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.util.concurrent.atomic.AtomicLong;

/** Bytes of unanswered requests and unfinished frames of all connections of one server or client. Thread-safe. */
final class Budget {
    private final long limit;
    private final AtomicLong used = new AtomicLong();

    Budget(long limit) {
        this.limit = limit;
    }

    /** Takes the bytes and tells whether the sum is still within the limit. */
    boolean take(long bytes) {
        return used.addAndGet(bytes) <= limit;
    }

    void give(long bytes) {
        used.addAndGet(-bytes);
    }

    long used() {
        return used.get();
    }

    long limit() {
        return limit;
    }
}
