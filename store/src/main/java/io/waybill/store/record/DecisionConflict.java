/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A decision that came after another one and changed nothing: what it asked for and what is so differ. Says all that people need, because its
 * message may be gone from the log before it. The last of each kind of a transaction counts.
 *
 * <pre>
 *   18 CONFLICT   handle 8, decided 1, decidedMillis 8, decidedBy text, late 1, fromCheck 1, atMillis 8, by text, messageId text,
 *                 topic text, producerGroup text
 * </pre>
 *
 * @param position where the record stands in the log; it is kept as long as the log keeps it
 * @param decided what the first decision was
 * @param decidedBy who decided, for people
 * @param late what came too late: COMMIT or ROLLBACK
 * @param fromCheck whether it came as the answer to a check
 * @param by whose it is, for people
 * @param messageId the unique key of the message
 */
public record DecisionConflict(
        long handle,
        long position,
        Decision decided,
        long decidedMillis,
        String decidedBy,
        Decision late,
        boolean fromCheck,
        long atMillis,
        String by,
        String messageId,
        String topic,
        String producerGroup)
        implements ControlRecord {
    public DecisionConflict {
        Objects.requireNonNull(decided, "decided");
        Objects.requireNonNull(late, "late");
        decidedBy = decidedBy == null ? "" : decidedBy;
        by = by == null ? "" : by;
        messageId = messageId == null ? "" : messageId;
        topic = topic == null ? "" : topic;
        producerGroup = producerGroup == null ? "" : producerGroup;
    }

    static DecisionConflict read(RecordReader in) {
        long handle = in.i64();
        Decision decided = DecisionRecord.decision(in);
        long decidedMillis = in.i64();
        String decidedBy = in.text();
        Decision late = DecisionRecord.decision(in);
        return new DecisionConflict(
                handle,
                in.position(),
                decided,
                decidedMillis,
                decidedBy,
                late,
                in.flag(),
                in.i64(),
                in.text(),
                in.text(),
                in.text(),
                in.text());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.CONFLICT;
    }

    @Override
    public int fieldBytes() {
        return 8
                + 1
                + 8
                + Texts.size(decidedBy)
                + 1
                + 1
                + 8
                + Texts.size(by)
                + Texts.size(messageId)
                + Texts.size(topic)
                + Texts.size(producerGroup);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).put((byte) decided.code()).putLong(decidedMillis);
        Texts.put(to, decidedBy);
        to.put((byte) late.code()).put((byte) (fromCheck ? 1 : 0)).putLong(atMillis);
        Texts.put(to, by);
        Texts.put(to, messageId);
        Texts.put(to, topic);
        Texts.put(to, producerGroup);
    }

    @Override
    public DecisionConflict at(long atPosition, long storeTimeMillis) {
        return new DecisionConflict(
                handle,
                atPosition,
                decided,
                decidedMillis,
                decidedBy,
                late,
                fromCheck,
                storeTimeMillis,
                by,
                messageId,
                topic,
                producerGroup);
    }
}
