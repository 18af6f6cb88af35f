/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.message.BodyCompression;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How a failed message looks when the client itself sends it to the retry topic. Pure. */
final class RetryMessages {
    /** The delay level of the first retry (10 s); each further retry takes the next level. */
    private static final int FIRST_LEVEL = 3;

    private static final int[] LEVEL_SECONDS = {
        1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200
    };

    private RetryMessages() {}

    static EncodedMessage resend(InboundMessage failed, String retryTopic) {
        Message stored = failed.stored();
        Map<String, String> properties = new LinkedHashMap<>(stored.properties());
        // Places of the broker's own; they would send the copy astray.
        properties.remove(MessageProperties.REAL_TOPIC);
        properties.remove(MessageProperties.REAL_QID);
        properties.remove(MessageProperties.TIMER_DELAY_MS);
        properties.remove(MessageProperties.TIMER_DELAY_SEC);
        properties.remove(MessageProperties.TIMER_DELIVER_MS);
        properties.remove(MessageProperties.TIMER_OUT_MS);
        properties.remove(MessageProperties.TRAN_MSG);
        properties.putIfAbsent(MessageProperties.RETRY_TOPIC, failed.topic());
        properties.putIfAbsent(
                MessageProperties.ORIGIN_MESSAGE_ID, failed.stored().offsetId());
        properties.put(MessageProperties.UNIQ_KEY, failed.messageId());
        properties.put(MessageProperties.DELAY, Integer.toString(delayLevel(failed)));
        return new EncodedMessage(
                retryTopic,
                null,
                null,
                stored.sysFlag() & (BodyCompression.COMPRESSED | BodyCompression.KIND_MASK),
                stored.bornTimestamp(),
                EncodedMessage.text(properties),
                stored.body(),
                List.of(failed.messageId()),
                false);
    }

    /** The shortest of the usual delay levels that is not shorter than this; 0, the broker's choice, for none. */
    static int level(Duration delay) {
        if (delay == null) {
            return 0;
        }
        for (int level = 1; level <= LEVEL_SECONDS.length; level++) {
            if (delay.compareTo(Duration.ofSeconds(LEVEL_SECONDS[level - 1])) <= 0) {
                return level;
            }
        }
        return LEVEL_SECONDS.length;
    }

    static int delayLevel(InboundMessage failed) {
        return FIRST_LEVEL + failed.attempt() - 1;
    }
}
