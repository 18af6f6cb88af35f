/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * What became of messages in a queue of set-aside messages: each is settled once, by an operator or by the broker, and stays where it is. The store
 * refuses a settlement of what is settled, so two of them never overlap.
 *
 * <pre>
 *   21 SETTLED   kind 1, topic text, queueId 4, fromOffset 8, toOffset 8, how 1, by text, atMillis 8
 * </pre>
 *
 * @param position where the record stands; -1 before it is written
 * @param atMillis store time of the settlement; 0 before it is written
 * @param of what kind the queue is
 * @param fromOffset inclusive
 * @param toOffset exclusive
 * @param by who did it, for people
 */
public record Settlement(
        long position,
        long atMillis,
        SetAsideKind of,
        String topic,
        int queueId,
        long fromOffset,
        long toOffset,
        How how,
        String by)
        implements StateRecord {
    /** What the queue holds. The codes stand in the log. */
    public enum SetAsideKind {
        DEAD_LETTER(1),
        QUARANTINE(2),
        /** Transactions whose checks ran out. */
        EXHAUSTED(3);

        private final int code;

        SetAsideKind(int code) {
            this.code = code;
        }

        public int code() {
            return code;
        }

        static SetAsideKind ofCode(int code) {
            if (code < 1 || code > values().length) {
                throw UnreadableRecord.newer("unknown kind of set-aside queue " + code);
            }
            return values()[code - 1];
        }
    }

    /** The codes stand in the log. */
    public enum How {
        /** Delivered again as a copy. */
        REDRIVEN(1),
        DISCARDED(2),
        /** An exhausted transaction is open again, as a new half message. */
        RESUMED(3),
        /** Another copy of the message is set aside as well. */
        DUPLICATE(4),
        /** Nothing is known of the whole queue any more: its topic or group was deleted. */
        FORGOTTEN(5);

        private final int code;

        How(int code) {
            this.code = code;
        }

        public int code() {
            return code;
        }

        static How ofCode(int code) {
            if (code < 1 || code > values().length) {
                throw UnreadableRecord.newer("unknown settlement " + code);
            }
            return values()[code - 1];
        }
    }

    /** Messages that one record may settle; with it a reader knows where a range begins that covers an offset. Only FORGOTTEN names all. */
    public static final int MAX_SPAN = 4_096;

    public Settlement {
        Objects.requireNonNull(of, "of");
        Objects.requireNonNull(topic, "topic");
        Objects.requireNonNull(how, "how");
        by = by == null ? "" : by;
        if (fromOffset < 0 || toOffset <= fromOffset) {
            throw new IllegalArgumentException("a settlement needs a range, seen " + fromOffset + " to " + toOffset);
        }
        if (how != How.FORGOTTEN && toOffset - fromOffset > MAX_SPAN) {
            throw new IllegalArgumentException(
                    "a settlement is of at most " + MAX_SPAN + " messages, seen " + fromOffset + " to " + toOffset);
        }
    }

    /** To be written. */
    public Settlement(SetAsideKind of, String topic, int queueId, long fromOffset, long toOffset, How how, String by) {
        this(-1, 0, of, topic, queueId, fromOffset, toOffset, how, by);
    }

    static Settlement read(RecordReader in) {
        SetAsideKind of = SetAsideKind.ofCode(in.i8());
        String topic = in.text();
        int queueId = in.i32();
        long from = in.i64();
        long to = in.i64();
        How how = How.ofCode(in.i8());
        String by = in.text();
        return new Settlement(in.position(), in.i64(), of, topic, queueId, from, to, how, by);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.SETTLED;
    }

    @Override
    public int fieldBytes() {
        return 1 + Texts.size(topic) + 4 + 8 + 8 + 1 + Texts.size(by) + 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.put((byte) of.code());
        Texts.put(to, topic);
        to.putInt(queueId).putLong(fromOffset).putLong(toOffset).put((byte) how.code());
        Texts.put(to, by);
        to.putLong(atMillis);
    }

    @Override
    public Settlement at(long atPosition, long storeTimeMillis) {
        return new Settlement(
                atPosition,
                atMillis == 0 ? storeTimeMillis : atMillis,
                of,
                topic,
                queueId,
                fromOffset,
                toOffset,
                how,
                by);
    }

    public boolean isOfQueue(String otherTopic, int otherQueueId) {
        return queueId == otherQueueId && topic.equals(otherTopic);
    }

    public boolean overlaps(Settlement other) {
        return other.isOfQueue(topic, queueId) && fromOffset < other.toOffset && other.fromOffset < toOffset;
    }

    /** Of all settlements of a queue: a prefix of their keys. */
    public static byte[] keysOf(String topic, int queueId) {
        return new Packer(64).text(topic).i32(queueId).done();
    }

    /** By queue and first offset: ranges do not overlap. */
    @Override
    public byte[] key() {
        return keyAt(fromOffset);
    }

    /** Where the key of a settlement of this queue stands that begins at an offset. */
    public byte[] keyAt(long offset) {
        return new Packer(64).text(topic).i32(queueId).i64(offset).done();
    }

    @Override
    public boolean isRemoval() {
        return how == How.FORGOTTEN;
    }

    @Override
    public boolean isReplacedBy(LogRecord later) {
        return later instanceof Settlement other && other.how == How.FORGOTTEN && other.isOfQueue(topic, queueId);
    }
}
