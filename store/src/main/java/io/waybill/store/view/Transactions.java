/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.Packer;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Open halves, the decisions of those that are not open any more, and the history of checks. A handle has at most one
 * decision, the first; it is known as long as its record is in the log, and so is each check, the last decision of each kind that came too late, the
 * publication of a rolled back message, and where that message stands.
 *
 * <pre>
 *   0 | handle 8 -> position 8 | size 4 | frameDelta 4 | checks 4 | nextCheck 8 | storeTime 8 | producer group | sender | waits 1
 *   1 | handle 8 -> position 8 | outcome 1 | fromCheck 1 | at 8 | by
 *   2 | handle 8 | position of the record 8 -> number of the check 4 (0: an answer) | at 8 | client | answer | reason 1
 *   3 | handle 8 -> position 8 | size 4 | frameDelta 4 | checks 4 | producer group        half message of a rollback
 *   4 | handle 8 | late outcome 1 -> position 8 | decided outcome 1 | decided at 8 | decided by | fromCheck 1 | at 8 | by | message id | topic
 *       | producer group
 *   5 | handle 8 -> position 8 | at 8 | by                                                published after all
 * </pre>
 */
public final class Transactions {
    private static final int OPEN = 0;
    private static final int DECIDED = 1;
    private static final int EVENT = 2;
    private static final int ROLLED_BACK = 3;
    private static final int CONFLICT = 4;
    private static final int PUBLISHED = 5;

    private final ViewsBackend backend;
    private final Table table;
    private final DueIndex index;
    private volatile long openCount;
    private volatile long oldestPosition;

    Transactions(ViewsBackend backend, Table table, DueIndex index, long openCount, long oldestPosition) {
        this.backend = backend;
        this.table = table;
        this.index = index;
        this.openCount = openCount;
        this.oldestPosition = oldestPosition;
    }

    private static byte[] key(int kind, long handle) {
        return new Packer(9).i8(kind).i64(handle).done();
    }

    private static byte[] encode(PendingHalf half) {
        return new Packer(64)
                .i64(half.position())
                .i32(half.size())
                .i32(half.frameDelta())
                .i32(half.checks())
                .i64(half.nextCheckMillis())
                .i64(half.storeTimeMillis())
                .text(half.producerGroup())
                .text(half.sender())
                .i8(half.waits() ? 1 : 0)
                .done();
    }

    private static PendingHalf half(long handle, byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        return new PendingHalf(
                handle,
                unpacker.i64(),
                unpacker.i32(),
                unpacker.i32(),
                unpacker.i32(),
                unpacker.i64(),
                unpacker.i64(),
                unpacker.text(),
                unpacker.text(),
                unpacker.i8() != 0);
    }

    private static DecisionRecord decision(long handle, byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        return new DecisionRecord(
                handle,
                unpacker.i64(),
                Decision.ofCode(unpacker.i8()),
                unpacker.i8() != 0,
                unpacker.i64(),
                unpacker.text());
    }

    private static DueItem item(PendingHalf half) {
        return new DueItem(half.nextCheckMillis(), half.handle(), DueItem.DueAction.CHECK);
    }

    // ---- applier

    void half(HalfMessage entry) {
        boolean isNew = entry.handle() == entry.position();
        PendingHalf old = isNew ? null : get(entry.handle());
        if (old != null) {
            index.remove(item(old));
        } else {
            openCount++;
        }
        put(
                new PendingHalf(
                        entry.handle(),
                        entry.position(),
                        entry.size(),
                        entry.frameDelta(),
                        old == null ? 0 : old.checks(),
                        entry.firstCheckMillis(),
                        entry.storeTimeMillis(),
                        entry.producerGroup() == null ? "" : entry.producerGroup(),
                        entry.sender(),
                        false),
                isNew);
    }

    private void put(PendingHalf half, boolean isNew) {
        byte[] key = key(OPEN, half.handle());
        if (isNew) {
            table.putNew(key, encode(half));
        } else {
            table.put(key, encode(half));
        }
        index.add(item(half), isNew);
    }

    void decided(DecisionRecord entry) {
        PendingHalf half = get(entry.handle());
        if (half != null) {
            table.remove(key(OPEN, half.handle()));
            index.remove(item(half));
            openCount--;
            if (entry.outcome() == Decision.ROLLBACK) {
                table.put(
                        key(ROLLED_BACK, half.handle()),
                        new Packer(64)
                                .i64(half.position())
                                .i32(half.size())
                                .i32(half.frameDelta())
                                .i32(half.checks())
                                .text(half.producerGroup())
                                .done());
            }
        }
        byte[] key = key(DECIDED, entry.handle());
        if (half != null || table.get(key) == null) {
            table.put(
                    key,
                    new Packer(48)
                            .i64(entry.position())
                            .i8(entry.outcome().code())
                            .i8(entry.fromCheck() ? 1 : 0)
                            .i64(entry.atMillis())
                            .text(entry.by() == null ? "" : entry.by())
                            .done());
        }
    }

