/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.RandomSource;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.TimerCancelled;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.VisibleMessage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/** A log of random entries that make sense, and its fold in the plainest collections. */
final class ViewsModel {
    record Frame(long base, long end, long index, long storeTimeMillis, List<LogRecord> entries) {}

    record Located<T>(T value, long position) {}

    final RandomSource random;
    final List<Frame> log = new ArrayList<>();
    /** The log with what was dropped. */
    final List<Frame> everything = new ArrayList<>();

    long end;
    long index;
    long now = 1_000_000;
    long oldest;

    final Map<QueueKey, List<VisibleMessage>> queues = new HashMap<>();
    final Map<QueueKey, Long> bases = new HashMap<>();
    final Map<QueueKey, Long> evidence = new HashMap<>();
    final List<VisibleMessage> messages = new ArrayList<>();
    final TreeMap<Long, PendingHalf> halves = new TreeMap<>();
    final TreeMap<Long, DecisionRecord> decisions = new TreeMap<>();
    final TreeMap<Long, RolledBack> rolledBack = new TreeMap<>();
    final TreeMap<Long, PublishRecord> published = new TreeMap<>();
    /** By handle and kind. */
    final TreeMap<String, DecisionConflict> conflicts = new TreeMap<>();

    final TreeMap<Long, PendingTimer> dues = new TreeMap<>();
    final Map<Long, String[]> dueKeys = new HashMap<>();
    final TreeMap<Long, Located<CancelledTimer>> cancelled = new TreeMap<>();
    final TreeMap<Long, List<Located<CheckEvent>>> checks = new TreeMap<>();
    final TreeMap<String, Located<ConsumerOffset>> progress = new TreeMap<>();
    final Map<QueueKey, Long> hidden = new HashMap<>();
    final TreeMap<String, Located<CatalogRecord>> catalog = new TreeMap<>();

    final Map<PopKey, Located<PopState>> pops = new HashMap<>();

    final TreeMap<String, UniqueKeyOwner> uniques = new TreeMap<>();

    final List<Located<DeliveryEvent>> journal = new ArrayList<>();

    private List<LogRecord> building;
    private long base;

    ViewsModel(RandomSource random) {
        this.random = random;
    }

    static String topic(int i) {
        return "topic-" + i;
    }

    static String key(int i) {
        return "key-" + i;
    }

    QueueKey anyQueue() {
        return new QueueKey(topic(random.nextInt(3)), random.nextInt(3));
    }

    long next(QueueKey key) {
        List<VisibleMessage> queue = queues.get(key);
        return queue == null || queue.isEmpty()
                ? bases.getOrDefault(key, 0L)
                : queue.get(queue.size() - 1).queueOffset() + 1;
    }

    private boolean isShown(QueueKey key, VisibleMessage message) {
        return message.position() >= oldest && message.queueOffset() >= hidden.getOrDefault(key, 0L);
    }

    long min(QueueKey key) {
        for (VisibleMessage message : queues.getOrDefault(key, List.of())) {
            if (isShown(key, message)) {
                return message.queueOffset();
            }
        }
        return next(key);
    }

    List<VisibleMessage> kept(QueueKey key) {
        return queues.getOrDefault(key, List.of()).stream()
                .filter(message -> isShown(key, message))
                .toList();
    }

    void begin() {
        building = new ArrayList<>();
        base = end;
        end += 56;
        // Several frames of one millisecond are as usual as pauses.
        now += random.nextInt(3) == 0 ? random.nextInt(2000) : 0;
    }

    Frame finish() {
        Frame frame = new Frame(base, end, index++, now, building);
        log.add(frame);
        everything.add(frame);
        return frame;
    }

    private long place(int size) {
        long position = end;
        end += size;
        return position;
    }

    /** A frame of random entries. */
    Frame frame() {
        begin();
        int count = 1 + random.nextInt(4);
        for (int i = 0; i < count; i++) {
            entry();
        }
        return finish();
    }

