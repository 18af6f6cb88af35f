/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import io.waybill.client.internal.id.UniqueIds;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * One message to send. Its {@link #id()} is chosen when it is built and travels with it: sending the same object again (as the library does when it
 * retries, and as you may after an error) sends the same message, and consumers can recognise the second copy by that id.
 *
 * @param id unique id, stored with the message and found by {@link Messages#byId}
 * @param topic where it goes
 * @param tag what consumers filter by, or null
 * @param keys business keys to find it by, without spaces; never null
 * @param body the content; not copied, so leave it alone until the send has ended
 * @param properties further properties; never null
 * @param orderingKey messages of equal ordering key go to the same queue, or null
 * @param queue the queue it must go to, or null to let the producer choose
 * @param deliverAt not visible before this time of the broker's clock, or null
 * @param deliverAfter not visible before this long after its arrival (for a transaction: after the commit), or null
 * @param unless if such a message becomes visible first the delayed one is not delivered, or null
 * @param priority 0 and up, for topics of type PRIORITY (each level is a queue), or -1
 * @param dedupKey what the topic's de-duplication goes by, or null: by the id
 */
public record Message(
        String id,
        String topic,
        String tag,
        List<String> keys,
        byte[] body,
        Map<String, String> properties,
        String orderingKey,
        MessageQueue queue,
        Instant deliverAt,
        Duration deliverAfter,
        Unless unless,
        int priority,
        String dedupKey) {
    /** The most bytes of a body, as of stock clients and brokers. */
    public static final int MAX_BODY_BYTES = 4 << 20;

    /**
     * Names messages whose arrival makes a delayed one needless.
     *
     * @param topic their topic
     * @param key a business key they have
     * @param tag their tag, or null for any
     */
    public record Unless(String topic, String key, String tag) {}

    /** @throws WaybillException of kind INVALID naming the field, its limit and what was seen */
    public Message {
        keys = List.copyOf(keys);
        properties = Collections.unmodifiableMap(new LinkedHashMap<>(properties));
        MessageChecks.check(id, topic, tag, keys, body, properties, queue, deliverAt, deliverAfter);
        MessageChecks.extras(unless, deliverAt != null || deliverAfter != null, priority, dedupKey);
    }

    /** Starts a message for a topic. */
    public static Builder to(String topic) {
        return new Builder(topic);
    }

    /** True if it asks for later delivery. */
    public boolean isDelayed() {
        return deliverAt != null || deliverAfter != null;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Message that && id.equals(that.id);
    }

    @Override
    public int hashCode() {
        return id.hashCode();
    }

    @Override
    public String toString() {
        return "Message[" + id + " to " + topic + (tag == null ? "" : ", tag " + tag)
                + (keys.isEmpty() ? "" : ", keys " + keys) + ", " + body.length + " bytes]";
    }

    /** Collects the parts of a message. Not for use from several threads. */
    public static final class Builder {
        private final String topic;
        private final List<String> keys = new ArrayList<>(2);
        private final Map<String, String> properties = new LinkedHashMap<>();
        private String tag;
        private byte[] body;
        private String orderingKey;
        private MessageQueue queue;
        private Instant deliverAt;
        private Duration deliverAfter;
        private Unless unless;
        private int priority = -1;
        private String dedupKey;

        private Builder(String topic) {
            this.topic = topic;
        }

        /** The tag consumers filter by: no spaces, no {@code |}. */
        public Builder tag(String value) {
            tag = value;
            return this;
        }

        /** Adds a business key (no spaces). May be called several times. */
        public Builder key(String value) {
            keys.add(Objects.requireNonNull(value, "key"));
            return this;
        }

        /** The content as UTF-8. */
        public Builder body(String text) {
            body = text.getBytes(StandardCharsets.UTF_8);
            return this;
        }

        /** The content; 1 byte to 4 MiB. */
        public Builder body(byte[] bytes) {
            body = bytes;
            return this;
        }

        /** Adds a property of your own; names the protocol reserves are refused. */
        public Builder property(String name, String value) {
            properties.put(name, value);
            return this;
        }

        /** Messages of equal ordering key go to one queue, and an ordered consumer sees them in the order in which they were stored. */
        public Builder orderingKey(String value) {
            orderingKey = value;
            return this;
        }

        /** Sends to exactly this queue. */
        public Builder queue(MessageQueue value) {
            queue = value;
            return this;
        }

        /** Makes it visible at this time, to the millisecond, never earlier; at once if that has passed. */
        public Builder deliverAt(Instant time) {
            deliverAt = time;
            return this;
        }

        /** Makes it visible this long after the broker got it. */
        public Builder deliverAfter(Duration delay) {
            deliverAfter = delay;
            return this;
        }

        /** Like {@link #unless(String, String, String)} with any tag. */
        public Builder unless(String otherTopic, String key) {
            return unless(otherTopic, key, null);
        }

        /**
         * Makes a delayed message needless: if a message with this key and tag becomes visible in the other topic after this one is stored and before
         * its time, this one is not delivered.
         */
        public Builder unless(String otherTopic, String key, String otherTag) {
            unless = new Unless(otherTopic, key, otherTag);
            return this;
        }

        /** 0 (least) and up; counts in topics of type PRIORITY, which hand out higher ones first. */
        public Builder priority(int value) {
            priority = value;
            return this;
        }

        /**
         * What makes this message one with another: in a topic with de-duplication ({@link Topics#DEDUP}) a second message of the same key is not stored
         * and gets the receipt of the first. Without it the id counts, so that only repeated sends of one object are found.
         */
        public Builder dedupKey(String value) {
            dedupKey = value;
            return this;
        }

        /** @throws WaybillException of kind INVALID naming the field, its limit and what was seen */
        public Message build() {
            return new Message(
                    UniqueIds.next(),
                    topic,
                    tag,
                    keys,
                    body,
                    properties,
                    orderingKey,
                    queue,
                    deliverAt,
                    deliverAfter,
                    unless,
                    priority,
                    dedupKey);
        }
    }
}
