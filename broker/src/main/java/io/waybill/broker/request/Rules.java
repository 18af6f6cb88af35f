/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the changes of what decides which messages a reader may have: topics, groups, who is a member and wants what, keys in quarantine.
 *
 * <p>What always holds: the number is raised when a change is in force and before anybody is told that it is. So a reader that sees the same number
 * before it decided and after it read has decided by what was in force when the newest of its messages became visible; one that waits has to decide
 * again only when the number is another one. Thread-safe.
 */
public final class Rules {
    private final AtomicLong number = new AtomicLong();

    public long number() {
        return number.get();
    }

    /** Something that decides about reads changed. */
    public void changed() {
        number.incrementAndGet();
    }
}
