/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * The changes of retention: each writes again at the end of the log what the segment that is to be dropped says. It was gathered outside the writer's
 * role, so it is judged again inside: what a later record, applied or in flight, says better is not written again.
 */
final class Rewrites {
    private Rewrites() {}

    /** What frames that are not applied yet say; asked inside the writer's role. */
    interface UnappliedLog {
        /** In the order of the log. Some of it may be applied by now. */
        void forEach(Consumer<LogRecord> visitor);

        default boolean any(Predicate<LogRecord> test) {
            boolean[] found = new boolean[1];
            forEach(record -> found[0] |= test.test(record));
            return found[0];
        }
    }

    /** Nothing is left to write: an ordinary outcome. */
    private static Refused superseded() {
        return new Refused(Refused.Reason.NOT_FOUND, "a later record says it", null);
    }

    private static Stored rewritten(FrameBuilder frame, LogWrite change, long handle) {
        return new Stored(frame.base(), -1, frame.storeTimeMillis(), change.size(), handle);
    }

    static final class OpenHalf extends LogWrite {
        private final PendingHalf half;
        private final ByteBuffer message;
        private final int mostSize;
        private PendingHalf now;

        OpenHalf(PendingHalf half, ByteBuffer message, Completion done) {
            super(done);
            this.half = half;
            this.message = message;
            // With room for the checks, whether or not there were any.
            this.mostSize = record(half).bytesBefore()
                    + message.remaining()
                    + checks(half).size();
        }

        private static HalfMessage record(PendingHalf half) {
            return new HalfMessage(half.producerGroup(), half.sender(), half.nextCheckMillis());
        }

        private static CheckRecord checks(PendingHalf half) {
            return new CheckRecord(
                    -1,
                    half.handle(),
                    half.checks(),
                    half.nextCheckMillis(),
                    "",
                    half.waits() ? CheckReason.WAITING : CheckReason.NONE,
                    "",
                    0);
        }

        @Override
        int size() {
            return mostSize;
        }

        @Override
        Refused judge(Pending pending) {
            now = pending.half(half.handle());
            return now == null
                            || now.position() != half.position()
                            || !now.sender().equals(half.sender())
                            || pending.inFlight()
                                    .any(record ->
                                            record instanceof CheckRecord checked && checked.handle() == half.handle())
                    ? superseded()
                    : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.rewritten(record(now), half.handle(), message);
            if (now.checks() > 0 || now.waits()) {
                frame.add(checks(now));
            }
            return rewritten(frame, this, half.handle());
        }
    }

    static final class Timer extends LogWrite {
        private final PendingTimer timer;
        private final ByteBuffer message;
        private long dueMillis;

        Timer(PendingTimer timer, ByteBuffer message, Completion done) {
            super(done);
            this.timer = timer;
            this.message = message;
        }

        @Override
        int size() {
            return DelayedMessage.BYTES_BEFORE + message.remaining();
        }

        @Override
        Refused judge(Pending pending) {
            dueMillis = pending.due(timer.handle());
            return dueMillis < 0 ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.rewritten(DelayedMessage.of(dueMillis, message), timer.handle(), message);
            return rewritten(frame, this, timer.handle());
        }
    }

    /** Offsets of which a newer value is known are left out when it is encoded. */
    static final class Offsets extends LogWrite {
        private final List<ConsumerOffset> entries;
        private final int size;

        Offsets(List<ConsumerOffset> entries, Completion done) {
            super(done);
            this.entries = entries;
            this.size = new ConsumerOffsets(-1, entries).size();
        }

        @Override
        int size() {
            return size;
        }

        private List<ConsumerOffset> current(Pending pending) {
            List<ConsumerOffset> current = new ArrayList<>(entries.size());
            for (ConsumerOffset entry : entries) {
                if (pending.views().progress(entry.group(), entry.topic(), entry.queueId()) == entry.offset()
                        && !pending.inFlight().any(record -> isOf(record, entry))) {
                    current.add(entry);
                }
            }
            return current;
        }