    private void entry() {
        switch (random.nextInt(23)) {
            case 0, 1, 2, 3 -> visible(anyQueue());
            case 4 -> {
                QueueKey key = anyQueue();
                for (int i = random.nextInt(300); i >= 0; i--) {
                    visible(key);
                }
            }
            case 5 -> half();
            case 6 -> pick(halves).ifPresent(this::decide);
            case 22 -> pick(decisions).ifPresent(this::after);
            case 7 ->
                pick(halves).ifPresent(handle -> {
                    for (int i = random.nextInt(3); i >= 0; i--) {
                        if (random.nextInt(2) == 0) {
                            answered(handle);
                        } else {
                            checked(handle, halves.get(handle).checks() + 1, later());
                        }
                    }
                });
            case 8, 9 -> due(-1, later());
            case 10 -> pick(dues).ifPresent(this::fire);
            case 11 ->
                pick(dues).ifPresent(handle -> {
                    if (random.nextInt(3) == 0) {
                        long position = place(30);
                        String[] keys = dueKeys.get(handle);
                        building.add(new TimerCancelled(position, handle, now, "someone", topic(0), keys));
                        dues.remove(handle);
                        free(handle);
                        cancelled.put(handle, new Located<>(new CancelledTimer(handle, now, "someone"), position));
                    } else {
                        long dueMillis = later();
                        building.add(new TimerRescheduled(place(30), handle, dueMillis));
                        PendingTimer old = dues.get(handle);
                        dues.put(
                                handle,
                                new PendingTimer(
                                        handle,
                                        old.position(),
                                        old.size(),
                                        old.frameDelta(),
                                        dueMillis,
                                        old.storeTimeMillis(),
                                        old.topic(),
                                        old.queueId()));
                    }
                });
            case 12 -> {
                List<ConsumerOffset> entries = new ArrayList<>();
                for (int i = random.nextInt(3); i >= 0; i--) {
                    QueueKey key = anyQueue();
                    entries.add(new ConsumerOffset(
                            "group-" + random.nextInt(3), key.topic(), key.queueId(), random.nextInt(20) - 1));
                }
                progress(entries);
            }
            case 13, 14, 15 -> pop();
            case 16, 17, 18 -> unique();
            case 19, 20 -> journal();
            default ->
                catalog(
                        CatalogKind.values()[random.nextInt(4)],
                        random.nextInt(2) == 0 ? topic(random.nextInt(3)) : "name-" + random.nextInt(4),
                        random.nextInt(4) == 0 ? null : new byte[] {(byte) random.nextInt(100)});
        }
    }

    /** A message of any kind with a key that is free. */
    private void unique() {
        String key = "unique-" + random.nextInt(12);
        UniqueKeyOwner before = uniques.get(key);
        if (before != null && before.key().untilMillis() > now) {
            return;
        }
        FirstMessage first;
        switch (random.nextInt(3)) {
            case 0 -> {
                half();
                first = new FirstMessage(halves.lastKey(), -1, 0, now);
            }
            case 1 -> {
                due(-1, later());
                first = new FirstMessage(dues.lastKey(), -1, 3, now);
            }
            default -> {
                QueueKey queue = anyQueue();
                visible(queue);
                VisibleMessage message = messages.get(messages.size() - 1);
                first = new FirstMessage(message.position(), message.queueOffset(), queue.queueId(), now);
            }
        }
        unique(new UniqueKey(topic(0), key, now + random.nextInt(10_000)), first);
    }

    private void unique(UniqueKey key, FirstMessage first) {
        long position = place(50);
        building.add(new UniqueKeyClaim(position, key, first, now));
        uniques.put(key.key(), new UniqueKeyOwner(key, first, position));
    }

    private void free(long handle) {
        uniques.values().removeIf(holder -> holder.first().position() == handle);
    }

    private void journal() {
        List<DeliveryEvent> entries = new ArrayList<>();
        long position = place(80);
        for (int i = random.nextInt(4); i >= 0; i--) {
            QueueKey queue = anyQueue();
            long from = random.nextInt(6_000);
            long to = from + 1 + random.nextInt(random.nextInt(3) == 0 ? DeliveryEvent.MAX_SPAN : 40);
            DeliveryEvent entry = new DeliveryEvent(
                    DeliveryEvent.DeliveryKind.values()[random.nextInt(3)],
                    "group-" + random.nextInt(2),
                    queue.topic(),
                    queue.queueId(),
                    from,
                    to,
                    client(),
                    now - random.nextInt(1_000),
                    now);
            entries.add(entry);
            journal.add(new Located<>(entry, position));
        }
        building.add(new DeliveryEvents(position, entries));
    }

    private PopKey anyPop() {
        QueueKey queue = anyQueue();
        return new PopKey("group-" + random.nextInt(2), queue.topic(), queue.queueId() % 2);
    }

