/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;
import io.waybill.protocol.frame.Slice;

/**
 * 200050: messages of a topic, to be invisible to others for a while. Read in one pass over the header's bytes.
 *
 * @param queueId -1 for any queue of the broker
 * @param invisibleTime milliseconds from the answer on
 * @param pollTime how long the request may wait for a message, milliseconds from its birth on
 * @param bornTime of the request, milliseconds of the client's clock
 * @param initMode {@link #FROM_MIN} or {@link #FROM_MAX}, for a group without an offset
 * @param expType TAG, SQL92 or null
 * @param exp what this client wants; null when it does not say
 * @param attemptId the same in the repetition of an ordered pop; may be null
 */
public record PopHeader(
        String consumerGroup,
        String topic,
        int queueId,
        int maxMsgNums,
        long invisibleTime,
        long pollTime,
        long bornTime,
        int initMode,
        String expType,
        String exp,
        boolean order,
        String attemptId,
        String brokerName)
        implements HeaderWriter {
    public static final int ANY_QUEUE = -1;
    public static final int FROM_MIN = 0;
    public static final int FROM_MAX = 1;

    /** Reads the fields.
     *
     * @throws BadField when a required field is missing or a value is of the wrong kind
     */
    public static PopHeader read(Fields fields) {
        PopHeaderReader reader = new PopHeaderReader();
        fields.forEach(reader);
        return reader.header();
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("maxMsgNums", maxMsgNums);
        sink.put("invisibleTime", invisibleTime);
        sink.put("pollTime", pollTime);
        sink.put("bornTime", bornTime);
        sink.put("initMode", initMode);
        sink.put("expType", expType);
        sink.put("exp", exp);
        sink.put("order", order);
        sink.put("attemptId", attemptId);
        sink.put("bname", brokerName);
    }

    private static final class PopHeaderReader implements Fields.Visitor {
        private static final String[] REQUIRED = {
            "consumerGroup", "topic", "queueId", "maxMsgNums", "invisibleTime", "pollTime", "bornTime", "initMode"
        };

        private int seen;
        private String consumerGroup;
        private String topic;
        private int queueId;
        private int maxMsgNums;
        private long invisibleTime;
        private long pollTime;
        private long bornTime;
        private int initMode;
        private String expType;
        private String exp;
        private boolean order;
        private String attemptId;
        private String brokerName;

        @Override
        public void field(Slice key, Slice value) {
            if (key.equalsAscii("consumerGroup")) {
                consumerGroup = value.toString();
                seen |= 1;
            } else if (key.equalsAscii("topic")) {
                topic = value.toString();
                seen |= 1 << 1;
            } else if (key.equalsAscii("queueId")) {
                queueId = value.toInt("queueId");
                seen |= 1 << 2;
            } else if (key.equalsAscii("maxMsgNums")) {
                maxMsgNums = value.toInt("maxMsgNums");
                seen |= 1 << 3;
            } else if (key.equalsAscii("invisibleTime")) {
                invisibleTime = value.toLong("invisibleTime");
                seen |= 1 << 4;
            } else if (key.equalsAscii("pollTime")) {
                pollTime = value.toLong("pollTime");
                seen |= 1 << 5;
            } else if (key.equalsAscii("bornTime")) {
                bornTime = value.toLong("bornTime");
                seen |= 1 << 6;
            } else if (key.equalsAscii("initMode")) {
                initMode = value.toInt("initMode");
                seen |= 1 << 7;
            } else if (key.equalsAscii("expType")) {
                expType = value.toString();
            } else if (key.equalsAscii("exp")) {
                exp = value.toString();
            } else if (key.equalsAscii("order")) {
                order = value.toBoolean("order");
            } else if (key.equalsAscii("attemptId")) {
                attemptId = value.toString();
            } else if (key.equalsAscii("bname")) {
                brokerName = value.toString();
            }
        }

        PopHeader header() {
            for (int i = 0; i < REQUIRED.length; i++) {
                if ((seen & 1 << i) == 0) {
                    throw new BadField(REQUIRED[i], "present", null);
                }
            }
            return new PopHeader(
                    consumerGroup,
                    topic,
                    queueId,
                    maxMsgNums,
                    invisibleTime,
                    pollTime,
                    bornTime,
                    initMode,
                    expType,
                    exp,
                    order,
                    attemptId,
                    brokerName);
        }
    }
}
