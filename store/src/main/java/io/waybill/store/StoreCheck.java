/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.LogInspection;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreFormat;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.TimerCancelled;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import io.waybill.store.view.QueueView;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import io.waybill.store.view.ViewsDifference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Verifies a closed store without changing its log: every frame and message, dense and unique queue offsets, store times that
 * never fall, decisions that are first; then, with an own fold of the log that shares no code with the views, that the views
 * say the same as the log.
 */
public final class StoreCheck {
    private static final int MAX_FINDINGS = 100;

    /** One thing that is wrong. The file is relative to the store; offset -1: not at one place. */
    public record StoreDamage(String file, long offset, String text) {
        @Override
        public String toString() {
            return offset < 0 ? file + ": " + text : file + " at byte " + offset + ": " + text;
        }
    }

    /**
     * What was looked at and found.
     *
     * @param tornBytes what a crash left behind the log's end and the next open will cut; no fault
     */
    public record Report(
            List<StoreDamage> findings,
            long oldestPosition,
            long endPosition,
            long frames,
            long visibleMessages,
            long queues,
            long openHalves,
            long pendingDue,
            long tornBytes) {
        public boolean isSound() {
            return findings.isEmpty();
        }
    }

    private final List<StoreDamage> findings = new ArrayList<>();
    private final Map<QueueKey, QueueFold> queues =
            new TreeMap<>((a, b) -> a.topic().equals(b.topic())
                    ? Integer.compare(a.queueId(), b.queueId())
                    : a.topic().compareTo(b.topic()));
    private final Map<Long, Long> halves = new HashMap<>();
    private final Map<Long, Long> dues = new HashMap<>();
    private final Set<Long> decided = new HashSet<>();
    private final Set<Long> rolledBack = new HashSet<>();
    private final Set<Long> published = new HashSet<>();
    private final Map<String, Long> progress = new HashMap<>();
    private final Map<CatalogKind, Map<String, byte[]>> catalog = new HashMap<>();
    private final Map<PopKey, PopState> pops = new HashMap<>();
    /** Topic and key to who holds it. */
    private final Map<List<String>, UniqueKeyClaim> uniques = new HashMap<>();

    private final Map<Long, List<String>> uniqueHandles = new HashMap<>();
    private final long oldest;
    private final long dropped;
    private long visible;
    private long lastStoreTime = Long.MIN_VALUE;
    private long lastKeyTime;

    private static final class QueueFold {
        /** Offset of the first message that is there; -1 if none is. */
        long first = -1;

        long next = -1;
        final List<Long> positions = new ArrayList<>();

        /** Offsets below belong to a topic that was deleted. */
        long hidden;

        void hide() {
            hidden = Math.max(0, next);
        }

        long min() {
            return Math.max(hidden, positions.isEmpty() ? next : first);
        }

        void trimBefore(long position) {
            while (!positions.isEmpty() && positions.get(0) < position) {
                positions.remove(0);
                first++;
            }
        }
    }

    private StoreCheck(long oldest, long dropped) {
        this.dropped = dropped;
        this.oldest = oldest;
    }

    /**
     * Checks the store in this directory.
     *
     * @param backend of the views, closed; null to check the log alone. RocksDB may tidy its own files when it is opened
     * @throws StoreException if the store is in use or cannot be read at all
     */
    public static Report check(Files files, ViewsBackend backend) throws StoreException {
        try (FileLock held = files.lock("lock")) {
            StoreFormat.check(files);
            return checkLocked(files, backend);
        } catch (IOException e) {
            throw new StoreException("the store cannot be checked: " + e.getMessage(), e);
        }
    }

    private static Report checkLocked(Files files, ViewsBackend backend) throws StoreException, IOException {
        long dropped = droppedBelow(backend);
        StoreCheck check = new StoreCheck(LogInspection.oldestPosition(files, dropped), dropped);
        LogInspection.End end = LogInspection.walk(files, dropped, check::frame);
        if (end.damage() != null) {
            check.findings.add(new StoreDamage(
                    end.damage().file(), end.damage().offset(), end.damage().why()));
        } else if (backend != null && end.frames() > 0) {
            check.compareViews(files, backend, end);
        }
        return new Report(
                List.copyOf(check.findings),
                end.oldest(),
                end.end(),
                end.frames(),
                check.visible,
                check.queues.size(),
                check.halves.size(),
                check.dues.size(),
                end.tornBytes());
    }

