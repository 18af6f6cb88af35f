/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * Reply of 11 and 361. All fields are needed with every one of the codes 0, 19, 20 and 21: clients unbox them without asking.
 *
 * @param suggestWhichBrokerId 0 is the master
 * @param nextBeginOffset where to pull next
 */
public record PullReply(
        long suggestWhichBrokerId,
        long nextBeginOffset,
        long minOffset,
        long maxOffset,
        int topicSysFlag,
        int groupSysFlag)
        implements HeaderWriter {

    /** A reply of a master without flags. */
    public PullReply(long nextBeginOffset, long minOffset, long maxOffset) {
        this(0, nextBeginOffset, minOffset, maxOffset, 0, 0);
    }

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when an offset is missing or no number
     */
    public static PullReply read(Fields fields) {
        return new PullReply(
                fields.getLong("suggestWhichBrokerId", 0),
                fields.requireLong("nextBeginOffset"),
                fields.requireLong("minOffset"),
                fields.requireLong("maxOffset"),
                fields.getInt("topicSysFlag", 0),
                fields.getInt("groupSysFlag", 0));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("suggestWhichBrokerId", suggestWhichBrokerId);
        sink.put("nextBeginOffset", nextBeginOffset);
        sink.put("minOffset", minOffset);
        sink.put("maxOffset", maxOffset);
        sink.put("topicSysFlag", topicSysFlag);
        sink.put("groupSysFlag", groupSysFlag);
    }
}
