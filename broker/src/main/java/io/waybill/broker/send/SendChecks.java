/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.SysFlag;

/** What a send must fulfil before anything is stored. Pure; null means nothing speaks against it. */
final class SendChecks {
    private final int maxMessageBytes;

    SendChecks(int maxMessageBytes) {
        this.maxMessageBytes = maxMessageBytes;
    }

    /** Looks at the request alone. */
    Placement.Refused ofRequest(SendMessageHeader header, int bodyLength) {
        String topic = Names.checkTopic(header.topic());
        if (topic != null) {
            return new Placement.Refused(ResponseCode.INVALID_PARAMETER, topic);
        }
        if (Names.isSendForbidden(header.topic())) {
            return new Placement.Refused(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + header.topic() + "' is not open for sending: it is internal");
        }
        String group = Names.checkGroup(header.producerGroup());
        if (group != null) {
            return new Placement.Refused(ResponseCode.INVALID_PARAMETER, "producer " + group);
        }
        if (header.reconsumeTimes() < 0) {
            return new Placement.Refused(
                    ResponseCode.INVALID_PARAMETER,
                    "reconsumeTimes: must not be negative, was " + header.reconsumeTimes());
        }
        if (bodyLength > maxMessageBytes) {
            return new Placement.Refused(
                    ResponseCode.MESSAGE_ILLEGAL,
                    "body: must have at most " + maxMessageBytes + " bytes (maxMessageBytes), had " + bodyLength);
        }
        return ofSysFlag(header);
    }

    /** Bits of which a consumer would make something else than was meant, or nothing at all. */
    private static Placement.Refused ofSysFlag(SendMessageHeader header) {
        int bits = header.sysFlag();
        String text = null;
        if ((bits & (SysFlag.NEED_UNWRAP | SysFlag.INNER_BATCH)) != 0) {
            text = "must not have the bits of an inner batch (0x40, 0x80), which is not offered";
        } else if (SysFlag.transactionState(bits) == SysFlag.TRANSACTION_ROLLBACK) {
            text = "must not say that the message is rolled back (0xC)";
        } else if (SysFlag.isCompressed(bits) && (bits & SysFlag.COMPRESSION_MASK) > SysFlag.COMPRESSION_ZLIB) {
            text = "must name a compression that consumers know (bits 8 to 10 from 0 to 3)";
        }
        return text == null
                ? null
                : new Placement.Refused(
                        ResponseCode.MESSAGE_ILLEGAL, "sysFlag: " + text + ", was 0x" + Integer.toHexString(bits));
    }

    /** Looks at the request together with its topic. */
    Placement.Refused ofTopic(SendMessageHeader header, TopicConfig topic) {
        if (!Perm.isWriteable(topic.perm())) {
            return new Placement.Refused(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + topic.topicName() + "' does not allow sending: perm is " + topic.perm());
        }
        int queues = Math.max(topic.readQueueNums(), topic.writeQueueNums());
        if (header.queueId() >= queues) {
            return new Placement.Refused(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be less than " + queues + " for topic '" + topic.topicName() + "', was "
                            + header.queueId());
        }
        return null;
    }
}
