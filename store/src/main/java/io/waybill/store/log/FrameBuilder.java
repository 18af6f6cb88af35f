/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.MessagePlace;
import io.waybill.store.record.PendingMessage;
import io.waybill.store.record.VisibleMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
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
    void addWaiting(LogWrite change) {
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
        frame.entries.add(new VisibleMessage(
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

    /** Puts a record in; returns it as it stands there. */
    ControlRecord add(ControlRecord draft) {
        ControlRecord record = draft.at(base + buffer.position(), frame.storeTimeMillis);
        record.write(buffer, record.size());
        frame.entries.add(record);
        count++;
        return record;
    }

    /** What becomes of a change whose record this is. */
    Stored stored(ControlRecord record) {
        return new Stored(record.position(), -1, frame.storeTimeMillis, record.size(), record.handle());
    }

    /** Puts a message in that is not visible yet. Its handle is its place, which is returned. */
    Stored pending(PendingMessage draft, MessageDraft message, long preparedTransactionOffset) {
        int at = buffer.position() + draft.bytesBefore();
        PendingMessage record =
                draft.at(base + at, new MessagePlace(base + at, message.size(), at, frame.storeTimeMillis));
        record.write(buffer, record.bytesBefore() + message.size());
        place(message);
        if (preparedTransactionOffset != 0) {
            StoredMessage.patchPreparedTransactionOffset(buffer, at, preparedTransactionOffset);
        }
        frame.entries.add(record);
        count++;
        return new Stored(base + at, -1, frame.storeTimeMillis, message.size(), record.handle());
    }

    /** The same pending message at a new place: same handle, same bytes but for their position, same store time. */
    void rewritten(PendingMessage draft, long handle, ByteBuffer message) {
        int at = buffer.position() + draft.bytesBefore();
        PendingMessage record = draft.at(
                handle,
                new MessagePlace(
                        base + at, message.remaining(), at, StoredMessage.storeTimestamp(message, message.position())));
        record.write(buffer, record.bytesBefore() + message.remaining());
        buffer.put(message.duplicate());
        StoredMessage.patchPosition(buffer, at, base + at);
        frame.entries.add(record);
        count++;
    }

    /** The next offset of a queue, with the messages of this frame. */
    long nextOffset(String topic, int queueId) {
        return queues.of(topic, queueId).next;
    }

    private int place(MessageDraft message) {
        int at = buffer.position();
        buffer.put(message.bytes());
        StoredMessage.patchPosition(buffer, at, base + at);
        StoredMessage.patchStoreTimestamp(buffer, at, frame.storeTimeMillis);
        return at;
    }
}
