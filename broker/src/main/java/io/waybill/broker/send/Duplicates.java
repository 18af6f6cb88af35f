/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.topic.TopicAttributes;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.UniqueKey;

/**
 * Which messages of a topic with the attribute {@code waybill.dedup} are the same: those with the same {@code WAYBILL_DEDUP_KEY}, or, without that,
 * with the same unique key, which a client keeps when it sends again. The store finds the second one, also while the first is on its way to the
 * disk and after a restart.
 */
final class Duplicates {
    private static final int MAX_KEY_LENGTH = 255;

    private final StoreClock clock;

    Duplicates(StoreClock clock) {
        this.clock = clock;
    }

    /**
     * What the message claims, or null when its topic takes duplicates or it has no key of its own.
     *
     * @throws BadValue when the key is too long
     */
    UniqueKey claimOf(TopicConfig topic, byte[] properties) {
        long windowMillis = TopicAttributes.dedupMillis(topic);
        if (windowMillis == 0) {
            return null;
        }
        String name = MessageProperties.DEDUP_KEY;
        String key = MessageProperties.get(properties, name);
        if (key == null) {
            name = MessageProperties.UNIQ_KEY;
            key = MessageProperties.get(properties, name);
        }
        if (key == null) {
            return null;
        }
        if (key.length() > MAX_KEY_LENGTH) {
            throw new BadValue(
                    "property " + name,
                    "at most " + MAX_KEY_LENGTH + " characters in a topic with " + TopicAttributes.DEDUP,
                    key.length() + " characters");
        }
        return new UniqueKey(topic.topicName(), key, clock.keyTimeMillis() + windowMillis);
    }

    /** The first message when this outcome says that there was one, else null. */
    static FirstMessage first(Outcome outcome) {
        return outcome instanceof Refused refused && refused.prior() instanceof FirstMessage first ? first : null;
    }
}
