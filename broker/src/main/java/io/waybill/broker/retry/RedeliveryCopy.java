/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.SysFlag;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * The copy of a stored message that is delivered to a group again, or set aside for it: as a retry, a dead letter, in quarantine, re-driven.
 *
 * <p>What always holds: a copy is no part of the transaction its message came from, and it names the topic and the offset id that the message was sent
 * with first, however often it was copied since. Pure.
 */
public final class RedeliveryCopy {
    private RedeliveryCopy() {}

    /** The properties of the message, which tell from now on where it was sent first. */
    public static Map<String, String> properties(ByteBuffer stored, int at) {
        Map<String, String> properties = MessageProperties.decode(StoredMessage.properties(stored, at));
        tellOrigin(properties, stored, at);
        return properties;
    }

    /** Writes on properties of a copy where its message was sent first, unless they tell it already. */
    public static void tellOrigin(Map<String, String> properties, ByteBuffer stored, int at) {
        properties.putIfAbsent(MessageProperties.RETRY_TOPIC, StoredMessage.topic(stored, at));
        properties.putIfAbsent(
                MessageProperties.ORIGIN_MESSAGE_ID,
                MessageIds.offsetId(StoredMessage.storeHost(stored, at), StoredMessage.position(stored, at)));
    }

    /**
     * The copy, without its properties and its queue.
     *
     * @param tries how often it was delivered without success
     */
    public static MessageDraft.Builder of(ByteBuffer stored, int at, String topic, int tries) {
        return MessageDraft.copyOf(stored, at)
                .topic(topic)
                .reconsumeTimes(tries)
                .preparedTransactionOffset(0)
                .sysFlag(SysFlag.withTransactionState(StoredMessage.sysFlag(stored, at), SysFlag.TRANSACTION_NONE));
    }
}
