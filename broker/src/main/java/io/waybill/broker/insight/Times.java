/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import java.time.Instant;

/** Times as people read them, in the events of a message. */
final class Times {
    private Times() {}

    /** An instant, to the second, in UTC. */
    static String at(long millis) {
        return Instant.ofEpochMilli(millis / 1_000 * 1_000).toString();
    }
}
