/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;
import io.waybill.protocol.frame.Slice;

/**
 * 11 and 361: messages of a queue from an offset on. Read in one pass over the header's bytes.
 *
 * @param sysFlag the {@code FLAG_} bits
 * @param commitOffset counts only with {@link #FLAG_COMMIT_OFFSET}
 * @param suspendTimeoutMillis how long the request may wait for a message, with {@link #FLAG_SUSPEND}
 * @param subscription counts only with {@link #FLAG_SUBSCRIPTION}, otherwise the group's heartbeat says it
 * @param expressionType TAG, SQL92 or null
 * @param maxMsgBytes -1 when the client did not say
 */
public record PullHeader(
        String consumerGroup,
        String topic,
        int queueId,
        long queueOffset,
        int maxMsgNums,
        int sysFlag,
        long commitOffset,
        long suspendTimeoutMillis,
        String subscription,
        long subVersion,
        String expressionType,
        int maxMsgBytes,
        String brokerName)
        implements HeaderWriter {
    public static final int FLAG_COMMIT_OFFSET = 0x1;
    public static final int FLAG_SUSPEND = 0x2;
    public static final int FLAG_SUBSCRIPTION = 0x4;
    public static final int FLAG_CLASS_FILTER = 0x8;
    public static final int FLAG_LITE_PULL = 0x10;

    /** Waybill's own: the client reads again what was consumed before. Other brokers do not look at it. */
    public static final int FLAG_REPLAY = 0x10000;

    /** Reads the fields.
     *
     * @throws BadField when a required field is missing or a value is of the wrong kind
     */
    public static PullHeader read(Fields fields) {
        PullHeaderReader reader = new PullHeaderReader();
        fields.forEach(reader);
        return reader.header();
    }

    public boolean commitsOffset() {
        return (sysFlag & FLAG_COMMIT_OFFSET) != 0;
    }

    public boolean maySuspend() {
        return (sysFlag & FLAG_SUSPEND) != 0;
    }

    public boolean hasSubscription() {
        return (sysFlag & FLAG_SUBSCRIPTION) != 0;
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("queueOffset", queueOffset);
        sink.put("maxMsgNums", maxMsgNums);
        sink.put("sysFlag", sysFlag);
        sink.put("commitOffset", commitOffset);
        sink.put("suspendTimeoutMillis", suspendTimeoutMillis);
        sink.put("subscription", subscription);
        sink.put("subVersion", subVersion);
        sink.put("expressionType", expressionType);
        if (maxMsgBytes >= 0) {
            sink.put("maxMsgBytes", maxMsgBytes);
        }
        sink.put("bname", brokerName);
    }

    private static final class PullHeaderReader implements Fields.Visitor {
        private static final int QUEUE_ID = 1;
        private static final int QUEUE_OFFSET = 2;
        private static final int MAX_MSG_NUMS = 4;
        private static final int SYS_FLAG = 8;

        private int seen;
        private String consumerGroup;
        private String topic;
        private int queueId;
        private long queueOffset;
        private int maxMsgNums;
        private int sysFlag;
        private long commitOffset;
        private long suspendTimeoutMillis;
        private String subscription;
        private long subVersion;
        private String expressionType;
        private int maxMsgBytes = -1;
        private String brokerName;

        @Override
        public void field(Slice key, Slice value) {
            switch (key.length()) {
                case 5 -> {
                    if (key.equalsAscii("topic")) {
                        topic = value.toString();
                    } else if (key.equalsAscii("bname")) {
                        brokerName = value.toString();
                    }
                }
                case 7 -> {
                    if (key.equalsAscii("queueId")) {
                        queueId = value.toInt("queueId");
                        seen |= QUEUE_ID;
                    } else if (key.equalsAscii("sysFlag")) {
                        sysFlag = value.toInt("sysFlag");
                        seen |= SYS_FLAG;
                    }
                }
                case 10 -> {
                    if (key.equalsAscii("maxMsgNums")) {
                        maxMsgNums = value.toInt("maxMsgNums");
                        seen |= MAX_MSG_NUMS;
                    } else if (key.equalsAscii("subVersion")) {
                        subVersion = value.toLong("subVersion");
                    }
                }
                case 11 -> {
                    if (key.equalsAscii("queueOffset")) {
                        queueOffset = value.toLong("queueOffset");
                        seen |= QUEUE_OFFSET;
                    } else if (key.equalsAscii("maxMsgBytes")) {
                        maxMsgBytes = value.toInt("maxMsgBytes");
                    }
                }
                case 12 -> {
                    if (key.equalsAscii("commitOffset")) {
                        commitOffset = value.toLong("commitOffset");
                    } else if (key.equalsAscii("subscription")) {
                        subscription = value.toString();
                    }
                }
                case 13 -> {
                    if (key.equalsAscii("consumerGroup")) {
                        consumerGroup = value.toString();
                    }
                }
                case 14 -> {
                    if (key.equalsAscii("expressionType")) {
                        expressionType = value.toString();
                    }
                }
                case 20 -> {
                    if (key.equalsAscii("suspendTimeoutMillis")) {
                        suspendTimeoutMillis = value.toLong("suspendTimeoutMillis");
                    }
                }
                default -> {
                    // Fields of other versions and of proxies are none of ours.
                }
            }
        }

        PullHeader header() {
            require(consumerGroup != null, "consumerGroup");
            require(topic != null, "topic");
            require((seen & QUEUE_ID) != 0, "queueId");
            require((seen & QUEUE_OFFSET) != 0, "queueOffset");
            require((seen & MAX_MSG_NUMS) != 0, "maxMsgNums");
            require((seen & SYS_FLAG) != 0, "sysFlag");
            return new PullHeader(
                    consumerGroup,
                    topic,
                    queueId,
                    queueOffset,
                    maxMsgNums,
                    sysFlag,
                    commitOffset,
                    suspendTimeoutMillis,
                    subscription,
                    subVersion,
                    expressionType,
                    maxMsgBytes,
                    brokerName);
        }

        private static void require(boolean there, String field) {
            if (!there) {
                throw new BadField(field, "present", null);
            }
        }
    }
}
