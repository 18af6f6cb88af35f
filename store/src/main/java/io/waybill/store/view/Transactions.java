/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import java.util.ArrayList;
import java.util.List;

/**
 * Open halves, the decisions of those that are not open any more, and the history of checks. A handle has at most one
 * decision, the first; it is known as long as its record is in the log, and so is each check.
 *
 * <pre>
 *   0 | handle 8 -> position 8 | size 4 | frameDelta 4 | checks 4 | nextCheck 8 | storeTime 8 | producer group
 *   1 | handle 8 -> position 8 | outcome 1 | fromCheck 1 | at 8 | by
 *   2 | handle 8 | position of the record 8 -> number of the check 4 (0: an answer) | at 8 | client | answer
 * </pre>
 */
final class Transactions {
    private static final int OPEN = 0;
    private static final int DECIDED = 1;
    private static final int EVENT = 2;

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
                unpacker.text());
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
        return new DueItem(half.nextCheckMillis(), half.handle(), DueItem.Kind.CHECK);
    }

    // ---- applier

    void half(Entry.Half entry) {
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
                        entry.producerGroup() == null ? "" : entry.producerGroup()),
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

    void decided(Entry.Decided entry) {
        PendingHalf half = get(entry.handle());
        if (half != null) {
            table.remove(key(OPEN, half.handle()));
            index.remove(item(half));
            openCount--;
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
    void checked(Entry.Checked entry) {
        if (!entry.client().isEmpty()) {
            event(entry.handle(), entry.position(), entry.count(), entry.atMillis(), entry.client(), "");
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
                            half.producerGroup()),
                    false);
        }
    }

    void answered(Entry.Answered entry) {
        event(entry.handle(), entry.position(), 0, entry.atMillis(), entry.client(), entry.answer());
    }

    private void event(long handle, long position, int number, long atMillis, String client, String answer) {
        table.put(
                new Packer(17).i8(EVENT).i64(handle).i64(position).done(),
                new Packer(64)
                        .i32(number)
                        .i64(atMillis)
                        .text(client)
                        .text(answer)
                        .done());
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    // ---- duty thread

    /** Deletes decisions and checks whose records stand below a position. Before the table's own changes, in the same batch. */
    void clean(Batch batch, long oldest) {
        // A decision stands behind its half, so handles at or above the position need no look.
        backend.scan(Family.TRANSACTIONS, key(DECIDED, 0), key(DECIDED, Math.max(0, oldest)), (key, value) -> {
            if (new Unpacker(value, 0).i64() < oldest) {
                batch.delete(Family.TRANSACTIONS, key);
            }
            return true;
        });
        backend.scan(Family.TRANSACTIONS, key(EVENT, 0), key(EVENT, Math.max(0, oldest)), (key, value) -> {
            if (new Unpacker(key, 9).i64() < oldest) {
                batch.delete(Family.TRANSACTIONS, key);
            }
            return true;
        });
    }

    // ---- readers

    long openCount() {
        return openCount;
    }

    PendingHalf get(long handle) {
        byte[] value = table.get(key(OPEN, handle));
        return value == null ? null : half(handle, value);
    }

    DecisionRecord decisionOf(long handle) {
        byte[] value = table.get(key(DECIDED, handle));
        DecisionRecord decision = value == null ? null : decision(handle, value);
        return decision == null || decision.position() < oldestPosition ? null : decision;
    }

    /** Whether a pair of the table still counts: decisions and checks below the oldest position wait for their deletion. */
    boolean isKept(byte[] key, byte[] value) {
        return switch (key[0]) {
            case DECIDED -> new Unpacker(value, 0).i64() >= oldestPosition;
            case EVENT -> new Unpacker(key, 9).i64() >= oldestPosition;
            default -> true;
        };
    }

    /** An answer belongs to the latest check of its client that has none. */
    List<CheckEvent> checksOf(long handle) {
        List<CheckEvent> found = new ArrayList<>();
        table.scanPrefix(key(EVENT, handle), (key, value) -> {
            if (new Unpacker(key, 9).i64() >= oldestPosition) {
                Unpacker unpacker = new Unpacker(value, 0);
                int number = unpacker.i32();
                long atMillis = unpacker.i64();
                String client = unpacker.text();
                if (number > 0) {
                    found.add(new CheckEvent(atMillis, number, client, null, 0));
                } else {
                    answer(found, atMillis, client, unpacker.text());
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
                events.set(i, new CheckEvent(asked.atMillis(), asked.number(), client, answer, atMillis));
                return;
            }
        }
        events.add(new CheckEvent(atMillis, 0, client, answer, atMillis));
    }

    /** In handle order. */
    List<PendingHalf> first(int max) {
        List<PendingHalf> found = new ArrayList<>();
        if (max > 0) {
            table.scanPrefix(new byte[] {OPEN}, (key, value) -> {
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
