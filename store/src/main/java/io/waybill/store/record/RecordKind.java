/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The kinds of records, a line each: the code in the header, the newest version that is written and read, the type, and who reads the fields.
 * Codes are never used again.
 */
public enum RecordKind {
    HALF(1, 1, HalfMessage.class, HalfMessage::read),
    DELAYED(2, 1, DelayedMessage.class, DelayedMessage::read),
    DECISION(3, 1, DecisionRecord.class, DecisionRecord::read),
    FIRED(4, 1, TimerFired.class, TimerFired::read),
    CANCELLED(5, 1, TimerCancelled.class, TimerCancelled::read),
    RESCHEDULED(6, 1, TimerRescheduled.class, TimerRescheduled::read),
    CHECKED(7, 1, CheckRecord.class, CheckRecord::read),
    OFFSETS(8, 1, ConsumerOffsets.class, ConsumerOffsets::read),
    CATALOG(9, 1, CatalogRecord.class, CatalogRecord::read),
    QUEUE_BASE(10, 1, QueueBase.class, QueueBase::read),
    MARK(11, 1, ClosingMark.class, ClosingMark::read),
    POP(12, 1, PopSteps.class, PopSteps::read),
    POP_STATE(13, 1, PopSnapshot.class, PopSnapshot::read),
    ANSWERED(14, 1, CheckAnswer.class, CheckAnswer::read),
    UNIQUE(15, 1, UniqueKeyClaim.class, UniqueKeyClaim::read),
    DELIVERIES(16, 1, DeliveryEvents.class, DeliveryEvents::read),
    DROPPED(17, 1, Dropped.class, Dropped::read),
    CONFLICT(18, 1, DecisionConflict.class, DecisionConflict::read),
    PUBLISHED(19, 1, PublishRecord.class, PublishRecord::read),
    LOCK(20, 1, QueueLock.class, QueueLock::read),
    SETTLED(21, 1, Settlement.class, Settlement::read),
    RESET(22, 1, PendingReset.class, PendingReset::read);

    /** Reads the fields of a record of one kind; throws {@link UnreadableRecord}, or runs out of bytes, if they are not what it wrote. */
    @FunctionalInterface
    interface Reader {
        HeadedRecord read(RecordReader in);
    }

    private static final RecordKind[] BY_CODE = byCode();

    private final int code;
    private final int version;
    private final Class<? extends HeadedRecord> type;
    private final Reader reader;

    RecordKind(int code, int version, Class<? extends HeadedRecord> type, Reader reader) {
        this.code = code;
        this.version = version;
        this.type = type;
        this.reader = reader;
    }

    public int code() {
        return code;
    }

    public int version() {
        return version;
    }

    public Class<? extends HeadedRecord> type() {
        return type;
    }

    public HeadedRecord read(RecordReader in) {
        return reader.read(in);
    }

    /** The kind of a code, or null when this program knows none. */
    public static RecordKind ofCode(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }

    /** Of the newest kind; one beyond it is of a newer program. */
    public static int lastCode() {
        return BY_CODE.length - 1;
    }

    private static RecordKind[] byCode() {
        int most = 0;
        for (RecordKind kind : values()) {
            most = Math.max(most, kind.code);
        }
        RecordKind[] kinds = new RecordKind[most + 1];
        for (RecordKind kind : values()) {
            kinds[kind.code] = kind;
        }
        return kinds;
    }
}
