/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.protocol.Names;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;
import java.util.Map;

/** The dead letter of a message whose tries are used up without the consumer having given it back: a pop delivered it in vain each time. Pure. */
public final class RetriesExhausted {
    private RetriesExhausted() {}

    /** The retries a group allows after the first delivery; {@link Integer#MAX_VALUE} for no limit. */
    public static int mostRetries(SubscriptionGroupConfig group) {
        return RetrySchedule.mostTries(group, -1);
    }

    /**
     * @param stored holds the message at {@code at}
     * @param deliveries how often it was delivered in vain
     * @param sinceMillis when its first delivery ended in vain, as far as that is known
     * @throws BadValue when the message with what is added does not fit a record
     */
    public static MessageDraft deadLetter(
            ByteBuffer stored,
            int at,
            String group,
            int mostRetries,
            int deliveries,
            long sinceMillis,
            long nowMillis) {
        Map<String, String> properties = RedeliveryCopy.properties(stored, at);
        properties.putIfAbsent(FailureProperties.RETRY_SINCE_MS, Long.toString(sinceMillis));
        properties.put(MessageProperties.WAIT, "false");
        int tries = StoredMessage.reconsumeTimes(stored, at) + deliveries;
        FailureProperties.mark(properties, FailureProperties.triesUsedUp(mostRetries), tries, group, "", nowMillis);
        return RedeliveryCopy.of(stored, at, Names.deadLetterTopic(group), tries)
                .queueId(0)
                .properties(CopyRoom.encode(properties))
                .build();
    }
}
