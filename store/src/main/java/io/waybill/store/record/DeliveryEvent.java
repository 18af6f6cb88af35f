/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.Objects;

/**
 * What happened to a run of messages of one queue.
 *
 * @param fromOffset inclusive
 * @param toOffset exclusive; at most {@link #MAX_SPAN} behind
 * @param client who received or acknowledged them; may be empty
 */
public record DeliveryEvent(
        DeliveryKind kind,
        String group,
        String topic,
        int queueId,
        long fromOffset,
        long toOffset,
        String client,
        long firstMillis,
        long lastMillis) {
    /** The most offsets an entry may cover. */
    public static final int MAX_SPAN = 4096;

    /** The codes stand in the log. */
    public enum DeliveryKind {
        DELIVERED(1),
        ACKNOWLEDGED(2),
        REPLAYED(3);

        private final int code;

        DeliveryKind(int code) {
            this.code = code;
        }

        public int code() {
            return code;
        }

        /** The kind of a code, or null when there is none. */
        public static DeliveryKind ofCode(int code) {
            return code >= 1 && code <= 3 ? values()[code - 1] : null;
        }
    }

    public DeliveryEvent {
        Objects.requireNonNull(kind, "kind");
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(topic, "topic");
        client = client == null ? "" : client;
        if (fromOffset < 0 || toOffset <= fromOffset || toOffset - fromOffset > MAX_SPAN) {
            throw new IllegalArgumentException(
                    "a delivery event covers 1 to " + MAX_SPAN + " offsets, seen " + fromOffset + " to " + toOffset);
        }
    }
}
