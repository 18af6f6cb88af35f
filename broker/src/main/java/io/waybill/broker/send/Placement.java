/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.transaction.HalfMessage;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.remoting.Connection;
import io.waybill.store.record.UniqueKey;
import java.util.List;
import java.util.Map;

/**
 * Where a message goes: decided by {@link MessagePlacer} from the request, its topic and the time, before anything is stored or answered. A {@code unique} is
 * the key of which the message must be the only one, null for none.
 */
sealed interface Placement {
    /** Its queue, at once. */
    record Visible(MessageDraft message, UniqueKey unique) implements Placement {}

    /** Its queue, when it is due. */
    record Delayed(MessageDraft message, UniqueKey unique, long dueMillis) implements Placement {}

    /** Nowhere, until its transaction is decided. */
    record Half(HalfMessage half, UniqueKey unique) implements Placement {}

    /**
     * A retry topic, unless the consume wing takes it or makes a dead letter of it; {@link MessagePlacer#placeRetry} goes on.
     *
     * @param draft all but the properties; its body outlives the request
     * @param properties with what the broker writes on every message
     */
    record Retry(
            SendMessageHeader header,
            MessageDraft.Builder draft,
            int queueId,
            Map<String, String> properties,
            UniqueKey unique,
            Connection from)
            implements Placement {}

    /** Queue 0 of the dead-letter topic it names. */
    record DeadLetter(MessageDraft message) implements Placement {}

    /** Messages of one queue, all at once. The unique keys are parallel to them, or null in a topic that takes duplicates. */
    record Batch(List<MessageDraft> messages, List<UniqueKey> unique, int queueId, String batchKey)
            implements Placement {}

    /** It is no message: it cancels the delayed messages with this unique key, written as the property has it. */
    record Cancellation(SendMessageHeader header, String key) implements Placement {}

    /** Why a send is not taken: response code and a sentence that names field, limit and what was seen. */
    record Refused(int code, String text) implements Placement {}
}