    private void pop() {
        List<PopDelta> deltas = new ArrayList<>();
        long position = place(60);
        for (int i = random.nextInt(2); i >= 0; i--) {
            PopKey key = anyPop();
            List<PopChange> changes = new ArrayList<>();
            for (int k = random.nextInt(6); k >= 0; k--) {
                PopChange change = popChange();
                changes.add(change);
                Located<PopState> state = pops.get(key);
                if (change instanceof PopChange.Drop) {
                    pops.remove(key);
                } else if (change instanceof PopChange.Reset reset) {
                    pops.put(key, new Located<>(new PopState(reset.base()), position));
                } else if (state != null) {
                    state.value().apply(change);
                } else if (change instanceof PopChange.Start start) {
                    pops.put(key, new Located<>(new PopState(start.base()), position));
                }
            }
            deltas.add(new PopDelta(key, changes));
        }
        building.add(new PopSteps(position, deltas));
    }

    private PopChange popChange() {
        long offset = random.nextInt(40);
        return switch (random.nextInt(16)) {
            case 0, 1, 2 -> new PopChange.Start(offset / 4);
            case 3 -> new PopChange.Reset(offset);
            case 4 -> new PopChange.Drop();
            case 5, 6, 7, 8, 9 -> new PopChange.Ack(offset, offset + random.nextInt(4));
            default -> new PopChange.Take(offset, now, later(), 1 + random.nextInt(3));
        };
    }

    private long later() {
        return now + random.nextInt(20_000);
    }

    private static Optional<Long> none() {
        return Optional.empty();
    }

    private Optional<Long> pick(TreeMap<Long, ?> map) {
        if (map.isEmpty()) {
            return none();
        }
        List<Long> handles = new ArrayList<>(map.keySet());
        return Optional.of(handles.get(random.nextInt(handles.size())));
    }

