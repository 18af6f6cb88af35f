/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.HashMap;
import java.util.Map;

/**
 * The newest value of each key, of frames that are not applied yet, in the order of the frames. What was noted since the mark
 * can be taken back, also after an out of memory in the middle of {@link #put}: the chain needs no memory of its own. One
 * thread at a time.
 */
final class Notes<K, V> {
    private final Map<K, Note<K, V>> newest = new HashMap<>();
    private Note<K, V> first;
    private Note<K, V> last;
    /** The last one before the mark; null if none is left of those. */
    private Note<K, V> marked;

    private static final class Note<K, V> {
        final K key;
        final long frameIndex;
        final V value;
        Note<K, V> before;
        Note<K, V> after;
        /** What it replaced, until the next mark. */
        Note<K, V> replaced;

        Note(K key, long frameIndex, V value) {
            this.key = key;
            this.frameIndex = frameIndex;
            this.value = value;
        }
    }

    boolean isEmpty() {
        return first == null;
    }

    V get(K key) {
        Note<K, V> note = newest.get(key);
        return note == null ? null : note.value;
    }

    void put(K key, long frameIndex, V value) {
        Note<K, V> note = new Note<>(key, frameIndex, value);
        note.before = last;
        if (last == null) {
            first = note;
        } else {
            last.after = note;
        }
        last = note;
        note.replaced = newest.get(key);
        newest.put(key, note);
    }

    void mark() {
        for (Note<K, V> note = marked == null ? first : marked.after; note != null; note = note.after) {
            note.replaced = null;
        }
        marked = last;
    }

    void rollBack() {
        while (last != marked) {
            Note<K, V> undone = last;
            last = undone.before;
            if (last == null) {
                first = null;
            } else {
                last.after = null;
            }
            if (undone.replaced == null) {
                newest.remove(undone.key, undone);
            } else {
                newest.replace(undone.key, undone, undone.replaced);
            }
        }
    }

    /** Forgets those of frames up to this index. Nothing may be rolled back beyond it. */
    void prune(long appliedIndex) {
        while (first != null && first.frameIndex <= appliedIndex) {
            Note<K, V> gone = first;
            first = gone.after;
            if (first == null) {
                last = null;
            } else {
                first.before = null;
            }
            if (marked == gone) {
                marked = null;
            }
            newest.remove(gone.key, gone);
        }
    }
}