    /** Unknown handles are the past of a trimmed log. */
    void checked(CheckRecord entry) {
        if (!entry.client().isEmpty()) {
            event(
                    entry.handle(),
                    entry.position(),
                    entry.count(),
                    entry.atMillis(),
                    entry.client(),
                    "",
                    entry.reason());
        }
        PendingHalf half = get(entry.handle());
        if (half != null) {
            index.remove(item(half));
            put(
                    new PendingHalf(
                            half.handle(),
                            half.position(),
                            half.size(),
                            half.frameDelta(),
                            entry.count(),
                            entry.nextCheckMillis(),
                            half.storeTimeMillis(),
                            half.producerGroup(),
                            entry.sender().isEmpty() ? half.sender() : entry.sender(),
                            entry.reason() == CheckReason.NONE ? half.waits() : entry.reason() == CheckReason.WAITING),
                    false);
        }
    }

    void answered(CheckAnswer entry) {
        event(entry.handle(), entry.position(), 0, entry.atMillis(), entry.client(), entry.answer(), CheckReason.NONE);
    }

    void conflict(DecisionConflict conflict) {
        table.put(
                conflictKey(conflict.handle(), conflict.late()),
                new Packer(256)
                        .i64(conflict.position())
                        .i8(conflict.decided().code())
                        .i64(conflict.decidedMillis())
                        .text(conflict.decidedBy())
                        .i8(conflict.fromCheck() ? 1 : 0)
                        .i64(conflict.atMillis())
                        .text(conflict.by())
                        .text(conflict.messageId())
                        .text(conflict.topic())
                        .text(conflict.producerGroup())
                        .done());
    }

    private static byte[] conflictKey(long handle, Decision late) {
        return new Packer(10).i8(CONFLICT).i64(handle).i8(late.code()).done();
    }

    private static DecisionConflict conflict(byte[] key, byte[] value) {
        Unpacker name = new Unpacker(key, 1);
        long handle = name.i64();
        Decision late = Decision.ofCode(name.i8());
        Unpacker unpacker = new Unpacker(value, 0);
        return new DecisionConflict(
                handle,
                unpacker.i64(),
                Decision.ofCode(unpacker.i8()),
                unpacker.i64(),
                unpacker.text(),
                late,
                unpacker.i8() != 0,
                unpacker.i64(),
                unpacker.text(),
                unpacker.text(),
                unpacker.text(),
                unpacker.text());
    }

    void published(PublishRecord record) {
        table.put(
                key(PUBLISHED, record.handle()),
                new Packer(64)
                        .i64(record.position())
                        .i64(record.atMillis())
                        .text(record.by())
                        .done());
    }

    private void event(
            long handle, long position, int number, long atMillis, String client, String answer, CheckReason reason) {
        table.put(
                new Packer(17).i8(EVENT).i64(handle).i64(position).done(),
                new Packer(64)
                        .i32(number)
                        .i64(atMillis)
                        .text(client)
                        .text(answer)
                        .i8(reason.code())
                        .done());
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    // ---- duty thread

    /** Deletes what is said by records below a position. Before the table's own changes, in the same batch. */
    void clean(ViewBatch batch, long oldest) {
        // All of them stand behind their half, so handles at or above the position need no look.
        for (int kind : new int[] {DECIDED, EVENT, ROLLED_BACK, CONFLICT, PUBLISHED}) {
            backend.scan(Family.TRANSACTIONS, key(kind, 0), key(kind, Math.max(0, oldest)), (key, value) -> {
                if (positionOf(key, value) < oldest) {
                    batch.delete(Family.TRANSACTIONS, key);
                }
                return true;
            });
        }
    }

    /** Where the record stands that a pair is of. */
    private static long positionOf(byte[] key, byte[] value) {
        return key[0] == EVENT ? new Unpacker(key, 9).i64() : new Unpacker(value, 0).i64();
    }

    // ---- readers

    public long openCount() {
        return openCount;
    }

    public PendingHalf get(long handle) {
        byte[] value = table.get(key(OPEN, handle));
        return value == null ? null : half(handle, value);
    }

    public DecisionRecord decisionOf(long handle) {
        byte[] value = table.get(key(DECIDED, handle));
        DecisionRecord decision = value == null ? null : decision(handle, value);
        return decision == null || decision.position() < oldestPosition ? null : decision;
    }

    /** The half message of a rolled back transaction; null if its bytes are no longer in the log. */
    public RolledBack rolledBack(long handle) {
        byte[] key = key(ROLLED_BACK, handle);
        byte[] value = table.get(key);
        if (value == null || !isKept(key, value)) {
            return null;
        }
        Unpacker unpacker = new Unpacker(value, 0);
        return new RolledBack(handle, unpacker.i64(), unpacker.i32(), unpacker.i32(), unpacker.i32(), unpacker.text());
    }

    /** Null if it was not published, or the record is no longer in the log. */
    public PublishRecord published(long handle) {
        byte[] key = key(PUBLISHED, handle);
        byte[] value = table.get(key);
        if (value == null || !isKept(key, value)) {
            return null;
        }
        Unpacker unpacker = new Unpacker(value, 0);
        return new PublishRecord(handle, unpacker.i64(), unpacker.i64(), unpacker.text());
    }

    public DecisionConflict conflict(long handle, Decision late) {
        byte[] key = conflictKey(handle, late);
        byte[] value = table.get(key);
        return value == null || !isKept(key, value) ? null : conflict(key, value);
    }

    public List<DecisionConflict> conflictsOf(long handle) {
        List<DecisionConflict> found = new ArrayList<>();
        table.scanPrefix(key(CONFLICT, handle), (key, value) -> {
            if (isKept(key, value)) {
                found.add(conflict(key, value));
            }
            return true;
        });
        return found;
    }

    /** In handle order, until the visitor has enough. */
    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        table.scanPrefix(
                new byte[] {CONFLICT}, (key, value) -> !isKept(key, value) || visitor.test(conflict(key, value)));
    }

