/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.List;

/**
 * The typed form of one log record: made by the writer on the live path and by the record reader in recovery.
 * {@code position} is always where the record (of a message: the stored message) stands in the log, {@code size} the
 * bytes of the stored message, {@code frameDelta} position minus the base of its frame.
 */
public interface LogRecord {
    long position();

    /**
     * A message that is readable from its queue once applied.
     *
     * @param keys unique key and KEYS tokens; null or empty if none; null elements are skipped
     */
    record VisibleMessage(
            long position,
            int size,
            int frameDelta,
            String topic,
            int queueId,
            long queueOffset,
            long tagsCode,
            long storeTimeMillis,
            String[] keys)
            implements LogRecord {}

    /**
     * A half message. An earlier half of the same handle is restated (carry-forward): it moves to this position and keeps its checks; whether
     * it waits is stated anew by the record of a check behind it.
     *
     * @param sender the client id of who sent it; empty if not known
     */
    record Half(
            long position,
            int size,
            int frameDelta,
            long handle,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            long storeTimeMillis)
            implements LogRecord {}

    /**
     * A delayed message. An earlier one of the same handle is restated: it moves to this position and due time.
     *
     * @param keys unique key and KEYS tokens; null or empty if none; null elements are skipped
     */
    record Due(
            long position,
            int size,
            int frameDelta,
            long handle,
            long dueMillis,
            String topic,
            int queueId,
            String[] keys,
            long storeTimeMillis)
            implements LogRecord {}

    /** The final decision of a half. The first one counts. */
    record Decided(long position, long handle, Decision outcome, boolean fromCheck, long atMillis, String by)
            implements LogRecord {}

    /** A delayed message became visible; its copy is a VisibleMessage of the same frame. */
    record Fired(long position, long handle) implements LogRecord {}

    /**
     * A delayed message was called back.
     *
     * @param atMillis store time of the frame
     * @param topic of the message; null in records of the first version, which also do not say its keys
     */
    record Cancelled(long position, long handle, long atMillis, String by, String topic, String[] keys)
            implements LogRecord {}

    /** A delayed message has another due time. */
    record Rescheduled(long position, long handle, long dueMillis) implements LogRecord {}

    /**
     * How many checks were delivered so far, and when the next is due.
     *
     * @param client who was asked; empty if this record is of no check
     * @param reason why that one, or nobody
     * @param sender the client id of who sent the half message, learnt meanwhile; empty if nothing is
     * @param atMillis store time of the frame
     */
    record Checked(
            long position,
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            long atMillis)
            implements LogRecord {}

    /** What a client said when it was asked. */
    record Answered(long position, long handle, String client, String answer, long atMillis) implements LogRecord {}

    /** A decision came too late. The last of each kind counts. */
    record Conflict(DecisionConflict conflict) implements LogRecord {
        @Override
        public long position() {
            return conflict.position();
        }
    }

    /** The message of a rolled back transaction is delivered after all; its copy stands in the same frame. */
    record Published(PublishRecord record) implements LogRecord {
        @Override
        public long position() {
            return record.position();
        }
    }

    /** Consumer offsets. */
    record Progress(long position, List<ConsumerOffset> entries) implements LogRecord {}

    /**
     * A topic, group or setting.
     *
     * @param value null deletes
     */
    record Catalog(long position, CatalogKind kind, String name, byte[] value) implements LogRecord {}

    /** Steps of pop states. */
    record Pop(long position, List<PopDelta> deltas) implements LogRecord {}

    /** A whole pop state, restated (carry-forward): it is so, whatever was before. Must not be changed. */
    record PopRestated(long position, PopKey key, PopState state) implements LogRecord {}

    /** A message holds a unique key; also restated (carry-forward), with what was first said of the message. At: the key time then. */
    record Unique(long position, UniqueKey key, FirstMessage first, long atMillis) implements LogRecord {}

    /** What happened to runs of messages. */
    record Journal(long position, List<DeliveryEvent> entries) implements LogRecord {}

    /** All below a position may be missing from now on: retention dropped it, or is about to. */
    record Dropped(long position, long upTo) implements LogRecord {}

    /** The queue's next offset, restated so that offsets never restart after everything of the queue was dropped. */
    record QueueBase(long position, String topic, int queueId, long nextOffset) implements LogRecord {}
}