        private static boolean isOf(LogRecord record, ConsumerOffset key) {
            return record instanceof ConsumerOffsets offsets
                    && offsets.entries().stream()
                            .anyMatch(e -> e.queueId() == key.queueId()
                                    && e.group().equals(key.group())
                                    && e.topic().equals(key.topic()));
        }

        @Override
        Refused judge(Pending pending) {
            return current(pending).isEmpty() ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.stored(frame.add(new ConsumerOffsets(-1, current(pending))));
        }
    }

    static final class Catalog extends LogWrite {
        private final CatalogRecord value;

        Catalog(CatalogRecord value, Completion done) {
            super(done);
            this.value = value;
        }

        @Override
        int size() {
            return value.size();
        }

        @Override
        Refused judge(Pending pending) {
            boolean same = Arrays.equals(pending.views().catalog(value.of(), value.name()), value.value());
            return same && !pending.inFlight().any(this::isOf) ? null : superseded();
        }

        private boolean isOf(LogRecord record) {
            return record instanceof CatalogRecord other
                    && other.of() == value.of()
                    && other.name().equals(value.name());
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.stored(frame.add(value));
        }
    }

    static final class LatestState extends LogWrite {
        private final StateRecord record;

        LatestState(StateRecord record, Completion done) {
            super(done);
            this.record = record;
        }

        @Override
        int size() {
            return record.size();
        }

        @Override
        Refused judge(Pending pending) {
            // Some of what is in flight is applied by now; the record itself may be among it.
            return pending.views().positionOf(record) != record.position()
                            || pending.inFlight()
                                    .any(later -> later.position() > record.position() && record.isReplacedBy(later))
                    ? superseded()
                    : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.stored(frame.add(record));
        }
    }

    /** A whole pop state as of this record: what the views know, and the steps in flight on top. */
    static final class Pop extends LogWrite {
        private static final long USUAL_BYTES = 1024;

        private final PopKey key;
        private final long below;
        private PopSnapshot snapshot;

        /** Unless a record at or above the position {@code below} began it anew. */
        Pop(PopKey key, long below, Completion done) {
            super(done);
            this.key = key;
            this.below = below;
        }

        @Override
        int size() {
            return snapshot.size();
        }

        /** The state is looked up when it is its turn. */
        @Override
        long weight() {
            return USUAL_BYTES + key.group().length() + key.topic().length();
        }

        @Override
        Refused judge(Pending pending) {
            PopFold fold = pending.views().popFold(key);
            pending.inFlight().forEach(fold::entry);
            if (fold.state() == null || fold.since() >= below) {
                return superseded();
            }
            snapshot = new PopSnapshot(-1, key, fold.state());
            return null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.add(snapshot);
            return rewritten(frame, this, 0);
        }
    }

    /** Unique keys whose time is not past. Those that were set free or taken anew are left out. */
    static final class Uniques extends LogWrite {
        private final List<UniqueKeyOwner> holders;
        private final int size;
        private List<UniqueKeyOwner> current;

        Uniques(List<UniqueKeyOwner> holders, Completion done) {
            super(done);
            this.holders = holders;
            long total = 0;
            for (UniqueKeyOwner holder : holders) {
                total += UniqueKeyClaim.sizeOf(holder.key());
            }
            this.size = (int) Math.min(Integer.MAX_VALUE, total);
        }

        @Override
        int size() {
            return size;
        }

        @Override
        Refused judge(Pending pending) {
            current = holders.stream().filter(pending::isHolder).toList();
            return current.isEmpty() ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            for (UniqueKeyOwner holder : current) {
                // Noted, so that a rollback, a cancellation or another restatement in flight sees it.
                Appends.Unique.hold(holder.key(), holder.first(), frame, pending);
            }
            return rewritten(frame, this, 0);
        }
    }

    static final class Base extends LogWrite {
        private final QueueBase unplaced;

        Base(QueueKey queue, Completion done) {
            super(done);
            this.unplaced = new QueueBase(-1, queue.topic(), queue.queueId(), 0);
        }

        @Override
        int size() {
            return unplaced.size();
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.add(new QueueBase(
                    -1, unplaced.topic(), unplaced.queueId(), frame.nextOffset(unplaced.topic(), unplaced.queueId())));
            return rewritten(frame, this, 0);
        }
    }
}