    /** Where the log starts by the views: segments below it were dropped, and go with the next open if they are still there. */
    private static long droppedBelow(ViewsBackend backend) {
        if (backend == null) {
            return 0;
        }
        try (Views views = Views.open(backend)) {
            return views.forLog().checkpoint().oldestPosition();
        } catch (ViewsDamaged e) {
            return 0; // said when they are compared
        }
    }

    /** One line for every frame and record of the log, for people. */
    public static void dump(Files files, Consumer<String> line) throws StoreException {
        LogInspection.End end = LogInspection.walk(files, (info, entries, bytes, at) -> {
            line.accept("frame " + info.index() + " at " + info.base() + " (" + info.file() + " +" + info.offset()
                    + ") epoch "
                    + info.epoch() + " time " + info.storeTimeMillis() + " length " + info.length() + " records "
                    + info.records());
            for (LogRecord entry : entries) {
                line.accept("  " + describe(entry));
            }
        });
        line.accept("end at " + end.end() + ", " + end.frames() + " frames"
                + (end.tornBytes() > 0 ? ", " + end.tornBytes() + " torn bytes behind" : ""));
        if (end.damage() != null) {
            line.accept(end.damage().getMessage());
        }
    }

    private static String describe(LogRecord entry) {
        if (entry instanceof VisibleMessage m) {
            return "message at " + m.position() + " " + m.topic() + "/" + m.queueId() + " offset " + m.queueOffset()
                    + " size " + m.size() + " time " + m.storeTimeMillis() + " keys " + Arrays.toString(m.keys());
        }
        if (entry instanceof CatalogRecord c) {
            return "Catalog[position=" + c.position() + ", kind=" + c.of() + ", name=" + c.name() + ", "
                    + (c.value() == null ? "deleted" : c.value().length + " bytes") + "]";
        }
        return entry.toString();
    }

    // ---- the fold

    private void frame(LogInspection.FrameInfo info, List<LogRecord> entries, ByteBuffer bytes, int at) {
        if (info.storeTimeMillis() < lastStoreTime) {
            find(
                    info,
                    "the store time " + info.storeTimeMillis() + " is before " + lastStoreTime
                            + " of the frame before");
        }
        lastStoreTime = info.storeTimeMillis();
        for (LogRecord entry : entries) {
            fold(info, entry, bytes, at);
        }
    }

    private void fold(LogInspection.FrameInfo info, LogRecord entry, ByteBuffer bytes, int at) {
        if (entry instanceof VisibleMessage m) {
            message(info, m.position(), m.size(), bytes, at);
            if (m.storeTimeMillis() != info.storeTimeMillis()) {
                find(info, "the message at " + m.position() + " has another store time than its frame");
            }
            visible++;
            QueueFold queue = queues.computeIfAbsent(new QueueKey(m.topic(), m.queueId()), key -> new QueueFold());
            if (queue.next >= 0 ? m.queueOffset() != queue.next : oldest == 0 && m.queueOffset() != 0) {
                find(
                        info,
                        m.topic() + "/" + m.queueId() + " has offset " + m.queueOffset() + " at position "
                                + m.position() + " where " + Math.max(0, queue.next) + " was expected");
            }
            queue.first = queue.first < 0 ? m.queueOffset() : queue.first;
            queue.next = m.queueOffset() + 1;
            queue.positions.add(m.position());
        } else if (entry instanceof HalfMessage h) {
            message(info, h.position(), h.size(), bytes, at);
            halves.put(h.handle(), h.position());
        } else if (entry instanceof DelayedMessage d) {
            message(info, d.position(), d.size(), bytes, at);
            dues.put(d.handle(), d.position());
        } else if (entry instanceof DecisionRecord d) {
            if (d.outcome() == Decision.ROLLBACK) {
                release(d.handle());
                rolledBack.add(d.handle());
            }
            if (!decided.add(d.handle())) {
                find(info, "the transaction " + d.handle() + " is decided twice");
            }
            if (halves.remove(d.handle()) == null && d.handle() >= oldest) {
                find(info, "the transaction " + d.handle() + " is decided but was never there");
            }
        } else if (entry instanceof PublishRecord p) {
            if (!rolledBack.contains(p.handle()) && p.handle() >= oldest) {
                find(info, "the transaction " + p.handle() + " is published but was not rolled back");
            }
            if (!published.add(p.handle())) {
                find(info, "the transaction " + p.handle() + " is published twice");
            }
        } else if (entry instanceof TimerFired f) {
            removeDue(info, f.handle(), "fired");
        } else if (entry instanceof TimerCancelled c) {
            removeDue(info, c.handle(), "cancelled");
            release(c.handle());
        } else if (entry instanceof ConsumerOffsets p) {
            for (ConsumerOffset e : p.entries()) {
                String key = e.group() + '\n' + e.topic() + '\n' + e.queueId();
                if (e.offset() < 0) {
                    progress.remove(key);
                } else {
                    progress.put(key, e.offset());
                }
            }
        } else if (entry instanceof CatalogRecord c) {
            Map<String, byte[]> names = catalog.computeIfAbsent(c.of(), kind -> new TreeMap<>());
            if (c.value() == null) {
                names.remove(c.name());
                if (c.of() == CatalogKind.TOPIC || c.of() == CatalogKind.DELETED_TOPIC) {
                    queues.forEach((key, fold) -> {
                        if (!key.topic().equals(c.name())) {
                            return;
                        }
                        if (c.of() == CatalogKind.TOPIC) {
                            fold.hide();
                        } else {
                            fold.hidden = 0;
                        }
                    });
                }
            } else {
                names.put(c.name(), c.value());
            }
        } else if (entry instanceof PopSteps p) {
            p.deltas().forEach(delta -> delta.changes().forEach(change -> pop(delta.key(), change)));
        } else if (entry instanceof PopSnapshot r) {
            PopState known = pops.put(r.key(), r.state());
            if (oldest == 0 && !r.state().equals(known)) {
                find(info, "the pop state of " + r.key() + " is restated as " + r.state() + " but was " + known);
            }
        } else if (entry instanceof UniqueKeyClaim u) {
            unique(info, u);
        } else if (entry instanceof QueueBase q) {
            QueueFold queue = queues.computeIfAbsent(new QueueKey(q.topic(), q.queueId()), key -> new QueueFold());
            if (queue.next > q.nextOffset()) {
                find(
                        info,
                        q.topic() + "/" + q.queueId() + " is restated at " + q.nextOffset() + " behind " + queue.next);
            }
            queue.next = Math.max(queue.next, q.nextOffset());
        }
    }

