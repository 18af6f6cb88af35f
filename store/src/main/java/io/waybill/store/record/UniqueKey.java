/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.Objects;

/**
 * The claim of a message to be the only one of its topic with this key, up to a store time.
 *
 * @param untilMillis from then on the key is free again, by {@link io.waybill.store.StoreClock#keyTimeMillis}
 */
public record UniqueKey(String topic, String key, long untilMillis) {
    /** The most characters of a key. */
    public static final int MAX_LENGTH = 1_024;

    public UniqueKey {
        Objects.requireNonNull(topic, "topic");
        Objects.requireNonNull(key, "key");
        if (key.length() > MAX_LENGTH) {
            throw new IllegalArgumentException(
                    "a unique key has at most " + MAX_LENGTH + " characters, seen " + key.length());
        }
    }
}
