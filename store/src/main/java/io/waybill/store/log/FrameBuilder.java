/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Builds one frame after the other in the same direct buffer, and beside it the typed entries of its records. Used by the
 * holder of the writer's role only.
 *
 * <p>The buffer is taken at the start and fits every change that brings something new. What a change has put in can be taken
 * back as if it never was ({@link #mark}, {@link #rollBack}), and nothing between the write of a frame and its
 * handing over takes memory: so a shortage costs one change its answer and never the order of the log.
 */
final class FrameBuilder {
    private final QueueStates queues;
    private final CRC32C crc = new CRC32C();
    /** Taken at the start, for good. */
    private final ByteBuffer kept;
    /** The kept one, or a larger one for one frame. */
    private ByteBuffer buffer;

    private WrittenFrame frame = new WrittenFrame();
    /** The next one, made before it is needed. */
    private WrittenFrame spare = new WrittenFrame();

    private boolean open;
    private long base;
    private int limit;
    private int count;

    // What a roll back goes back to.
    private int markedPosition;
    private int markedCount;
    private int markedEntries;
    private int markedTouched;
    /** The queue of each message since the mark. */
    private final ArrayList<QueueState> numbered = new ArrayList<>();

    FrameBuilder(int keptBytes, QueueStates queues) {
        this.queues = queues;
        this.kept = ByteBuffer.allocateDirect(keptBytes);
        this.buffer = kept;
    }

    boolean isOpen() {
        return open;
    }

    int size() {
        return buffer.position();
    }

    /** Whether a change of this many bytes still goes in. */
    boolean fits(int bytes) {
        return buffer.position() + bytes <= limit;
    }

    int count() {
        return count;
    }

    long base() {
        return base;
    }

    long index() {
        return frame.index;
    }

    long storeTimeMillis() {
        return frame.storeTimeMillis;
    }

    /** What is gathered for the frame being built or, between frames, for the next or a barrier. */
    WrittenFrame frame() {
        return frame;
    }

    /**
     * Opens a frame that may grow to limit bytes, which is at least what its first change needs. Only a frame larger than the
     * kept buffer takes memory.
     */
    void open(long basePosition, int limitBytes, long index, long epoch, long storeTimeMillis) {
        buffer = limitBytes > kept.capacity() ? ByteBuffer.allocateDirect(limitBytes) : kept;
        prepareNext();
        buffer.clear().order(ByteOrder.BIG_ENDIAN).position(Frame.HEADER);
        open = true;
        base = basePosition;
        limit = limitBytes;
        count = 0;
        frame.hasBytes = true;
        frame.index = index;
        frame.epoch = epoch;
        frame.storeTimeMillis = storeTimeMillis;
        mark();
    }

    /** Takes the memory that {@link #take} will need. */
    void prepareNext() {
        if (spare == null) {
            spare = new WrittenFrame();
        }
    }

    /** Adds who waits for the frame, or for the one before; the room was taken by {@link #reserveWaiting}. */
    void addWaiting(Change change) {
        frame.changes.add(change);
    }

    /** Takes the memory for one more who waits. */
    void reserveWaiting() {
        prepareNext();
        frame.changes.ensureCapacity(frame.changes.size() + 1);
    }

    /** Where a roll back goes back to: here. */
    void mark() {
        markedPosition = buffer.position();
        markedCount = count;
        markedEntries = frame.entries.size();
        markedTouched = frame.touched.size();
        numbered.clear();
    }

    /** Takes back whatever was put in since the mark, in every step of it. A frame without records is not open any more. */
    void rollBack() {
        for (int i = numbered.size() - 1; i >= 0; i--) {
            QueueState queue = numbered.get(i);
            queue.next--;
            queue.touched.newMax = queue.next;
        }
        numbered.clear();
        for (int i = frame.touched.size() - 1; i >= markedTouched; i--) {
            frame.touched.remove(i).state().untouch();
        }
        for (int i = frame.entries.size() - 1; i >= markedEntries; i--) {
            frame.entries.remove(i);
        }
        count = markedCount;
        if (open && count == 0) {
            open = false;
            frame.hasBytes = false;
            buffer = kept;
        }
        buffer.clear().position(open ? markedPosition : 0);
    }

    /** The sealed bytes, ready to be written at {@link #base()}. */
    ByteBuffer seal(long durable) {
        int length = buffer.position();
        Frame.seal(buffer, length, frame.epoch, frame.index, base, frame.storeTimeMillis, count, durable, crc);
        frame.base = base;
        frame.checksum = Frame.checksum(buffer, 0);
        frame.end = base + length;
        return buffer;
    }

    /** Hands the gathered frame over; the builder starts a new one. */
    WrittenFrame take() {
        WrittenFrame taken = frame;
        frame = spare == null ? new WrittenFrame() : spare;
        spare = null;
        open = false;
        count = 0;
        buffer = kept;
        buffer.clear();
        mark();
        return taken;
    }

    // ---- records

    /** Makes the message the next of its queue; its prepared transaction offset becomes the handle unless that is 0. */
    Stored visible(MessageDraft message, long handle) {
        QueueState queue = queues.of(message.topic(), message.queueId());
        if (queue.frameIndex != frame.index) {
            QueueState.Touched touched = new QueueState.Touched(queue);
            frame.touched.add(touched);
            queue.touch(frame.index, touched);
        }
        // Noted before it is done, so that it can be undone whatever fails from here on.
        numbered.add(queue);
        long offset = queue.next++;
        queue.touched.newMax = offset + 1;
        int at = place(message);
        StoredMessage.patchQueueOffset(buffer, at, offset);
        if (handle != 0) {
            StoredMessage.patchPreparedTransactionOffset(buffer, at, handle);
        }
        frame.entries.add(new LogRecord.VisibleMessage(
                base + at,
                message.size(),
                at,
                queue.topic,
                queue.queueId,
                offset,
                message.tagsCode(),
                frame.storeTimeMillis,
                message.indexKeys()));
        count++;
        return new Stored(base + at, offset, frame.storeTimeMillis, message.size(), handle);
    }

    Stored half(
            MessageDraft message,
            byte[] group,
            String groupName,
            byte[] sender,
            String senderId,
            long nextCheckMillis) {
        int fixed = Records.HALF_FIXED + group.length + sender.length;
        long handle = base + buffer.position() + fixed;
        header(fixed + message.size(), Records.PENDING_HALF);
        buffer.putLong(handle).putLong(nextCheckMillis);
        Records.putText(buffer, group);
        Records.putText(buffer, sender);
        int at = place(message);
        addHalf(at, message.size(), handle, groupName, senderId, nextCheckMillis, frame.storeTimeMillis);
        return new Stored(handle, -1, frame.storeTimeMillis, message.size(), handle);
    }

    Stored due(MessageDraft message, long dueMillis, long preparedTransactionOffset) {
        int size = Records.DUE_FIXED + message.size();
        long handle = base + buffer.position() + Records.DUE_FIXED;
        header(size, Records.PENDING_DUE);
        buffer.putLong(handle).putLong(dueMillis);
        int at = place(message);
        if (preparedTransactionOffset != 0) {
            StoredMessage.patchPreparedTransactionOffset(buffer, at, preparedTransactionOffset);
        }
        addDue(
                at,
                message.size(),
                handle,
                dueMillis,
                message.topic(),
                message.queueId(),
                message.indexKeys(),
                frame.storeTimeMillis);
        return new Stored(handle, -1, frame.storeTimeMillis, message.size(), handle);
    }

    /** The same half at a new place: same handle, same bytes but for their position, same store time. */
    void carryHalf(ByteBuffer message, PendingHalf half, byte[] group, byte[] sender, CheckReason reason) {
        header(Records.HALF_FIXED + group.length + sender.length + message.remaining(), Records.PENDING_HALF);
        buffer.putLong(half.handle()).putLong(half.nextCheckMillis());
        Records.putText(buffer, group);
        Records.putText(buffer, sender);
        int at = carry(message);
        addHalf(
                at,
                message.remaining(),
                half.handle(),
                half.producerGroup(),
                half.sender(),
                half.nextCheckMillis(),
                StoredMessage.storeTimestamp(buffer, at));
        if (half.checks() > 0 || reason != CheckReason.NONE) {
            checked(
                    half.handle(),
                    half.checks(),
                    half.nextCheckMillis(),
                    Records.text(""),
                    "",
                    reason,
                    Records.text(""),
                    "");
        }
    }

    void carryDue(ByteBuffer message, long handle, long dueMillis) {
        header(Records.DUE_FIXED + message.remaining(), Records.PENDING_DUE);
        buffer.putLong(handle).putLong(dueMillis);
        int at = carry(message);
        addDue(
                at,
                message.remaining(),
                handle,
                dueMillis,
                StoredMessage.topic(buffer, at),
                StoredMessage.queueId(buffer, at),
                StoredMessage.indexTerms(buffer, at).all(),
                StoredMessage.storeTimestamp(buffer, at));
    }

    long decided(long handle, Decision outcome, boolean fromCheck, byte[] by, String byText) {
        long position = header(Records.DECISION_FIXED + by.length, Records.DECISION);
        buffer.putLong(handle)
                .put((byte) outcome.code())
                .put((byte) (fromCheck ? 1 : 0))
                .putLong(frame.storeTimeMillis);
        Records.putText(buffer, by);
        frame.entries.add(new LogRecord.Decided(position, handle, outcome, fromCheck, frame.storeTimeMillis, byText));
        return position;
    }

    void fired(long handle) {
        long position = header(Records.HEADER + 8, Records.FIRED);
        buffer.putLong(handle);
        frame.entries.add(new LogRecord.Fired(position, handle));
    }

    /** The texts are those of topic and keys. */
    Stored cancelled(long handle, byte[] by, String byText, List<byte[]> texts, String topic, String[] keys) {
        int size = Records.cancelledSize(by, texts);
        long position = header(size, Records.CANCELLED);
        buffer.putLong(handle);
        Records.putText(buffer, by);
        Records.putText(buffer, texts.get(0));
        buffer.putShort((short) (texts.size() - 1));
        for (int i = 1; i < texts.size(); i++) {
            Records.putText(buffer, texts.get(i));
        }
        frame.entries.add(new LogRecord.Cancelled(position, handle, frame.storeTimeMillis, byText, topic, keys));
        return stored(position, size, handle);
    }

    Stored rescheduled(long handle, long dueMillis) {
        int size = Records.HEADER + 16;
        long position = header(size, Records.RESCHEDULED);
        buffer.putLong(handle).putLong(dueMillis);
        frame.entries.add(new LogRecord.Rescheduled(position, handle, dueMillis));
        return stored(position, size, handle);
    }

    Stored checked(
            long handle,
            int checks,
            long nextCheckMillis,
            byte[] client,
            String clientText,
            CheckReason reason,
            byte[] sender,
            String senderId) {
        int size = Records.CHECKED_FIXED + client.length + sender.length;
        long position = header(size, Records.CHECKED);
        buffer.putLong(handle).putInt(checks).putLong(nextCheckMillis);
        Records.putText(buffer, client);
        buffer.put((byte) reason.code());
        Records.putText(buffer, sender);
        frame.entries.add(new LogRecord.Checked(
                position, handle, checks, nextCheckMillis, clientText, reason, senderId, frame.storeTimeMillis));
        return stored(position, size, handle);
    }

    Stored answered(long handle, byte[] client, String clientText, byte[] answer, String answerText) {
        int size = Records.HEADER + 8 + 2 + client.length + 2 + answer.length;
        long position = header(size, Records.ANSWERED);
        buffer.putLong(handle);
        Records.putText(buffer, client);
        Records.putText(buffer, answer);
        frame.entries.add(new LogRecord.Answered(position, handle, clientText, answerText, frame.storeTimeMillis));
        return stored(position, size, handle);
    }

    /** The texts are decidedBy, by, messageId, topic and producerGroup; the conflict has neither position nor time yet. */
    Stored conflict(DecisionConflict conflict, List<byte[]> texts) {
        int size = Records.CONFLICT_FIXED;
        for (byte[] text : texts) {
            size += text.length;
        }
        long position = header(size, Records.CONFLICT);
        buffer.putLong(conflict.handle()).put((byte) conflict.decided().code()).putLong(conflict.decidedMillis());
        Records.putText(buffer, texts.get(0));
        buffer.put((byte) conflict.late().code())
                .put((byte) (conflict.fromCheck() ? 1 : 0))
                .putLong(frame.storeTimeMillis);
        for (int i = 1; i < texts.size(); i++) {
            Records.putText(buffer, texts.get(i));
        }
        frame.entries.add(new LogRecord.Conflict(new DecisionConflict(
                conflict.handle(),
                position,
                conflict.decided(),
                conflict.decidedMillis(),
                conflict.decidedBy(),
                conflict.late(),
                conflict.fromCheck(),
                frame.storeTimeMillis,
                conflict.by(),
                conflict.messageId(),
                conflict.topic(),
                conflict.producerGroup())));
        return stored(position, size, conflict.handle());
    }

    PublishRecord published(long handle, byte[] by, String byText) {
        long position = header(Records.PUBLISHED_FIXED + by.length, Records.PUBLISHED);
        buffer.putLong(handle).putLong(frame.storeTimeMillis);
        Records.putText(buffer, by);
        PublishRecord record = new PublishRecord(handle, position, frame.storeTimeMillis, byText);
        frame.entries.add(new LogRecord.Published(record));
        return record;
    }

    /** The texts are group and topic of each entry in turn. */
    Stored progress(List<ConsumerOffset> entries, List<byte[]> texts) {
        int size = Records.progressSize(texts);
        long position = header(size, Records.PROGRESS);
        buffer.putInt(entries.size());
        for (int i = 0; i < entries.size(); i++) {
            Records.putText(buffer, texts.get(2 * i));
            Records.putText(buffer, texts.get(2 * i + 1));
            buffer.putInt(entries.get(i).queueId()).putLong(entries.get(i).offset());
        }
        frame.entries.add(new LogRecord.Progress(position, entries));
        return stored(position, size, 0);
    }

    Stored catalog(CatalogKind kind, byte[] nameBytes, String name, byte[] value) {
        int size = Records.HEADER + 1 + 2 + nameBytes.length + 1 + (value == null ? 0 : value.length);
        long position = header(size, Records.CATALOG);
        buffer.put((byte) kind.code());
        Records.putText(buffer, nameBytes);
        buffer.put((byte) (value == null ? 0 : 1));
        if (value != null) {
            buffer.put(value);
        }
        frame.entries.add(new LogRecord.Catalog(position, kind, name, value));
        return stored(position, size, 0);
    }

    Stored pop(List<PopDelta> deltas, byte[] encoded) {
        int size = Records.HEADER + encoded.length;
        long position = header(size, Records.POP);
        buffer.put(encoded);
        frame.entries.add(new LogRecord.Pop(position, deltas));
        return stored(position, size, 0);
    }

    void popState(PopKey key, byte[] group, byte[] topic, PopState state, byte[] encoded) {
        long position = header(Records.popStateSize(group, topic, encoded), Records.POP_STATE);
        Records.putText(buffer, group);
        Records.putText(buffer, topic);
        buffer.putInt(key.queueId()).put(encoded);
        frame.entries.add(new LogRecord.PopRestated(position, key, state));
    }

    void unique(UniqueKey key, byte[] topicBytes, byte[] keyBytes, FirstMessage first, long atMillis) {
        long position = header(Records.uniqueSize(topicBytes, keyBytes), Records.UNIQUE);
        Records.putText(buffer, topicBytes);
        Records.putText(buffer, keyBytes);
        buffer.putLong(key.untilMillis())
                .putLong(first.position())
                .putLong(first.queueOffset())
                .putInt(first.queueId())
                .putLong(first.storeTimeMillis())
                .putLong(atMillis);
        frame.entries.add(new LogRecord.Unique(position, key, first, atMillis));
    }

    /** The texts are group, topic and client of each entry in turn. */
    Stored journal(List<DeliveryEvent> entries, List<byte[]> texts) {
        int size = Records.journalSize(texts);
        long position = header(size, Records.JOURNAL);
        buffer.putInt(entries.size());
        for (int i = 0; i < entries.size(); i++) {
            DeliveryEvent entry = entries.get(i);
            buffer.put((byte) entry.kind().code());
            Records.putText(buffer, texts.get(3 * i));
            Records.putText(buffer, texts.get(3 * i + 1));
            buffer.putInt(entry.queueId()).putLong(entry.fromOffset()).putLong(entry.toOffset());
            Records.putText(buffer, texts.get(3 * i + 2));
            buffer.putLong(entry.firstMillis()).putLong(entry.lastMillis());
        }
        frame.entries.add(new LogRecord.Journal(position, entries));
        return stored(position, size, 0);
    }

    Stored dropped(long upTo) {
        int size = Records.HEADER + 8;
        long position = header(size, Records.DROPPED);
        buffer.putLong(upTo);
        frame.entries.add(new LogRecord.Dropped(position, upTo));
        return stored(position, size, 0);
    }

    void queueBase(byte[] topicBytes, String topic, int queueId) {
        long next = queues.of(topic, queueId).next;
        long position = header(Records.HEADER + 2 + topicBytes.length + 12, Records.QUEUE_BASE);
        Records.putText(buffer, topicBytes);
        buffer.putInt(queueId).putLong(next);
        frame.entries.add(new LogRecord.QueueBase(position, topic, queueId, next));
    }

    void closingMark() {
        header(Records.HEADER + 8, Records.MARK);
        buffer.putLong(frame.epoch);
    }

    /** Puts a record in, where it stands from now on. */
    Stored add(ControlRecord draft) {
        ControlRecord record = draft.at(base + buffer.position(), frame.storeTimeMillis);
        int size = record.size();
        buffer.putInt(size)
                .putInt(ControlRecord.MAGIC)
                .putShort((short) record.kind().code())
                .putShort((short) record.kind().version());
        record.writeFields(buffer);
        count++;
        frame.entries.add(record);
        return stored(record.position(), size, record.handle());
    }

    private Stored stored(long position, int size, long handle) {
        return new Stored(position, -1, frame.storeTimeMillis, size, handle);
    }

    private long header(int size, int kind) {
        long position = base + buffer.position();
        buffer.putInt(size).putInt(Records.MAGIC).putShort((short) kind).putShort((short) Records.version(kind));
        count++;
        return position;
    }

    private int place(MessageDraft message) {
        int at = buffer.position();
        buffer.put(message.bytes());
        StoredMessage.patchPosition(buffer, at, base + at);
        StoredMessage.patchStoreTimestamp(buffer, at, frame.storeTimeMillis);
        return at;
    }

    private int carry(ByteBuffer message) {
        int at = buffer.position();
        buffer.put(message.duplicate());
        StoredMessage.patchPosition(buffer, at, base + at);
        return at;
    }

    private void addHalf(
            int at, int size, long handle, String group, String sender, long nextCheckMillis, long storeTimeMillis) {
        frame.entries.add(
                new LogRecord.Half(base + at, size, at, handle, group, sender, nextCheckMillis, storeTimeMillis));
    }

    private void addDue(
            int at,
            int size,
            long handle,
            long dueMillis,
            String topic,
            int queueId,
            String[] keys,
            long storeTimeMillis) {
        frame.entries.add(
                new LogRecord.Due(base + at, size, at, handle, dueMillis, topic, queueId, keys, storeTimeMillis));
    }
}
