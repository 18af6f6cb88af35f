/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;
import io.waybill.protocol.frame.Limits;
import io.waybill.protocol.frame.Slice;
import java.nio.charset.StandardCharsets;

/**
 * 310, 320, 325 with one-letter field names, 10 and 324 with long ones; both are understood whatever the code. Read in one pass over the
 * header's bytes; the properties stay encoded, as they will be stored.
 *
 * @param queueId negative: the broker picks one
 * @param sysFlag {@link io.waybill.protocol.message.SysFlag}
 * @param properties encoded, never null; not to be changed
 * @param maxReconsumeTimes -1 when the client did not say; counts for retry topics only
 * @param batch the body is a {@link io.waybill.protocol.message.BatchBody}
 * @param brokerName the broker the client meant, or null
 */
public record SendMessageHeader(
        String producerGroup,
        String topic,
        String defaultTopic,
        int defaultTopicQueueNums,
        int queueId,
        int sysFlag,
        long bornTimestamp,
        int flag,
        byte[] properties,
        int reconsumeTimes,
        boolean unitMode,
        int maxReconsumeTimes,
        boolean batch,
        String brokerName)
        implements HeaderWriter {
    private static final byte[] NO_PROPERTIES = {};

    /** Reads the fields.
     *
     * @throws BadField when a required field is missing, a value is of the wrong kind, or the properties are too long
     */
    public static SendMessageHeader read(Fields fields) {
        SendHeaderReader reader = new SendHeaderReader();
        fields.forEach(reader);
        return reader.header();
    }

    /** The properties as text. */
    public String propertiesText() {
        return new String(properties, StandardCharsets.UTF_8);
    }

    /** Writes the one-letter names of 310, 320 and 325. */
    @Override
    public void write(FieldSink sink) {
        sink.put("a", producerGroup);
        sink.put("b", topic);
        sink.put("c", defaultTopic);
        sink.put("d", defaultTopicQueueNums);
        sink.put("e", queueId);
        sink.put("f", sysFlag);
        sink.put("g", bornTimestamp);
        sink.put("h", flag);
        sink.put("i", properties);
        sink.put("j", reconsumeTimes);
        sink.put("k", unitMode);
        if (maxReconsumeTimes >= 0) {
            sink.put("l", maxReconsumeTimes);
        }
        sink.put("m", batch);
        sink.put("n", brokerName);
    }

    /** The same header with the long names of 10, 324 and 326. */
    public HeaderWriter longNames() {
        return sink -> {
            sink.put("producerGroup", producerGroup);
            sink.put("topic", topic);
            sink.put("defaultTopic", defaultTopic);
            sink.put("defaultTopicQueueNums", defaultTopicQueueNums);
            sink.put("queueId", queueId);
            sink.put("sysFlag", sysFlag);
            sink.put("bornTimestamp", bornTimestamp);
            sink.put("flag", flag);
            sink.put("properties", properties);
            sink.put("reconsumeTimes", reconsumeTimes);
            sink.put("unitMode", unitMode);
            if (maxReconsumeTimes >= 0) {
                sink.put("maxReconsumeTimes", maxReconsumeTimes);
            }
            sink.put("batch", batch);
            sink.put("bname", brokerName);
        };
    }

    private static final class SendHeaderReader implements Fields.Visitor {
        private static final int QUEUE_ID = 1;
        private static final int SYS_FLAG = 2;
        private static final int BORN_TIMESTAMP = 4;
        private static final int FLAG = 8;

        private int seen;
        private String producerGroup;
        private String topic;
        private String defaultTopic;
        private int defaultTopicQueueNums = 4;
        private int queueId;
        private int sysFlag;
        private long bornTimestamp;
        private int flag;
        private byte[] properties = NO_PROPERTIES;
        private int reconsumeTimes;
        private boolean unitMode;
        private int maxReconsumeTimes = -1;
        private boolean batch;
        private String brokerName;

        @Override
        public void field(Slice key, Slice value) {
            if (key.length() == 1) {
                take(key.at(0), value);
            } else {
                byte letter = letterOf(key);
                if (letter != 0) {
                    take(letter, value);
                }
            }
        }

        private void take(byte letter, Slice value) {
            switch (letter) {
                case 'a' -> producerGroup = value.toString();
                case 'b' -> topic = value.toString();
                case 'c' -> defaultTopic = value.toString();
                case 'd' -> defaultTopicQueueNums = value.toInt("defaultTopicQueueNums");
                case 'e' -> {
                    queueId = value.toInt("queueId");
                    seen |= QUEUE_ID;
                }
                case 'f' -> {
                    sysFlag = value.toInt("sysFlag");
                    seen |= SYS_FLAG;
                }
                case 'g' -> {
                    bornTimestamp = value.toLong("bornTimestamp");
                    seen |= BORN_TIMESTAMP;
                }
                case 'h' -> {
                    flag = value.toInt("flag");
                    seen |= FLAG;
                }
                case 'i' -> properties = properties(value);
                case 'j' -> reconsumeTimes = value.isEmpty() ? 0 : value.toInt("reconsumeTimes");
                case 'k' -> unitMode = value.toBoolean("unitMode");
                case 'l' -> maxReconsumeTimes = value.isEmpty() ? -1 : value.toInt("maxReconsumeTimes");
                case 'm' -> batch = value.toBoolean("batch");
                case 'n' -> brokerName = value.toString();
                default -> {
                    // One-letter fields of later versions are none of ours.
                }
            }
        }

        private static byte[] properties(Slice value) {
            // Unescaping never lengthens and shortens a byte to a sixth at most, so this also bounds the copy.
            if (value.length() > Limits.MAX_PROPERTIES_LENGTH * 6) {
                throw tooLong(value.length());
            }
            byte[] properties = value.isEmpty() ? NO_PROPERTIES : value.copyBytesUnescaped();
            if (properties.length > Limits.MAX_PROPERTIES_LENGTH) {
                throw tooLong(properties.length);
            }
            return properties;
        }

        private static BadField tooLong(int length) {
            return new BadField("properties", "at most " + Limits.MAX_PROPERTIES_LENGTH + " bytes", length + " bytes");
        }

        private static byte letterOf(Slice key) {
            return switch (key.length()) {
                case 4 -> (byte) (key.equalsAscii("flag") ? 'h' : 0);
                case 5 -> (byte) (key.equalsAscii("topic") ? 'b' : batchOrBroker(key));
                case 7 -> (byte) (key.equalsAscii("queueId") ? 'e' : key.equalsAscii("sysFlag") ? 'f' : 0);
                case 8 -> (byte) (key.equalsAscii("unitMode") ? 'k' : 0);
                case 10 -> (byte) (key.equalsAscii("properties") ? 'i' : 0);
                case 12 -> (byte) (key.equalsAscii("defaultTopic") ? 'c' : 0);
                case 13 -> (byte) (key.equalsAscii("producerGroup") ? 'a' : key.equalsAscii("bornTimestamp") ? 'g' : 0);
                case 14 -> (byte) (key.equalsAscii("reconsumeTimes") ? 'j' : 0);
                case 17 -> (byte) (key.equalsAscii("maxReconsumeTimes") ? 'l' : 0);
                case 21 -> (byte) (key.equalsAscii("defaultTopicQueueNums") ? 'd' : 0);
                default -> 0;
            };
        }

        private static int batchOrBroker(Slice key) {
            return key.equalsAscii("batch") ? 'm' : key.equalsAscii("bname") ? 'n' : 0;
        }

        SendMessageHeader header() {
            require(producerGroup != null, "producerGroup");
            require(topic != null, "topic");
            require((seen & QUEUE_ID) != 0, "queueId");
            require((seen & SYS_FLAG) != 0, "sysFlag");
            require((seen & BORN_TIMESTAMP) != 0, "bornTimestamp");
            require((seen & FLAG) != 0, "flag");
            return new SendMessageHeader(
                    producerGroup,
                    topic,
                    defaultTopic,
                    defaultTopicQueueNums,
                    queueId,
                    sysFlag,
                    bornTimestamp,
                    flag,
                    properties,
                    reconsumeTimes,
                    unitMode,
                    maxReconsumeTimes,
                    batch,
                    brokerName);
        }

        private static void require(boolean there, String field) {
            if (!there) {
                throw new BadField(field, "present", null);
            }
        }
    }
}
