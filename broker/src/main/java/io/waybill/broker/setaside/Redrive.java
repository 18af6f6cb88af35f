/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.setaside;

import io.waybill.broker.retry.FailureProperties;
import io.waybill.broker.retry.RedeliveryCopy;
import io.waybill.protocol.Names;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.SysFlag;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Set;

/**
 * Makes the message that a dead letter becomes when it is sent again: with no tries counted and none of the marks of its failures, which live on in
 * the properties below. Keys, tags, sharding key, body and born time are those of the dead letter unless they are edited. Pure.
 *
 * @param toGroupOnly true: to the retry topic of the group, so that nobody else gets it again
 * @param properties set on the message; an empty value removes one
 * @param body null for its own
 * @param by who wants it, and why
 */
record Redrive(boolean toGroupOnly, Map<String, String> properties, byte[] body, String by) {
    /** The offset message id of the dead letter. */
    static final String REDRIVEN_FROM = "REDRIVEN_FROM";
    /** Who did it, and why. */
    static final String REDRIVEN_BY = "REDRIVEN_BY";
    /** When, wall-clock milliseconds. */
    static final String REDRIVEN_MS = "REDRIVEN_MS";
    /** How often this message was re-driven, this time included. */
    static final String REDRIVEN_TIMES = "REDRIVEN_TIMES";

    /** What is said of the failures, and under which name it stays. */
    private static final Map<String, String> KEPT_AS = Map.of(
            FailureProperties.RETRY_SINCE_MS, "REDRIVEN_SINCE_MS",
            FailureProperties.DLQ_MS, "REDRIVEN_DLQ_MS",
            FailureProperties.DLQ_TRIES, "REDRIVEN_TRIES",
            FailureProperties.DLQ_REASON, "REDRIVEN_REASON",
            FailureProperties.DLQ_GROUP, "REDRIVEN_GROUP",
            FailureProperties.DLQ_CLIENT, "REDRIVEN_CLIENT",
            MessageProperties.ORIGIN_MESSAGE_ID, "REDRIVEN_ORIGIN_MESSAGE_ID");

    /** What would make the message something else than one that is simply there. */
    private static final Set<String> DROPPED = Set.of(
            MessageProperties.RETRY_TOPIC,
            MessageProperties.RECONSUME_TIME,
            MessageProperties.MAX_RECONSUME_TIMES,
            MessageProperties.DLQ_ORIGIN_TOPIC,
            MessageProperties.DLQ_ORIGIN_MESSAGE_ID,
            MessageProperties.DELAY,
            MessageProperties.TIMER_DELAY_SEC,
            MessageProperties.TIMER_DELAY_MS,
            MessageProperties.TIMER_DELIVER_MS,
            MessageProperties.TIMER_OUT_MS,
            MessageProperties.TIMER_ENQUEUE_MS,
            MessageProperties.TIMER_DEQUEUE_MS,
            MessageProperties.REAL_TOPIC,
            MessageProperties.REAL_QID,
            MessageProperties.TRAN_MSG,
            MessageProperties.POP_CK,
            MessageProperties.FIRST_POP_TIME);

    /**
     * Null, or why these properties must not be set by hand: the broker's own word on a message stays its own.
     *
     * @throws BadField naming the property
     */
    static void check(Map<String, String> edited) {
        for (String name : edited.keySet()) {
            boolean own = DROPPED.contains(name)
                    || KEPT_AS.containsKey(name)
                    || name.startsWith("REDRIVEN_")
                    || name.equals(MessageProperties.UNIQ_KEY);
            if (own) {
                throw new BadField("edit.properties", "no property that the broker itself writes", name);
            }
        }
    }

    /** Where the dead letter was sent first; null when it does not tell. */
    static String originTopic(ByteBuffer deadLetter) {
        String topic = StoredMessage.property(deadLetter, 0, MessageProperties.DLQ_ORIGIN_TOPIC);
        return topic != null ? topic : StoredMessage.property(deadLetter, 0, MessageProperties.RETRY_TOPIC);
    }

    /**
     * @param originTopic where it was sent first
     * @param topic where it goes now
     * @throws io.waybill.protocol.message.BadValue when the properties become too long
     */
    MessageDraft of(ByteBuffer deadLetter, String originTopic, String topic, int queueId, long nowMillis) {
        Map<String, String> copied = MessageProperties.decode(StoredMessage.properties(deadLetter, 0));
        KEPT_AS.forEach((name, keptAs) -> {
            String value = copied.remove(name);
            if (value != null) {
                copied.put(keptAs, value);
            }
        });
        String firstId = copied.get("REDRIVEN_ORIGIN_MESSAGE_ID");
        DROPPED.forEach(copied::remove);
        properties.forEach(copied::put); // of an empty value nothing is encoded
        int times = 1 + numberOf(copied.get(REDRIVEN_TIMES));
        copied.put(REDRIVEN_TIMES, Integer.toString(times));
        copied.put(REDRIVEN_FROM, offsetId(deadLetter));
        copied.put(REDRIVEN_MS, Long.toString(nowMillis));
        copied.put(REDRIVEN_BY, by);
        if (Names.isRetry(topic)) { // what consumers show as the topic
            copied.put(MessageProperties.RETRY_TOPIC, originTopic);
            copied.put(MessageProperties.ORIGIN_MESSAGE_ID, firstId == null ? offsetId(deadLetter) : firstId);
        }
        MessageDraft.Builder copy = RedeliveryCopy.of(deadLetter, 0, topic, 0)
                .queueId(queueId)
                .properties(properties.isEmpty() ? CopyRoom.encode(copied) : CopyRoom.encodeOfClient(copied));
        if (body != null) {
            int flag = StoredMessage.sysFlag(deadLetter, 0);
            copy.body(body).sysFlag(flag & ~(SysFlag.COMPRESSED | SysFlag.COMPRESSION_MASK));
        }
        return copy.build();
    }

    static String offsetId(ByteBuffer deadLetter) {
        return MessageIds.offsetId(StoredMessage.storeHost(deadLetter, 0), StoredMessage.position(deadLetter, 0));
    }

    private static int numberOf(String text) {
        try {
            return text == null ? 0 : Integer.parseInt(text);
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
