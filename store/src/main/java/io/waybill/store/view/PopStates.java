/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.Unpacker;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Pop states: {@code group | topic | queueId 4 -> position of the record that began it 8 | of the last one in it 8 | encoded state}.
 *
 * <p>In memory a generation holds the steps of each key, not its state: the applier only hangs a step on a chain, and each
 * state is encoded once per checkpoint. A reader folds the backend's state and both chains. It
 * skips records that the backend's state holds by then. The duty thread keeps the states it wrote last decoded, within limits.
 */
public final class PopStates {
    private static final int MAX_HOT_STATES = 1_024;
    private static final int MAX_HOT_ITEMS = 200_000;
    private static final Comparator<PopKey> ORDER =
            Comparator.comparing(PopKey::group).thenComparing(PopKey::topic).thenComparing(PopKey::queueId);

    /** One record's part in a state: a whole state, or steps behind those before. */
    private record Step(Step before, long position, List<PopChange> changes, PopState restated) {}

    private record Layers(ConcurrentHashMap<PopKey, Step> current, ConcurrentHashMap<PopKey, Step> writing) {}

    private final ViewsBackend backend;
    private volatile Layers layers = new Layers(new ConcurrentHashMap<>(), new ConcurrentHashMap<>());

    /** Duty thread: what the backend holds, decoded; the one used least lately first. */
    private final LinkedHashMap<PopKey, PopFold> hot = new LinkedHashMap<>(16, 0.75f, true);

    PopStates(ViewsBackend backend) {
        this.backend = backend;
    }

    private static byte[] key(PopKey key) {
        return new Packer(64)
                .text(key.group())
                .text(key.topic())
                .i32(key.queueId())
                .done();
    }

    private static PopKey key(byte[] bytes) {
        Unpacker unpacker = new Unpacker(bytes, 0);
        return new PopKey(unpacker.text(), unpacker.text(), unpacker.i32());
    }

    private static PopFold decode(PopKey key, byte[] value) {
        if (value == null) {
            return new PopFold(key, -1, -1, null);
        }
        Unpacker unpacker = new Unpacker(value, 0);
        return new PopFold(key, unpacker.i64(), unpacker.i64(), PopState.decode(unpacker));
    }

    // ---- applier

    void pop(PopSteps entry) {
        ConcurrentHashMap<PopKey, Step> current = layers.current;
        for (PopDelta delta : entry.deltas()) {
            current.put(delta.key(), new Step(current.get(delta.key()), entry.position(), delta.changes(), null));
        }
    }

    void restated(PopSnapshot entry) {
        layers.current.put(entry.key(), new Step(null, entry.position(), List.of(), entry.state()));
    }

    void swap() {
        layers = new Layers(new ConcurrentHashMap<>(), layers.current);
    }

    // ---- duty thread

    void write(ViewBatch batch) {
        layers.writing.forEach((key, step) -> {
            PopFold fold = hot.get(key);
            if (fold == null) {
                fold = decode(key, backend.get(Family.POP, key(key)));
                hot.put(key, fold);
            }
            fold(step, fold);
            if (fold.state() == null) {
                batch.delete(Family.POP, key(key));
            } else {
                Packer packer = new Packer(64).i64(fold.since()).i64(fold.last());
                fold.state().encode(packer);
                batch.put(Family.POP, key(key), packer.done());
            }
        });
    }

    void written() {
        if (layers.writing.isEmpty()) {
            return;
        }
        layers = new Layers(layers.current, new ConcurrentHashMap<>());
        hot.values().removeIf(fold -> fold.state() == null);
        long items = 0;
        for (PopFold fold : hot.values()) {
            items += fold.state().items();
        }
        Iterator<PopFold> eldest = hot.values().iterator();
        while (hot.size() > MAX_HOT_STATES || items > MAX_HOT_ITEMS) {
            items -= eldest.next().state().items();
            eldest.remove();
        }
    }

    private static void fold(Step last, PopFold fold) {
        ArrayDeque<Step> steps = new ArrayDeque<>();
        long known = fold.last();
        for (Step step = last; step != null && step.position > known; step = step.before) {
            steps.push(step);
        }
        for (Step step : steps) {
            if (step.restated != null) {
                fold.restate(step.position, step.restated);
            }
            fold.steps(step.position, step.changes);
        }
    }

    // ---- readers

    /** A copy; null if there is none. */
    public PopState state(PopKey key) {
        return fold(key).state();
    }

    /** Of all states, sorted. */
    public List<PopKey> keys() {
        return below(Long.MAX_VALUE);
    }

    /** A private copy, with a null state if there is none; with the record it began with, to be folded on. */
    PopFold fold(PopKey key) {
        Layers seen = layers;
        PopFold fold = decode(key, backend.get(Family.POP, key(key)));
        fold(seen.writing.get(key), fold);
        fold(seen.current.get(key), fold);
        return fold;
    }

    /** Those that begin below a position, sorted. */
    List<PopKey> below(long position) {
        Layers seen = layers;
        TreeSet<PopKey> changed = new TreeSet<>(ORDER);
        changed.addAll(seen.writing.keySet());
        changed.addAll(seen.current.keySet());
        TreeSet<PopKey> found = new TreeSet<>(ORDER);
        backend.scan(Family.POP, new byte[0], null, (bytes, value) -> {
            PopKey key = key(bytes);
            if (!changed.contains(key) && new Unpacker(value, 0).i64() < position) {
                found.add(key);
            }
            return true;
        });
        for (PopKey key : changed) {
            long since = fold(key).since();
            if (since >= 0 && since < position) {
                found.add(key);
            }
        }
        return new ArrayList<>(found);
    }

    /**
     * The keys behind one, at most so many, in the order of the backend; with null the first, and before them all those with steps that are not written.
     * So whoever goes on behind the last key each time until there is none sees every state that was there at the beginning, and reads no state.
     */
    public List<PopKey> after(PopKey last, int max) {
        List<PopKey> keys = new ArrayList<>();
        byte[] from = new byte[0];
        if (last == null) {
            Layers seen = layers;
            keys.addAll(seen.writing.keySet());
            keys.addAll(seen.current.keySet());
        } else {
            byte[] seen = key(last);
            from = Arrays.copyOf(seen, seen.length + 1); // the smallest key behind it
        }
        int end = keys.size() + max;
        backend.scan(Family.POP, from, null, (bytes, value) -> {
            keys.add(key(bytes));
            return keys.size() < end;
        });
        return keys;
    }

    /** Null if they are equal, else a sentence that names the first difference. */
    String difference(PopStates other) {
        TreeSet<PopKey> keys = new TreeSet<>(ORDER);
        keys.addAll(below(Long.MAX_VALUE));
        keys.addAll(other.below(Long.MAX_VALUE));
        for (PopKey key : keys) {
            PopFold here = fold(key);
            PopFold there = other.fold(key);
            if (here.since() != there.since() || !Objects.equals(here.state(), there.state())) {
                return "pop state " + key + ": since " + here.since() + " " + here.state() + " here, since "
                        + there.since() + " " + there.state() + " there";
            }
        }
        return null;
    }
}
