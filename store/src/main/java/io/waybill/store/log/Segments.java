/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The segments of the log, oldest first, without a gap. Added to and cut by the one who appends, taken from by retention, read
 * by anyone: each change replaces the array.
 */
final class Segments {
    private final AtomicReference<Segment[]> array;
    // Of the one who adds: what the array becomes, made before it is needed.
    private Segment[] before;
    private Segment[] prepared;

    Segments(Segment[] initial) {
        array = new AtomicReference<>(initial);
    }

    Segment[] all() {
        return array.get();
    }

    Segment oldest() {
        return all()[0];
    }

    Segment newest() {
        Segment[] now = all();
        return now[now.length - 1];
    }

    long bytes() {
        Segment[] now = all();
        return now[now.length - 1].end() - now[0].start();
    }

    /** The segment that holds a position, or null. Recent positions are found first. */
    Segment of(long position) {
        Segment[] now = all();
        for (int i = now.length - 1; i >= 0 && i >= now.length - 3; i--) {
            if (position >= now[i].start()) {
                return position < now[i].end() ? now[i] : null;
            }
        }
        int low = 0;
        int high = now.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (position < now[middle].start()) {
                high = middle - 1;
            } else if (position >= now[middle].end()) {
                low = middle + 1;
            } else {
                return now[middle];
            }
        }
        return null;
    }

    /** Takes the memory that adding this one needs, if none is dropped in between. */
    void prepare(Segment segment) {
        before = all();
        prepared = Arrays.copyOf(before, before.length + 1);
        prepared[before.length] = segment;
    }

    void add(Segment segment) {
        Segment[] made = prepared;
        prepared = null;
        if (made != null && made[made.length - 1] == segment && array.compareAndSet(before, made)) {
            return;
        }
        array.updateAndGet(now -> {
            Segment[] more = Arrays.copyOf(now, now.length + 1);
            more[now.length] = segment;
            return more;
        });
    }

    void removeNewest() {
        array.updateAndGet(now -> Arrays.copyOf(now, now.length - 1));
    }

    void removeOldest() {
        array.updateAndGet(now -> Arrays.copyOfRange(now, 1, now.length));
    }
}
