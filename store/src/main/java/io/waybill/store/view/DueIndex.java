/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentSkipListSet;

/**
 * What is to be done when, of both kinds. All items up to {@code bound} (without a bound: all) are in {@code window};
 * the others only in the table. So the head is always known, however far away it is, and memory stays small with
 * millions of timers. An item is exact: it is there from the entry that made it to the entry that ended or moved it.
 *
 * <pre>
 *   0 | dueMillis xor 2^63 8 | handle 8 | kind 1 -> nothing      (in the family due)
 * </pre>
 */
final class DueIndex {
    static final int PREFIX = 0;
    /** Items loaded when the window runs empty, and items it may grow to. */
    private static final int PAGE = 2048;

    private static final int LIMIT = 32 * 1024;
    private static final byte[] NOTHING = new byte[0];
    private static final Comparator<DueItem> ORDER = (a, b) -> {
        int order = Long.compare(a.dueMillis(), b.dueMillis());
        if (order == 0) {
            order = Long.compare(a.handle(), b.handle());
        }
        return order != 0 ? order : a.kind().compareTo(b.kind());
    };
    private static final DueItem BEFORE_ALL = new DueItem(Long.MIN_VALUE, 0, DueItem.DueAction.DELIVER);
    private static final Runnable NOBODY = () -> {};

    private final Table table;
    private final int pageItems;
    private final int windowItems;
    private final ConcurrentSkipListSet<DueItem> window = new ConcurrentSkipListSet<>(ORDER);
    /** The last item of the window's span; null if the window holds all. Changed by the applier only. */
    private volatile DueItem bound = BEFORE_ALL;

    private volatile long nextDueMillis;
    private volatile Runnable wake = NOBODY;
    /** Applier only: items in the window, which cannot count itself in O(1). */
    private int size;

    /** Applier only: whether the head may have moved. */
    private boolean changed;

    DueIndex(Table table) {
        this(table, PAGE, LIMIT);
    }

    DueIndex(Table table, int pageItems, int windowItems) {
        this.table = table;
        this.pageItems = pageItems;
        this.windowItems = windowItems;
        refill();
        nextDueMillis = window.isEmpty() ? Long.MAX_VALUE : window.first().dueMillis();
    }

    private static byte[] key(DueItem item) {
        return new Packer(18)
                .i8(PREFIX)
                .i64(item.dueMillis() ^ Long.MIN_VALUE)
                .i64(item.handle())
                .i8(item.kind().ordinal())
                .done();
    }

    static DueItem item(byte[] key) {
        Unpacker unpacker = new Unpacker(key, 1);
        long dueMillis = unpacker.i64() ^ Long.MIN_VALUE;
        return new DueItem(
                dueMillis, unpacker.i64(), unpacker.i8() == 0 ? DueItem.DueAction.DELIVER : DueItem.DueAction.CHECK);
    }

    void onEarlier(Runnable wake) {
        this.wake = Objects.requireNonNull(wake);
    }

    // ---- applier

    void add(DueItem item, boolean isNew) {
        byte[] key = key(item);
        if (isNew) {
            table.putNew(key, NOTHING);
        } else {
            table.put(key, NOTHING);
        }
        DueItem last = bound;
        if (last == null || ORDER.compare(item, last) <= 0) {
            if (window.add(item)) {
                changed = true;
                sizeChanged(1);
            }
        }
    }

    void remove(DueItem item) {
        table.remove(key(item));
        if (window.remove(item)) {
            changed = true;
            sizeChanged(-1);
        }
    }

    private void sizeChanged(int by) {
        size += by;
        if (size > windowItems) {
            // The bound moves down first: a reader then looks for the rest in the table.
            int keep = windowItems / 2;
            DueItem last = null;
            for (DueItem item : window) {
                last = item;
                if (--keep == 0) {
                    break;
                }
            }
            bound = last;
            window.tailSet(last, false).clear();
            size = window.size();
        } else if (size == 0 && bound != null) {
            refill();
        }
    }

    private void refill() {
        List<DueItem> page = page(bound, pageItems);
        window.addAll(page);
        size = page.size();
        bound = size < pageItems ? null : page.get(size - 1);
    }

    /** The first items behind one, in the table. */
    private List<DueItem> page(DueItem behind, int max) {
        List<DueItem> page = new ArrayList<>();
        table.scan(key(behind), new byte[] {PREFIX + 1}, (key, value) -> {
            DueItem item = item(key);
            if (ORDER.compare(item, behind) > 0) {
                page.add(item);
            }
            return page.size() < max;
        });
        return page;
    }

    /** After the entries of a frame: publishes the head. */
    void publish() {
        if (changed) {
            changed = false;
            long next = window.isEmpty() ? Long.MAX_VALUE : window.first().dueMillis();
            long before = nextDueMillis;
            nextDueMillis = next;
            if (next < before) {
                wake.run();
            }
        }
    }

    // ---- readers

    long nextDueMillis() {
        return nextDueMillis;
    }

    DueBatch upTo(long nowMillis, int max) {
        DueItem earlierBound = bound;
        List<DueItem> items = new ArrayList<>();
        DueItem last = null;
        for (DueItem item : window) {
            if (item.dueMillis() > nowMillis || items.size() >= max) {
                return new DueBatch(items, item.dueMillis());
            }
            items.add(item);
            last = item;
        }
        // The window may have shrunk or been filled meanwhile: from the lower of both bounds on the table decides.
        DueItem laterBound = bound;
        DueItem windowEnd = earlierBound == null || laterBound != null && ORDER.compare(laterBound, earlierBound) < 0
                ? laterBound
                : earlierBound;
        if (windowEnd == null) {
            return new DueBatch(items, Long.MAX_VALUE);
        }
        DueItem behind = last == null || ORDER.compare(last, windowEnd) < 0 ? windowEnd : last;
        for (DueItem item : page(behind, Math.max(1, max - items.size() + 1))) {
            if (item.dueMillis() > nowMillis || items.size() >= max) {
                return new DueBatch(items, item.dueMillis());
            }
            items.add(item);
        }
        return new DueBatch(items, Long.MAX_VALUE);
    }
}
