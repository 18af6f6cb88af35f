/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import io.waybill.broker.retry.RedeliveryCopy;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * What is written on a message while it is quarantined. Its topic is {@link Names#quarantineTopic}, its first one RETRY_TOPIC as on any copy for a group; the three
 * properties below stay when it is given back, so that it finds its place again if it has to be quarantined once more.
 */
public final class QuarantinedMessage {
    /** The key it was quarantined for. */
    static final String KEY = "WAYBILL_QUARANTINE_KEY";
    /** Queue and offset it had in its topic, with a space between. */
    static final String ORIGIN = "WAYBILL_QUARANTINE_ORIGIN";
    /** When, wall-clock milliseconds. */
    static final String MILLIS = "WAYBILL_QUARANTINE_MS";

    private QuarantinedMessage() {}

    /** What keeps the messages of one order together; null if nothing does. */
    public static String keyOf(ByteBuffer message, int at) {
        String key = StoredMessage.property(message, at, MessageProperties.SHARDING_KEY);
        if (key != null && !key.isEmpty()) {
            return key;
        }
        IndexTerms terms = StoredMessage.indexTerms(message, at);
        return terms.keys().length == 0 ? null : terms.keys()[0];
    }

    static String keyOf(Map<String, String> properties) {
        String key = properties.get(MessageProperties.SHARDING_KEY);
        if (key != null && !key.isEmpty()) {
            return key;
        }
        String keys = properties.getOrDefault(MessageProperties.KEYS, "").trim();
        return keys.isEmpty() ? null : keys.split(" ", 2)[0];
    }

    static String topicOf(ByteBuffer message, int at, String topic) {
        return Names.isRetry(topic) || Names.isQuarantine(topic)
                ? StoredMessage.property(message, at, MessageProperties.RETRY_TOPIC)
                : topic;
    }

    /** Null for one that was never quarantined. */
    static Origin originOf(ByteBuffer message, int at) {
        String text = StoredMessage.property(message, at, ORIGIN);
        int space = text == null ? -1 : text.indexOf(' ');
        try {
            return space < 0
                    ? null
                    : new Origin(Integer.parseInt(text.substring(0, space)), Long.parseLong(text.substring(space + 1)));
        } catch (NumberFormatException e) { // a producer may write anything
            return null;
        }
    }

    /** The copy that is quarantined. */
    static MessageDraft quarantined(String group, String key, Origin origin, ByteBuffer message, long nowMillis) {
        Map<String, String> properties = RedeliveryCopy.properties(message, 0);
        properties.put(KEY, key);
        properties.put(ORIGIN, origin.queueId() + " " + origin.offset());
        properties.put(MILLIS, Long.toString(nowMillis));
        properties.remove(MessageProperties.DELAY); // that time is over
        return copy(message, Names.quarantineTopic(group), 0, properties);
    }

    /** The copy that is given back to the group. */
    static MessageDraft released(String group, int queueId, ByteBuffer message) {
        Map<String, String> properties = MessageProperties.decode(StoredMessage.properties(message, 0));
        properties.remove(MILLIS);
        return copy(message, Names.retryTopic(group), queueId, properties);
    }

    private static MessageDraft copy(ByteBuffer message, String topic, int queueId, Map<String, String> properties) {
        return RedeliveryCopy.of(message, 0, topic, 0)
                .queueId(queueId)
                .properties(CopyRoom.encode(properties))
                .build();
    }
}
