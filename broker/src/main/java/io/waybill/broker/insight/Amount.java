/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.protocol.json.JsonWriter;

/** How many messages, and since when the oldest of them is there. Not thread-safe. */
final class Amount {
    private long count;
    private long oldestMillis = Long.MAX_VALUE;

    void add(long messages, long storeMillis) {
        count += messages;
        if (messages > 0 && storeMillis >= 0) {
            oldestMillis = Math.min(oldestMillis, storeMillis);
        }
    }

    void add(Amount other) {
        count += other.count;
        oldestMillis = Math.min(oldestMillis, other.oldestMillis);
    }

    long count() {
        return count;
    }

    /** Store time of the oldest; {@link Long#MAX_VALUE} when none is known. */
    long oldestMillis() {
        return oldestMillis;
    }

    /** The members {@code name} and {@code oldestNameSeconds}. */
    void write(JsonWriter json, String name, long nowMillis) {
        json.field(name, count);
        if (count > 0 && oldestMillis != Long.MAX_VALUE) {
            String seconds = "oldest" + Character.toUpperCase(name.charAt(0)) + name.substring(1) + "Seconds";
            json.field(seconds, Math.max(0, nowMillis - oldestMillis) / 1_000.0);
        }
    }
}
