/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.quarantine.QuarantinedMessage;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * One place where a message lies or lay.
 *
 * @param bytes the stored message
 * @param handle where it was stored first
 * @param due not null while it waits for its time
 * @param half not null while its transaction is open
 * @param isGone true when it lay there once and does no more: decided, called back
 */
record StoredCopy(
        ByteBuffer bytes,
        long handle,
        String topic,
        int queueId,
        long offset,
        long storeMillis,
        int tries,
        Map<String, String> properties,
        PendingTimer due,
        PendingHalf half,
        boolean isGone) {
    static StoredCopy visible(ByteBuffer bytes) {
        return of(bytes, StoredMessage.position(bytes, 0), null, null, false);
    }

    static StoredCopy waiting(ByteBuffer bytes, PendingTimer due) {
        return of(bytes, due.handle(), due, null, false);
    }

    static StoredCopy half(ByteBuffer bytes, PendingHalf half) {
        return of(bytes, half.handle(), null, half, false);
    }

    static StoredCopy gone(ByteBuffer bytes, long handle) {
        return of(bytes, handle, null, null, true);
    }

    private static StoredCopy of(ByteBuffer bytes, long handle, PendingTimer due, PendingHalf half, boolean isGone) {
        return new StoredCopy(
                bytes,
                handle,
                StoredMessage.topic(bytes, 0),
                StoredMessage.queueId(bytes, 0),
                StoredMessage.queueOffset(bytes, 0),
                StoredMessage.storeTimestamp(bytes, 0),
                StoredMessage.reconsumeTimes(bytes, 0),
                MessageProperties.decode(StoredMessage.properties(bytes, 0)),
                due,
                half,
                isGone);
    }

    boolean isVisible() {
        return due == null && half == null && !isGone;
    }

    String uniqueKey() {
        return properties.get(MessageProperties.UNIQ_KEY);
    }

    String property(String name) {
        return properties.get(name);
    }

    /** A property that holds a number; {@code otherwise} when it is absent or none. */
    long number(String name, long otherwise) {
        String text = properties.get(name);
        try {
            return text == null ? otherwise : Long.parseLong(text.trim());
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    String offsetId() {
        return MessageIds.offsetId(StoredMessage.storeHost(bytes, 0), handle);
    }

    /** What operators call the message by. */
    String id() {
        return uniqueKey() != null ? uniqueKey() : offsetId();
    }

    /** What keeps it together with other messages, as the quarantine sees it; null if nothing does. */
    String orderingKey() {
        return QuarantinedMessage.keyOf(bytes, 0);
    }

    boolean hasKey(String key) {
        String keys = properties.get(MessageProperties.KEYS);
        if (keys == null) {
            return false;
        }
        for (String word : keys.split(MessageProperties.KEY_SEPARATOR)) {
            if (word.equals(key)) {
                return true;
            }
        }
        return false;
    }
}
