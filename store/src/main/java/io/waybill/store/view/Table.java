/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * One table of the backend with the changes since the last checkpoint in front of it: what readers see is the current
 * generation over the one being written over the backend. Only the applier changes the current generation; the other
 * one never changes. Reads are safe from any thread and see a key as it was at some moment within the call.
 */
final class Table {
    /** A changed key. {@code below} says whether older layers may hold the key, so that its removal must be remembered. */
    private record Slot(byte[] value, boolean below) {}

    private record Layers(ConcurrentNavigableMap<byte[], Slot> current, ConcurrentNavigableMap<byte[], Slot> writing) {}

    private final ViewsBackend backend;
    private final Family family;
    private volatile Layers layers = new Layers(newMap(), newMap());

    Table(ViewsBackend backend, Family family) {
        this.backend = backend;
        this.family = family;
    }

    private static ConcurrentNavigableMap<byte[], Slot> newMap() {
        return new ConcurrentSkipListMap<>(Arrays::compareUnsigned);
    }

    Family family() {
        return family;
    }

    /** The value, or null. */
    byte[] get(byte[] key) {
        Layers seen = layers;
        Slot slot = seen.current.get(key);
        if (slot == null) {
            slot = seen.writing.get(key);
        }
        return slot != null ? slot.value : backend.get(family, key);
    }

    /** Applier only. */
    void put(byte[] key, byte[] value) {
        ConcurrentNavigableMap<byte[], Slot> current = layers.current;
        Slot old = current.get(key);
        current.put(key, new Slot(value, old == null || old.below));
    }

    /** As put, for a key that was never there or is removed: if it is removed again soon, nothing of it is ever written. Applier only. */
    void putNew(byte[] key, byte[] value) {
        ConcurrentNavigableMap<byte[], Slot> current = layers.current;
        Slot old = current.putIfAbsent(key, new Slot(value, false));
        if (old != null) {
            current.put(key, new Slot(value, old.below));
        }
    }

    /** Applier only. */
    void remove(byte[] key) {
        ConcurrentNavigableMap<byte[], Slot> current = layers.current;
        Slot old = current.get(key);
        if (old != null && !old.below) {
            current.remove(key);
        } else {
            current.put(key, new Slot(null, true));
        }
    }

    private static ConcurrentNavigableMap<byte[], Slot> range(
            ConcurrentNavigableMap<byte[], Slot> layer, byte[] from, byte[] to) {
        return to == null ? layer.tailMap(from, true) : layer.subMap(from, true, to, false);
    }

    /** Visits upwards from {@code from} (inclusive) to {@code to} (exclusive, null for the end). */
    void scan(byte[] from, byte[] to, PairVisitor visitor) {
        Layers seen = layers;
        Overlay overlay = new Overlay(range(seen.current, from, to), range(seen.writing, from, to));
        boolean[] stopped = new boolean[1];
        backend.scan(family, from, to, (key, value) -> {
            while (overlay.key != null) {
                int order = Arrays.compareUnsigned(overlay.key, key);
                if (order > 0) {
                    break;
                }
                byte[] changed = overlay.value;
                byte[] changedKey = overlay.key;
                overlay.advance();
                if (changed != null && !visitor.pair(changedKey, changed)) {
                    stopped[0] = true;
                    return false;
                }
                if (order == 0) {
                    return true;
                }
            }
            stopped[0] = !visitor.pair(key, value);
            return !stopped[0];
        });
        while (!stopped[0] && overlay.key != null) {
            byte[] changed = overlay.value;
            byte[] changedKey = overlay.key;
            overlay.advance();
            if (changed != null && !visitor.pair(changedKey, changed)) {
                return;
            }
        }
    }

    void scanPrefix(byte[] prefix, PairVisitor visitor) {
        scan(prefix, Packer.behind(prefix), visitor);
    }

    /** Both generations as one ordered sequence, the current one deciding. */
    private static final class Overlay {
        private final Iterator<Map.Entry<byte[], Slot>> currents;
        private final Iterator<Map.Entry<byte[], Slot>> writings;
        private Map.Entry<byte[], Slot> current;
        private Map.Entry<byte[], Slot> writing;
        byte[] key;
        byte[] value;

        Overlay(ConcurrentNavigableMap<byte[], Slot> current, ConcurrentNavigableMap<byte[], Slot> writing) {
            this.currents = current.entrySet().iterator();
            this.writings = writing.entrySet().iterator();
            this.current = next(currents);
            this.writing = next(writings);
            advance();
        }

        private static Map.Entry<byte[], Slot> next(Iterator<Map.Entry<byte[], Slot>> entries) {
            return entries.hasNext() ? entries.next() : null;
        }

        void advance() {
            if (current == null && writing == null) {
                key = null;
                return;
            }
            int order = current == null
                    ? 1
                    : writing == null ? -1 : Arrays.compareUnsigned(current.getKey(), writing.getKey());
            Map.Entry<byte[], Slot> chosen = order <= 0 ? current : writing;
            key = chosen.getKey();
            value = chosen.getValue().value;
            if (order <= 0) {
                current = next(currents);
            }
            if (order >= 0) {
                writing = next(writings);
            }
        }
    }

    /** Applier; only after the last generation was written. */
    void swap() {
        layers = new Layers(newMap(), layers.current);
    }

    /** Adds the swapped generation to the batch. Duty thread. */
    void write(ViewBatch batch) {
        layers.writing.forEach((key, slot) -> {
            if (slot.value != null) {
                batch.put(family, key, slot.value);
            } else {
                batch.delete(family, key);
            }
        });
    }

    /** The batch is in the backend. Duty thread. */
    void written() {
        if (!layers.writing.isEmpty()) {
            layers = new Layers(layers.current, newMap());
        }
    }
}