    private void unique(LogInspection.FrameInfo info, UniqueKeyClaim entry) {
        List<String> name = List.of(entry.key().topic(), entry.key().key());
        UniqueKeyClaim before = uniques.put(name, entry);
        lastKeyTime = Math.max(lastKeyTime, entry.atMillis());
        if (before != null
                && !before.first().equals(entry.first())
                && before.key().untilMillis() > entry.atMillis()) {
            find(info, "the unique key " + name + " of " + before.first() + " is taken by " + entry.first());
        }
        if (entry.first().queueOffset() < 0) {
            uniqueHandles.put(entry.first().position(), name);
        }
    }

    private void release(long handle) {
        List<String> name = uniqueHandles.remove(handle);
        if (name != null && uniques.get(name).first().position() == handle) {
            uniques.remove(name);
        }
    }

    private void pop(PopKey key, PopChange change) {
        PopState state = pops.get(key);
        if (change instanceof PopChange.Drop) {
            pops.remove(key);
        } else if (state != null) {
            state.apply(change);
        } else if (change instanceof PopChange.Start start) {
            pops.put(key, new PopState(start.base()));
        } else if (change instanceof PopChange.Reset reset) {
            pops.put(key, new PopState(reset.base()));
        }
    }

    private void removeDue(LogInspection.FrameInfo info, long handle, String what) {
        if (dues.remove(handle) == null && handle >= oldest) {
            find(info, "the delayed message " + handle + " is " + what + " but was not pending");
        }
    }

    private void message(LogInspection.FrameInfo info, long position, int size, ByteBuffer bytes, int at) {
        int index = at + (int) (position - info.base());
        String wrong = StoredMessage.verify(bytes, index, index + size);
        if (wrong != null) {
            find(info, "the message at " + position + ": " + wrong);
        } else if (StoredMessage.position(bytes, index) != position) {
            find(info, "the message at " + position + " says it stands at " + StoredMessage.position(bytes, index));
        }
    }

    private void find(LogInspection.FrameInfo info, String text) {
        if (findings.size() < MAX_FINDINGS) {
            findings.add(new StoreDamage(info.file(), info.offset(), text));
        }
    }

    // ---- the views against the fold

