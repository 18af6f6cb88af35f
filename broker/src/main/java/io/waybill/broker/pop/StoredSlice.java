/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;

/** A stored message in a slice of the log, and what is delivered of it. */
record StoredSlice(long offset, ByteBuffer slice) {
    /**
     * The first delivery is the log's own bytes; later ones are a copy that says how often it was tried, and when it
     * was leased first: a client would write the time of this lease there.
     *
     * @param firstLeaseMillis null when it is not known
     */
    DeliveredMessage delivered(int deliveries, Long firstLeaseMillis) {
        if (deliveries <= 1) {
            return new DeliveredMessage(offset, slice, deliveries);
        }
        ByteBuffer copy = firstLeaseMillis == null ? null : marked(firstLeaseMillis);
        if (copy == null) {
            copy = ByteBuffer.allocate(slice.remaining()).put(slice.duplicate()).flip();
        }
        StoredMessage.patchReconsumeTimes(copy, 0, StoredMessage.reconsumeTimes(copy, 0) + deliveries - 1);
        return new DeliveredMessage(offset, copy, deliveries);
    }

    /** Null when it says so already, or has no room for it. */
    private ByteBuffer marked(long firstLeaseMillis) {
        int at = slice.position();
        if (StoredMessage.property(slice, at, MessageProperties.FIRST_POP_TIME) != null) {
            return null;
        }
        try {
            ByteBuffer copy = ByteBuffer.wrap(MessageDraft.copyOf(slice, at)
                    .property(MessageProperties.FIRST_POP_TIME, Long.toString(firstLeaseMillis))
                    .build()
                    .bytes());
            StoredMessage.patchQueueOffset(copy, 0, StoredMessage.queueOffset(slice, at));
            StoredMessage.patchPosition(copy, 0, StoredMessage.position(slice, at));
            StoredMessage.patchStoreTimestamp(copy, 0, StoredMessage.storeTimestamp(slice, at));
            return copy;
        } catch (BadValue e) {
            return null;
        }
    }
}
