/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.protocol.Names;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * The condition {@code WAYBILL_UNLESS=topic|key|tag}: a delayed message is cancelled when it is due if a message of that topic with that key (unique
 * key or KEYS word), and with that tag if one is named, became visible since it was stored. A delayed message of a transaction was stored when
 * its half was. A message that is visible never carries the condition.
 *
 * @param tag null for any
 */
record CancelCondition(String topic, String key, String tag) {
    private static final String GRAMMAR = "topic|key or topic|key|tag, the key without spaces";

    /** @throws BadValue naming the property and what it must be */
    static CancelCondition parse(String text) {
        String[] parts = text.split("\\|", -1);
        boolean wellFormed = parts.length == 2 || parts.length == 3 && !parts[2].isBlank();
        if (!wellFormed || parts[1].isBlank() || parts[1].indexOf(' ') >= 0) {
            throw new BadValue("property " + MessageProperties.UNLESS, GRAMMAR, text);
        }
        String topic = Names.checkTopic(parts[0]);
        if (topic != null) {
            throw new BadValue("property " + MessageProperties.UNLESS, GRAMMAR + "; " + topic, text);
        }
        return new CancelCondition(parts[0], parts[1], parts.length == 3 ? parts[2] : null);
    }

    /** The condition of a waiting message, or null. One that cannot be read counts as none: it was refused when it was sent. */
    static CancelCondition of(ByteBuffer waiting) {
        String text = StoredMessage.property(waiting, 0, MessageProperties.UNLESS);
        if (text == null || Names.isRetry(StoredMessage.topic(waiting, 0))) {
            return null;
        }
        try {
            return parse(text);
        } catch (BadValue e) {
            return null;
        }
    }

    /** Since when a message counts, store time in milliseconds. */
    static long sinceMillis(ByteBuffer waiting) {
        String since = StoredMessage.property(waiting, 0, MessageProperties.UNLESS_SINCE);
        return since == null ? StoredMessage.storeTimestamp(waiting, 0) : Long.parseLong(since);
    }

    /** Takes the condition out of what becomes visible. */
    static void takeOut(Map<String, String> properties) {
        properties.remove(MessageProperties.UNLESS);
        properties.remove(MessageProperties.UNLESS_SINCE);
    }

    /**
     * The message that fulfils the condition, or null.
     *
     * @param fromPosition where to begin in the log: those before it are known not to
     *
     * @throws java.io.UncheckedIOException when a message that may do so cannot be read
     */
    ByteBuffer fulfilledBy(MessageStore store, long sinceMillis, long fromPosition) {
        return store.findNewestByKey(
                topic,
                key,
                sinceMillis,
                fromPosition,
                message -> tag == null || tag.equals(StoredMessage.property(message, 0, MessageProperties.TAGS)));
    }

    @Override
    public String toString() {
        return topic + '|' + key + (tag == null ? "" : '|' + tag);
    }
}