    private void compareViews(Files files, ViewsBackend backend, LogInspection.End end) throws StoreException {
        try (Views views = Views.open(backend);
                Views fresh = Views.open(ViewsBackend.memory())) {
            long from = views.forLog().checkpoint().position();
            if (from > end.end()) {
                views("they know the log up to " + from + ", but it ends at " + end.end());
                return;
            }
            boolean rebuilt = from > 0 && from < end.oldest();
            Views checked = rebuilt ? fresh : views;
            LogInspection.walk(files, dropped, (info, entries, bytes, at) -> {
                long frameEnd = info.base() + info.length();
                Checkpoint upTo = new Checkpoint(frameEnd, info.index(), info.epoch(), info.storeTimeMillis(), 0);
                if (frameEnd > from && !rebuilt) {
                    views.forLog().apply(entries, upTo);
                }
                fresh.forLog().apply(entries, upTo);
            });
            // The views trim themselves where a DROPPED record says so; the segment may still be there, and the next
            // open
            // deletes it.
            long floor = checked.forLog().droppedTo();
            queues.values().forEach(queue -> queue.trimBefore(floor));
            String difference = ViewsDifference.between(checked, fresh);
            if (difference != null) {
                views("not the fold of the log: " + difference);
            }
            compare(checked);
        } catch (ViewsDamaged e) {
            views("cannot be read (they may be deleted, the log rebuilds them): " + e.getMessage());
        }
    }

    private void views(String text) {
        if (findings.size() < MAX_FINDINGS) {
            findings.add(new StoreDamage("views", -1, text));
        }
    }

    private void compare(Views views) {
        queues.forEach((key, fold) -> {
            QueueView queue = views.consumeQueues().view(key.topic(), key.queueId());
            long min = fold.min();
            if (queue.max() != fold.next || queue.min() != min) {
                views(key + " is [" + queue.min() + ", " + queue.max() + "), by the log [" + min + ", " + fold.next
                        + ")");
                return;
            }
            int hidden = fold.positions.isEmpty() ? 0 : (int) Math.max(0, min - fold.first);
            int[] seen = {hidden};
            queue.visit(queue.min(), queue.max(), (offset, position, size, delta, tags, time) -> {
                if (fold.positions.get(seen[0]++) != position) {
                    views(key + " offset " + offset + " points at " + position);
                    return false;
                }
                return true;
            });
            if (seen[0] != fold.positions.size()) {
                views(key + " shows " + (seen[0] - hidden) + " messages of " + (fold.positions.size() - hidden));
            }
        });
        Map<Long, Long> open = new HashMap<>();
        for (PendingHalf half : views.transactions().first(Integer.MAX_VALUE)) {
            open.put(half.handle(), half.position());
        }
        same("the open transactions", open, halves);
        Map<PopKey, PopState> states = new HashMap<>();
        views.pops().keys().forEach(key -> states.put(key, views.pops().state(key)));
        same("the pop states", states, pops);
        uniques.values().removeIf(entry -> entry.key().untilMillis() <= lastKeyTime);
        uniques.forEach((name, entry) -> {
            UniqueKeyOwner holder = views.uniqueKeys().get(name.get(0), name.get(1));
            if (holder == null
                    || !holder.key().equals(entry.key())
                    || !holder.first().equals(entry.first())
                    || holder.position() != entry.position()) {
                views("the unique key " + name + " has " + holder + ", by the log " + entry);
            }
        });
        Map<Long, Long> pending = new HashMap<>();
        for (PendingTimer due : views.timers().first(Integer.MAX_VALUE)) {
            pending.put(due.handle(), due.position());
        }
        same("the pending delayed messages", pending, dues);
        Map<String, Long> committed = new HashMap<>();
        for (ConsumerOffset e : views.offsets().all()) {
            committed.put(e.group() + '\n' + e.topic() + '\n' + e.queueId(), e.offset());
        }
        same("the consumer offsets", committed, progress);
        for (CatalogKind kind : CatalogKind.values()) {
            Map<String, byte[]> names = catalog.getOrDefault(kind, Map.of());
            Map<String, byte[]> seen = views.catalog().all(kind);
            boolean same = seen.keySet().equals(names.keySet())
                    && names.entrySet().stream().allMatch(e -> Arrays.equals(e.getValue(), seen.get(e.getKey())));
            if (!same) {
                views("the catalog of " + kind + " differs: " + seen.keySet() + ", by the log " + names.keySet());
            }
        }
    }

    private <K, V> void same(String what, Map<K, V> seen, Map<K, V> byLog) {
        if (!seen.equals(byLog)) {
            views(what + " differ: " + seen + ", by the log " + byLog);
        }
    }
}