    /** Whether a pair of the table still counts: what is said by records below the oldest position waits for its deletion. */
    boolean isKept(byte[] key, byte[] value) {
        return key[0] == OPEN || positionOf(key, value) >= oldestPosition;
    }

    /** An answer belongs to the latest check of its client that has none. */
    public List<CheckEvent> checksOf(long handle) {
        List<CheckEvent> found = new ArrayList<>();
        table.scanPrefix(key(EVENT, handle), (key, value) -> {
            if (new Unpacker(key, 9).i64() >= oldestPosition) {
                Unpacker unpacker = new Unpacker(value, 0);
                int number = unpacker.i32();
                long atMillis = unpacker.i64();
                String client = unpacker.text();
                String answer = unpacker.text();
                if (number > 0) {
                    CheckReason reason = CheckReason.ofCode(unpacker.i8());
                    found.add(new CheckEvent(atMillis, number, client, reason, null, 0));
                } else {
                    answer(found, atMillis, client, answer);
                }
            }
            return true;
        });
        return found;
    }

    private static void answer(List<CheckEvent> events, long atMillis, String client, String answer) {
        for (int i = events.size() - 1; i >= 0; i--) {
            CheckEvent asked = events.get(i);
            if (asked.client().equals(client) && asked.answerOrNull() == null) {
                events.set(
                        i, new CheckEvent(asked.atMillis(), asked.number(), client, asked.reason(), answer, atMillis));
                return;
            }
        }
        events.add(new CheckEvent(atMillis, 0, client, CheckReason.NONE, answer, atMillis));
    }

    /** In handle order. */
    public List<PendingHalf> first(int max) {
        List<PendingHalf> found = new ArrayList<>();
        if (max > 0) {
            table.scanPrefix(new byte[] {OPEN}, (key, value) -> {
                found.add(half(new Unpacker(key, 1).i64(), value));
                return found.size() < max;
            });
        }
        return found;
    }

    /** The next ones behind a handle, in handle order. */
    public List<PendingHalf> behind(long handle, int max) {
        List<PendingHalf> found = new ArrayList<>();
        if (max > 0 && handle < Long.MAX_VALUE) {
            table.scan(key(OPEN, handle + 1), key(OPEN, Long.MAX_VALUE), (key, value) -> {
                found.add(half(new Unpacker(key, 1).i64(), value));
                return found.size() < max;
            });
        }
        return found;
    }

    /** Those whose message stands below a position. */
    List<PendingHalf> below(long position) {
        List<PendingHalf> found = new ArrayList<>();
        table.scan(key(OPEN, 0), key(OPEN, Math.max(0, position)), (key, value) -> {
            PendingHalf half = half(new Unpacker(key, 1).i64(), value);
            if (half.position() < position) {
                found.add(half);
            }
            return true;
        });
        return found;
    }

    List<DecisionRecord> decisions() {
        List<DecisionRecord> found = new ArrayList<>();
        table.scanPrefix(new byte[] {DECIDED}, (key, value) -> {
            DecisionRecord decision = decision(new Unpacker(key, 1).i64(), value);
            if (decision.position() >= oldestPosition) {
                found.add(decision);
            }
            return true;
        });
        return found;
    }
}