    void visible(QueueKey queue) {
        int size = 100 + random.nextInt(50);
        long position = place(size);
        String[] keys = new String[random.nextInt(3)];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = random.nextInt(10) == 0 ? null : key(random.nextInt(40));
        }
        VisibleMessage message = new VisibleMessage(
                position,
                size,
                (int) (position - base),
                queue.topic(),
                queue.queueId(),
                next(queue),
                random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(3) - 1,
                now,
                keys.length == 0 ? null : keys);
        building.add(message);
        queues.computeIfAbsent(queue, k -> new ArrayList<>()).add(message);
        messages.add(message);
        evidence.put(queue, position);
    }

    void half() {
        long position = place(150);
        String sender = client();
        building.add(
                new HalfMessage(position, 150, (int) (position - base), position, "producers", sender, later(), now));
        HalfMessage half = (HalfMessage) building.get(building.size() - 1);
        halves.put(
                position,
                new PendingHalf(
                        position,
                        position,
                        150,
                        half.frameDelta(),
                        0,
                        half.firstCheckMillis(),
                        now,
                        "producers",
                        sender,
                        false));
    }

    void decide(long handle) {
        Decision outcome = Decision.values()[random.nextInt(3)];
        long position = place(40);
        boolean fromCheck = random.nextInt(2) == 0;
        building.add(new DecisionRecord(handle, position, outcome, fromCheck, now, "me"));
        PendingHalf half = halves.remove(handle);
        if (outcome == Decision.ROLLBACK) {
            free(handle);
            rolledBack.put(
                    handle,
                    new RolledBack(
                            handle,
                            half.position(),
                            half.size(),
                            half.frameDelta(),
                            half.checks(),
                            half.producerGroup()));
        }
        decisions.put(handle, new DecisionRecord(handle, position, outcome, fromCheck, now, "me"));
        if (outcome == Decision.COMMIT) {
            visible(anyQueue());
        }
    }

    /** On a decided transaction: a decision that comes too late, or the delivery of what was rolled back. The last one counts. */
    private void after(long handle) {
        long at = place(60);
        if (random.nextInt(2) == 0) {
            Decision late = random.nextInt(2) == 0 ? Decision.COMMIT : Decision.ROLLBACK;
            Decision decided = decisions.get(handle).outcome();
            DecisionConflict conflict = new DecisionConflict(
                    handle, at, decided, now, "me", late, true, now, "you " + at, "m", topic(0), "producers");
            building.add(conflict);
            conflicts.put(handle + "/" + late.code(), conflict);
        } else {
            PublishRecord record = new PublishRecord(handle, at, now, "operator " + at);
            building.add(record);
            published.put(handle, record);
        }
    }

    void checked(long handle, int count, long nextMillis) {
        long at = place(30);
        String client = client();
        CheckReason reason = CheckReason.values()[random.nextInt(5)];
        String sender = client();
        building.add(new CheckRecord(at, handle, count, nextMillis, client, reason, sender, now));
        if (!client.isEmpty()) {
            event(handle, at, new CheckEvent(now, count, client, reason, null, 0));
        }
        PendingHalf old = halves.get(handle);
        halves.put(
                handle,
                new PendingHalf(
                        handle,
                        old.position(),
                        old.size(),
                        old.frameDelta(),
                        count,
                        nextMillis,
                        old.storeTimeMillis(),
                        old.producerGroup(),
                        sender.isEmpty() ? old.sender() : sender,
                        reason == CheckReason.NONE ? old.waits() : reason == CheckReason.WAITING));
    }

    private String client() {
        return random.nextInt(3) == 0 ? "" : "client-" + random.nextInt(2);
    }

    private void event(long handle, long position, CheckEvent event) {
        checks.computeIfAbsent(handle, h -> new ArrayList<>()).add(new Located<>(event, position));
    }

    private void answered(long handle) {
        long position = place(30);
        String client = client();
        building.add(new CheckAnswer(position, handle, client, "UNKNOWN", now));
        event(handle, position, new CheckEvent(now, 0, client, CheckReason.NONE, "UNKNOWN", now));
    }

    /** What {@link Views#checksOf} is to say. */
    List<CheckEvent> checksOf(long handle) {
        List<CheckEvent> found = new ArrayList<>();
        for (Located<CheckEvent> located : checks.getOrDefault(handle, List.of())) {
            CheckEvent event = located.value();
            if (located.position() >= oldest) {
                int asked = -1;
                for (int i = 0; i < found.size() && event.number() == 0; i++) {
                    CheckEvent earlier = found.get(i);
                    asked = earlier.answerOrNull() == null && earlier.client().equals(event.client()) ? i : asked;
                }
                if (asked < 0) {
                    found.add(event);
                } else {
                    CheckEvent check = found.get(asked);
                    found.set(
                            asked,
                            new CheckEvent(
                                    check.atMillis(),
                                    check.number(),
                                    check.client(),
                                    check.reason(),
                                    event.answerOrNull(),
                                    event.atMillis()));
                }
            }
        }
        return found;
    }

    void due(long restated, long dueMillis) {
        long position = place(160);
        long handle = restated < 0 ? position : restated;
        String[] key = restated >= 0 ? dueKeys.get(handle) : new String[random.nextInt(4)];
        for (int i = 0; i < key.length && restated < 0; i++) {
            key[i] = random.nextInt(8) == 0 ? null : key(random.nextInt(40));
        }
        building.add(
                new DelayedMessage(position, 160, (int) (position - base), handle, dueMillis, topic(0), 3, key, now));
        dues.put(handle, new PendingTimer(handle, position, 160, (int) (position - base), dueMillis, now, topic(0), 3));
        dueKeys.put(handle, key);
    }

    void fire(long handle) {
        building.add(new TimerFired(place(20), handle));
        dues.remove(handle);
        visible(anyQueue());
    }

    void progress(List<ConsumerOffset> entries) {
        long position = place(30 * entries.size());
        building.add(new ConsumerOffsets(position, entries));
        for (ConsumerOffset entry : entries) {
            String name = entry.group() + "/" + entry.topic() + "/" + entry.queueId();
            if (entry.offset() < 0) {
                progress.remove(name);
            } else {
                progress.put(name, new Located<>(entry, position));
            }
        }
    }

    void catalog(CatalogKind kind, String name, byte[] value) {
        long position = place(30);
        building.add(new CatalogRecord(position, kind, name, value));
        if (value == null) {
            catalog.remove(kind + "/" + name);
            if (kind == CatalogKind.TOPIC) {
                queues.keySet().stream()
                        .filter(key -> key.topic().equals(name))
                        .forEach(key -> hidden.put(key, next(key)));
            } else if (kind == CatalogKind.DELETED_TOPIC) {
                hidden.keySet().removeIf(key -> key.topic().equals(name));
            }
        } else {
            catalog.put(kind + "/" + name, new Located<>(new CatalogRecord(position, kind, name, value), position));
        }
    }

    /** Restates what is lost with the log below a position, as the store does before it drops a segment. */
    Frame carry(RewriteSet carried) {
        begin();
        for (PendingHalf half : carried.halves()) {
            long position = place(150);
            building.add(new HalfMessage(
                    position,
                    150,
                    (int) (position - base),
                    half.handle(),
                    half.producerGroup(),
                    half.sender(),
                    half.nextCheckMillis(),
                    now));
            halves.put(
                    half.handle(),
                    new PendingHalf(
                            half.handle(),
                            position,
                            150,
                            (int) (position - base),
                            half.checks(),
                            half.nextCheckMillis(),
                            now,
                            half.producerGroup(),
                            half.sender(),
                            false));
            if (half.checks() > 0) {
                checked(half.handle(), half.checks(), half.nextCheckMillis());
            }
        }
        carried.dues().forEach(due -> due(due.handle(), due.dueMillis()));
        if (!carried.progress().isEmpty()) {
            progress(carried.progress());
        }
        carried.catalog().forEach(value -> catalog(value.of(), value.name(), value.value()));
        carried.pops().forEach(key -> {
            long position = place(60);
            PopState state = pops.get(key).value();
            building.add(new PopSnapshot(position, key, state.copy()));
            pops.put(key, new Located<>(state, position));
        });
        carried.uniques().forEach(holder -> unique(holder.key(), holder.first()));
        carried.queueBases().forEach((key, next) -> {
            long position = place(30);
            building.add(new QueueBase(position, key.topic(), key.queueId(), next));
            evidence.put(key, position);
        });
        return finish();
    }

    /** What {@link Views#pendingBefore} is to say if the last unique key was claimed at {@code keyTime}. */
    RewriteSet carried(long position, long keyTime) {
        Map<QueueKey, Long> queueBases = new HashMap<>();
        evidence.forEach((key, at) -> {
            if (at < position) {
                queueBases.put(key, next(key));
            }
        });
        return new RewriteSet(
                halves.values().stream()
                        .filter(half -> half.position() < position)
                        .toList(),
                dues.values().stream().filter(due -> due.position() < position).toList(),
                progress.values().stream()
                        .filter(entry -> entry.position() < position)
                        .map(Located::value)
                        .toList(),
                catalog.values().stream()
                        .filter(entry -> entry.position() < position)
                        .map(Located::value)
                        .toList(),
                List.of(),
                pops.entrySet().stream()
                        .filter(entry -> entry.getValue().position() < position)
                        .map(Map.Entry::getKey)
                        .sorted(Comparator.comparing(PopKey::group)
                                .thenComparing(PopKey::topic)
                                .thenComparing(PopKey::queueId))
                        .toList(),
                uniques.values().stream()
                        .filter(holder ->
                                holder.position() < position && holder.key().untilMillis() > keyTime)
                        .sorted(Comparator.comparing(UniqueKeyOwner::position))
                        .toList(),
                queueBases);
    }

    void drop(long position) {
        oldest = position;
        log.removeIf(frame -> frame.end() <= position);
        decisions.values().removeIf(decision -> decision.position() < position);
        rolledBack.values().removeIf(half -> half.position() < position);
        published.values().removeIf(record -> record.position() < position);
        conflicts.values().removeIf(conflict -> conflict.position() < position);
    }

    List<DueItem> schedule() {
        List<DueItem> items = new ArrayList<>();
        dues.values().forEach(due -> items.add(new DueItem(due.dueMillis(), due.handle(), DueItem.DueAction.DELIVER)));
        halves.values()
                .forEach(
                        half -> items.add(new DueItem(half.nextCheckMillis(), half.handle(), DueItem.DueAction.CHECK)));
        items.sort(Comparator.comparingLong(DueItem::dueMillis)
                .thenComparing(DueItem::handle)
                .thenComparing(DueItem::kind));
        return items;
    }

    /** Positions of messages with the key, newest first. */
    long[] positions(String topic, String key, long before, int max) {
        TreeSet<Long> found = new TreeSet<>(Comparator.reverseOrder());
        for (VisibleMessage message : messages) {
            if (message.position() >= oldest
                    && message.position() < before
                    && message.topic().equals(topic)
                    && message.keys() != null
                    && Arrays.asList(message.keys()).contains(key)) {
                found.add(message.position());
            }
        }
        return found.stream().limit(max).mapToLong(Long::longValue).toArray();
    }
}
