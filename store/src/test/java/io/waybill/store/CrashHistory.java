/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.BatchStored;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Refused;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.StoreState;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.ViewsBackend;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * One random life story of a store on a simulated disk: some lives of random changes, each ended by a clean close, a kill, or
 * a power cut at a random changing call, possibly inside recovery. After each the store must show exactly what was
 * acknowledged, plus some prefix of what was not. Everything follows from the seed.
 */
final class CrashHistory {
    /** Thrown out of a changing call: the process ends here. */
    private static final class PowerCut extends Error {
        PowerCut() {
            super("power cut", null, false, false);
        }
    }

    private enum State {
        NOWHERE,
        HALF,
        DUE,
        VISIBLE
    }

    /** An acknowledged (or, after a crash, observed) state of an item. */
    private record Fact(State state, long position, long handle, long offset) {}

    /** One message body through all its forms. */
    private static final class Item {
        final int id;
        final List<Fact> facts = new ArrayList<>();
        /** What changes without an answer would make of it. */
        final Set<State> possible = new HashSet<>();

        boolean busy;
        /** Due times it was given by changes without an answer. */
        final List<Long> moving = new ArrayList<>();
        /** Whether it was put with a key of its own. */
        boolean unique;

        Item(int id) {
            this.id = id;
            facts.add(new Fact(State.NOWHERE, -1, 0, -1));
        }

        Fact last() {
            return facts.get(facts.size() - 1);
        }
    }

    /** A value that is set again and again: a consumer offset or a catalog entry. */
    private static final class Cell {
        final List<long[]> facts = new ArrayList<>(); // value, position
        /** Ordinal and value of each change without an answer. */
        final List<long[]> possible = new ArrayList<>();

        Cell() {
            facts.add(new long[] {-1, -1});
        }
    }

    private final long seed;
    private final RandomSource random;
    private final SimulatedClock clock = new SimulatedClock();
    private final MemoryBackend backend = ViewsBackend.memory();
    private final StoreSettings settings;
    private final boolean sync;
    private SimulatedFiles files;
    private SimulatedDuties duties;
    private Store store;

    private final List<Item> items = new ArrayList<>();
    private final Map<String, Cell> cells = new TreeMap<>();
    private long ordinals;
    private boolean countdownOn;
    private long countdown;
    private long flushedAtEnd;
    private boolean dead;
    private String wrong;

    /** What happened, for the test to see that something did. */
    int crashes;

    int lives;
    int acknowledged;
    int published;
    int survivedUnacknowledged;
    int segmentsDropped;
    int frozen;
    int diskFull;

    CrashHistory(long seed) {
        this.seed = seed;
        random = RandomSource.seeded(seed);
        files = new SimulatedFiles(RandomSource.seeded(seed + 1));
        sync = random.happens(0.7);
        settings = StoreSettings.defaults()
                .withFlush(sync ? FlushMode.SYNC : FlushMode.ASYNC)
                .withSegmentBytes(4096L * (1 + random.nextInt(4)))
                .withMaxFrameBytes(1024 + random.nextInt(3000))
                .withHotBytes(random.nextInt(3) * 8192L)
                .withMaxWaiting(1024)
                .withAsyncFlushMillis(1 + random.nextInt(300))
                .withCheckpoint(4096 + random.nextInt(20_000), 1 + random.nextInt(2_000))
                .withRetention(
                        random.happens(0.2) ? 1_000 + random.nextInt(5_000) : 0,
                        random.happens(0.4) ? 12_000 + random.nextInt(40_000) : 0,
                        0,
                        100 + random.nextInt(1_000));
    }

    void run() {
        try {
            int count = 1 + random.nextInt(4);
            for (int life = 0; life < count; life++) {
                live();
                check(wrong == null, wrong);
            }
        } catch (Throwable e) {
            throw new AssertionError("history " + seed + " (" + settings + "): " + e.getMessage(), e);
        }
    }

    private void live() throws Exception {
        lives++;
        open(false);
        verify();
        String once = digest();
        if (random.happens(0.3)) {
            // Recovered, then cut off at once, perhaps inside the next recovery: the same again.
            end(random.happens(0.5));
            open(true);
            String twice = digest();
            check(once.equals(twice), "recovery twice is not once:\n" + once + "\n" + twice);
        }
        absorb();
        if (random.happens(0.15)) {
            files.faults().failAt(1 + random.nextInt(60), random.happens(0.7) ? Fault.EIO : Fault.ENOSPC);
        }
        boolean full = random.happens(0.1);
        if (full) {
            files.disk().capacityBytes(files.disk().usedBytes() + random.nextInt(20_000));
        }
        if (random.happens(0.5)) {
            startCountdown(1 + random.nextInt(80));
        }
        boolean powerCut = false;
        try {
            int ops = 3 + random.nextInt(50);
            for (int i = 0; i < ops && !dead; i++) {
                change();
                wander();
                if (full && random.happens(0.05)) {
                    files.disk().capacityBytes(Long.MAX_VALUE);
                    full = false;
                }
            }
            segmentsDropped += (int) store.status().statistics().segmentsDropped();
            frozen += store.status().state().isOpen() ? 0 : 1;
            if (random.happens(0.3)) {
                countdownOn = random.happens(0.5);
                duties.runUntilIdle();
                store.close();
                flushedAtEnd = store.status().positions().flushed();
                boolean clean = store.status().state().kind() == StoreState.StoreMode.CLOSED;
                files = files.disk().kill();
                soundnessAfterClose(clean);
                return;
            }
        } catch (PowerCut e) {
            powerCut = true;
        } finally {
            countdownOn = false;
            files.disk().capacityBytes(Long.MAX_VALUE);
            files.faults().heal();
        }
        end(powerCut || random.happens(0.6));
    }

    private void soundnessAfterClose(boolean clean) throws StoreException {
        StoreCheck.Report report = StoreCheck.check(files.disk().copy(), backend);
        check(report.isSound(), "after close: " + report.findings());
        check(!clean || report.tornBytes() == 0, "a clean close left torn bytes");
        dead = false;
    }

    // ---- the end of a process

    private void end(boolean powerCut) throws Exception {
        crashes++;
        flushedAtEnd = store == null ? 0 : store.status().positions().flushed();
        if (powerCut) {
            files = files.disk().crash(random);
            backend.crash();
        } else {
            files = files.disk().kill();
        }
        lostWithPower = powerCut;
        StoreCheck.Report report = StoreCheck.check(files.disk().copy(), backend);
        check(report.isSound(), "before recovery: " + report.findings());
    }

    private boolean lostWithPower;

    private void startCountdown(int calls) {
        countdownOn = true;
        countdown = calls;
    }

    private void open(boolean mayFail) throws Exception {
        while (true) {
            dead = false;
            files.faults().beforeEachChange(() -> {
                if (countdownOn && --countdown <= 0) {
                    throw new PowerCut();
                }
            });
            duties = new SimulatedDuties(clock, random);
            if (mayFail && random.happens(0.3)) {
                startCountdown(1 + random.nextInt(6));
            }
            try {
                store = Store.open(files, new Platform(clock, random, duties), settings, backend);
                countdownOn = false;
                return;
            } catch (PowerCut e) {
                countdownOn = false;
                mayFail = false;
                store = null;
                boolean was = lostWithPower;
                long flushed = flushedAtEnd;
                end(true);
                flushedAtEnd = flushed;
                lostWithPower = was;
            }
        }
    }

    // ---- changes

    private void wander() {
        int steps = random.nextInt(4);
        for (int i = 0; i < steps; i++) {
            duties.step();
        }
        if (random.happens(0.15)) {
            duties.runUntilIdle();
        }
        if (random.happens(0.1)) {
            duties.advance(random.nextInt(1_500));
        }
    }

    private void change() {
        switch (random.nextInt(18)) {
            case 17 -> publish();
            case 0, 1, 2 -> {
                Item item = item();
                store.messages().append(draft(item), becomes(item, State.VISIBLE));
            }
            case 3 -> batch();
            case 4 -> {
                Item item = item();
                store.transactions()
                        .appendHalf(
                                null,
                                draft(item),
                                "g" + random.nextInt(2),
                                "",
                                clock.wallMillis() + random.nextInt(5_000),
                                becomes(item, State.HALF));
            }
            case 5 -> {
                Item item = item();
                store.timers()
                        .appendTimer(
                                null,
                                draft(item),
                                clock.wallMillis() + random.nextInt(5_000),
                                becomes(item, State.DUE));
            }
            case 6, 7 -> decide();
            case 8 -> fire();
            case 9 -> cancelOrMove();
            case 10 -> {
                List<ConsumerOffset> entries = new ArrayList<>();
                List<Cell> set = new ArrayList<>();
                int count = 1 + random.nextInt(3);
                for (int i = 0; i < count; i++) {
                    ConsumerOffset e = new ConsumerOffset("g" + random.nextInt(2), "t" + i, 0, random.nextInt(1_000));
                    entries.add(e);
                    set.add(cell("p " + e.group() + " " + e.topic()));
                }
                store.offsets()
                        .commitOffsets(
                                entries,
                                sets(
                                        set,
                                        entries.stream()
                                                .map(ConsumerOffset::offset)
                                                .toList()));
            }
            case 11, 12 -> pop();
            case 13, 14 -> unique();
            case 15 -> {
                long from = random.nextInt(50);
                store.deliveries()
                        .recordDeliveries(
                                List.of(new DeliveryEvent(
                                        DeliveryEvent.DeliveryKind.DELIVERED, "g", "t0", 0, from, from + 3, "c", 1, 2)),
                                Completion.NONE);
            }
            default -> {
                int name = random.nextInt(3);
                boolean delete = random.happens(0.2);
                int value = random.nextInt(1_000);
                byte[] bytes =
                        delete ? null : ByteBuffer.allocate(4).putInt(value).array();
                store.catalog()
                        .putCatalog(
                                CatalogKind.TOPIC,
                                "c" + name,
                                bytes,
                                sets(List.of(cell("c c" + name)), List.of(delete ? -1L : (long) value)));
            }
        }
    }

    private void batch() {
        int count = 1 + random.nextInt(4);
        List<Item> batch = new ArrayList<>();
        List<MessageDraft> drafts = new ArrayList<>();
        int queueId = random.nextInt(2);
        for (int i = 0; i < count; i++) {
            Item item = item();
            batch.add(item);
            drafts.add(draft(item, "t0", queueId));
            item.possible.add(State.VISIBLE);
            item.busy = true;
        }
        store.messages().appendBatch(drafts, outcome -> {
            long position = outcome instanceof Stored stored ? stored.position() : 0;
            long offset = outcome instanceof Stored stored ? stored.queueOffset() : 0;
            for (int i = 0; i < batch.size(); i++) {
                Item item = batch.get(i);
                if (outcome instanceof Stored) {
                    settle(item, new Fact(State.VISIBLE, position, 0, offset + i));
                    position += drafts.get(i).size();
                } else {
                    failed(item, State.VISIBLE, (Failed) outcome);
                }
            }
        });
    }

    /**
     * A message with a key of its own, and often a second one with the same key, at once or lives later: the second is stored
     * only if the first is not there.
     */
    private void unique() {
        Item first = any(State.VISIBLE);
        if (first == null || !first.unique || random.happens(0.6)) {
            first = item();
            first.unique = true;
            UniqueKey key = key(first);
            Item item = first;
            switch (random.nextInt(4)) {
                case 0 ->
                    store.transactions()
                            .appendHalf(key, draft(item), "g", "", clock.wallMillis() + 100, becomes(item, State.HALF));
                case 1 ->
                    store.timers().appendTimer(key, draft(item), clock.wallMillis() + 100, becomes(item, State.DUE));
                case 2 -> {
                    Completion done = becomes(item, State.VISIBLE);
                    store.messages()
                            .appendUniqueBatch(
                                    List.of(draft(item)),
                                    List.of(key),
                                    outcome -> done.done(
                                            outcome instanceof BatchStored batch
                                                            && batch.prior().get(0) == null
                                                    ? batch.stored().get(0)
                                                    : outcome));
                }
                default -> store.messages().appendUnique(key, draft(item), becomes(item, State.VISIBLE));
            }
            if (random.happens(0.5)) {
                return;
            }
        }
        Item original = first;
        Item second = item();
        Completion stored = becomes(second, State.VISIBLE);
        store.messages().appendUnique(key(original), draft(second), outcome -> {
            Fact fact = original.last();
            if (outcome instanceof Refused refused) {
                FirstMessage prior = (FirstMessage) refused.prior();
                check(refused.reason() == Refused.Reason.DUPLICATE, refused.text());
                check(
                        fact.state() == State.VISIBLE
                                        && prior.queueOffset() == fact.offset()
                                        && prior.position() == fact.position()
                                || prior.queueOffset() < 0,
                        "item " + original.id + " is " + fact + " but " + prior + " holds its key");
                second.busy = false;
                second.possible.clear();
                return;
            }
            check(
                    !(outcome instanceof Stored) || fact.state() == State.NOWHERE && !original.busy,
                    "item " + second.id + " was stored beside " + original.id + ", which is " + fact);
            stored.done(outcome);
        });
    }

    private static UniqueKey key(Item item) {
        return new UniqueKey("t0", "d" + item.id, Long.MAX_VALUE);
    }

    /**
     * Steps of the pop state of a key count its writes: each change takes the offset behind its number and finishes those
     * below, or drops the state, so that the base tells which change was the last one.
     */
    private void pop() {
        int number = random.nextInt(3);
        Cell cell = cell("o k" + number);
        PopKey key = new PopKey("k" + number, "t0", 0);
        long last = cell.possible.isEmpty()
                ? cell.facts.get(cell.facts.size() - 1)[0]
                : cell.possible.get(cell.possible.size() - 1)[1];
        List<PopChange> changes = new ArrayList<>();
        long value = last + 1 + random.nextInt(3);
        if (random.happens(0.1)) {
            value = -1;
            changes.add(new PopChange.Drop());
        } else if (last < 0 || random.happens(0.1)) {
            changes.add(new PopChange.Reset(value));
            takes(changes, value);
        } else {
            changes.add(new PopChange.Start(0));
            changes.add(new PopChange.Ack(0, value));
            takes(changes, value);
        }
        List<PopDelta> deltas = List.of(new PopDelta(key, changes));
        Completion set = sets(List.of(cell), List.of(value));
        if (random.happens(0.3)) {
            Item item = item();
            Completion put = becomes(item, State.VISIBLE);
            store.pops().appendAndRecordPops(List.of(draft(item)), deltas, outcome -> {
                put.done(outcome);
                set.done(outcome);
            });
        } else {
            store.pops().recordPops(deltas, set);
        }
    }

    private void takes(List<PopChange> changes, long value) {
        for (int i = random.nextInt(4); i >= 0; i--) {
            changes.add(new PopChange.Take(value + i, value, value + 1_000, 1));
        }
        changes.add(new PopChange.Take(value, value, value + 2_000, 1));
    }

    private void decide() {
        Item item = any(State.HALF);
        if (item == null) {
            return;
        }
        long handle = item.last().handle();
        ByteBuffer stored = store.messages().readPending(handle);
        check(stored != null, "the half " + handle + " of item " + item.id + " cannot be read");
        check(idOf(stored) == item.id, "the half " + handle + " is another message");
        if (random.happens(0.2)) {
            store.transactions()
                    .recordCheck(
                            handle,
                            1 + random.nextInt(3),
                            clock.wallMillis() + random.nextInt(5_000),
                            "c" + random.nextInt(2),
                            CheckReason.NONE,
                            "",
                            Completion.NONE);
            store.transactions().recordCheckAnswer(handle, "c" + random.nextInt(2), "UNKNOWN", Completion.NONE);
            return;
        }
        boolean commit = random.happens(0.6);
        boolean later = commit && random.happens(0.3);
        State target = !commit ? State.NOWHERE : later ? State.DUE : State.VISIBLE;
        MessageDraft copy = commit ? MessageDraft.copyOf(stored, 0).build() : null;
        store.transactions()
                .decide(
                        handle,
                        commit ? Decision.COMMIT : Decision.ROLLBACK,
                        random.happens(0.5),
                        "test",
                        copy,
                        later ? clock.wallMillis() + 1_000 : 0,
                        becomes(item, target));
        if (random.happens(0.4)) {
            // The first decision wins, even while it is in flight.
            store.transactions().decide(handle, Decision.ROLLBACK, false, "late", null, 0, late(item));
        }
    }

    /** A rolled back message is delivered after all, once, unless the log has dropped it. */
    private void publish() {
        Item item = any(State.NOWHERE);
        long handle = item == null ? 0 : item.last().handle();
        ByteBuffer half = handle == 0 || item.unique ? null : store.conflicts().readRolledBack(handle);
        if (half == null) {
            return;
        }
        check(idOf(half) == item.id, "the rolled back half " + handle + " is another message");
        boolean later = random.happens(0.3);
        MessageDraft copy = MessageDraft.copyOf(half, 0).build();
        long dueMillis = later ? clock.wallMillis() + 1_000 : 0;
        Completion becomes = becomes(item, later ? State.DUE : State.VISIBLE);
        store.conflicts().publish(handle, "test", null, copy, dueMillis, outcome -> {
            if (outcome instanceof Refused refused) {
                check(refused.reason() == Refused.Reason.NOT_FOUND, "item " + item.id + ": " + refused.text());
                item.busy = false;
                item.possible.clear();
                return;
            }
            published += outcome instanceof Stored ? 1 : 0;
            becomes.done(outcome);
        });
        if (random.happens(0.5)) {
            store.conflicts().publish(handle, "again", null, copy, dueMillis, late(item));
        }
        if (random.happens(0.5)) {
            store.conflicts()
                    .recordConflict(
                            new DecisionConflict(
                                    handle,
                                    0,
                                    Decision.ROLLBACK,
                                    1,
                                    "test",
                                    Decision.COMMIT,
                                    false,
                                    0,
                                    "late",
                                    "m" + item.id,
                                    "t0",
                                    "g"),
                            Completion.NONE);
        }
    }

    private void fire() {
        Item item = any(State.DUE);
        if (item == null) {
            return;
        }
        long handle = item.last().handle();
        PendingTimer due = store.timers().pendingTimer(handle);
        check(due != null, "the delayed message " + handle + " is not pending");
        ByteBuffer stored = store.messages().readPending(handle);
        check(stored != null && idOf(stored) == item.id, "the delayed message " + handle + " cannot be read");
        if (random.happens(0.7)) {
            clock.advance(Math.max(0, due.dueMillis() - clock.wallMillis()));
        }
        // A change in flight counts too, though the views do not know it yet.
        long soonest = item.moving.stream().reduce(due.dueMillis(), Math::min);
        Completion fired = becomes(item, State.VISIBLE);
        store.timers().fire(handle, MessageDraft.copyOf(stored, 0).build(), outcome -> {
            if (outcome instanceof Refused refused) {
                check(refused.reason() == Refused.Reason.NOT_DUE, "item " + item.id + ": " + refused.text());
                item.busy = false;
                item.possible.remove(State.VISIBLE);
                return;
            }
            check(!(outcome instanceof Stored in) || in.storeTimeMillis() >= soonest, "fired too early: " + handle);
            fired.done(outcome);
        });
        if (random.happens(0.4)) {
            store.timers().cancel(handle, "late", late(item));
        }
    }

    private void cancelOrMove() {
        Item item = any(State.DUE);
        if (item == null) {
            return;
        }
        long handle = item.last().handle();
        if (random.happens(0.5)) {
            Long dueMillis = clock.wallMillis() + random.nextInt(3_000);
            item.moving.add(dueMillis);
            store.timers().reschedule(handle, dueMillis, outcome -> item.moving.remove(dueMillis));
        } else {
            store.timers().cancel(handle, "test", becomes(item, State.NOWHERE));
        }
    }

    /** For what ends an item that another change was to end before: it may only succeed if that one did not. */
    private Completion late(Item item) {
        // The first end may be the same: what became of this one says nothing of that one.
        boolean mine = item.possible.add(State.NOWHERE);
        int facts = item.facts.size();
        return outcome -> {
            if (outcome instanceof Stored stored) {
                check(item.facts.size() == facts, "a second end was taken for item " + item.id);
                check(!item.busy, "a second end overtook the first for item " + item.id);
                settle(item, new Fact(State.NOWHERE, stored.position(), stored.handle(), -1));
            } else if (outcome instanceof Failed f && f.maybeStored()) {
                item.possible.add(State.NOWHERE);
            } else if (mine) {
                item.possible.remove(State.NOWHERE);
            }
        };
    }

    private Item item() {
        Item item = new Item(items.size());
        items.add(item);
        return item;
    }

    private Item any(State state) {
        List<Item> found = items.stream()
                .filter(item ->
                        !item.busy && item.possible.isEmpty() && item.last().state() == state)
                .toList();
        return found.isEmpty() ? null : found.get(random.nextInt(found.size()));
    }

    private Cell cell(String name) {
        return cells.computeIfAbsent(name, n -> new Cell());
    }

    private Completion becomes(Item item, State target) {
        item.busy = true;
        item.possible.add(target);
        return outcome -> {
            if (outcome instanceof Stored stored) {
                settle(item, new Fact(target, stored.position(), stored.handle(), stored.queueOffset()));
            } else if (outcome instanceof Refused refused) {
                throw new AssertionError("item " + item.id + " was refused: " + refused.text());
            } else {
                failed(item, target, (Failed) outcome);
            }
        };
    }

    private void settle(Item item, Fact fact) {
        acknowledged++;
        item.busy = false;
        item.possible.clear();
        item.facts.add(fact);
    }

    private void failed(Item item, State target, Failed failure) {
        diskFull += failure.cause() == Failed.FailureCause.DISK_FULL ? 1 : 0;
        if (!failure.maybeStored()) {
            item.busy = false;
            item.possible.remove(target);
        }
    }

    private Completion sets(List<Cell> set, List<Long> values) {
        long ordinal = ++ordinals;
        for (int i = 0; i < set.size(); i++) {
            set.get(i).possible.add(new long[] {ordinal, values.get(i)});
        }
        return outcome -> {
            for (int i = 0; i < set.size(); i++) {
                Cell cell = set.get(i);
                if (outcome instanceof Stored stored) {
                    cell.facts.add(new long[] {values.get(i), stored.position()});
                    // Changes take effect in their order: those before this one have had their answer or never will
                    // matter.
                    cell.possible.removeIf(change -> change[0] <= ordinal);
                } else if (!((Failed) outcome).maybeStored()) {
                    cell.possible.removeIf(change -> change[0] == ordinal);
                }
            }
        };
    }

    private MessageDraft draft(Item item) {
        return draft(item, "t" + random.nextInt(3), random.nextInt(2));
    }

    private MessageDraft draft(Item item, String topic, int queueId) {
        byte[] body = new byte[4 + random.nextInt(random.happens(0.1) ? 2_000 : 200)];
        ByteBuffer.wrap(body).putInt(item.id);
        InetSocketAddress host = new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
        return MessageDraft.builder()
                .topic(topic)
                .queueId(queueId)
                .bornHost(host)
                .storeHost(host)
                .body(body)
                .properties(Map.of("UNIQ_KEY", "u" + item.id, "KEYS", "k" + item.id % 7, "TAGS", "tag" + item.id % 3))
                .build();
    }

    private static int idOf(ByteBuffer stored) {
        return StoredMessage.body(stored, 0).getInt();
    }

    // ---- what is there

    private final Map<Integer, Fact> observed = new TreeMap<>();

    private void observe() {
        observed.clear();
        for (QueueKey key : store.queues().allQueues()) {
            QueueRange range = store.queues().offsetRange(key.topic(), key.queueId());
            long offset = range.minOffset();
            while (offset < range.maxOffset()) {
                ReadResult result = store.queues().readQueue(key.topic(), key.queueId(), offset, 8, 4_096, null, null);
                check(result.status() == ReadResult.Status.FOUND, key + " at " + offset + ": " + result);
                int count = 0;
                for (ByteBuffer slice : result.slices()) {
                    for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                        check(StoredMessage.verify(slice, at, slice.limit()) == null, "a bad message was served");
                        check(StoredMessage.queueOffset(slice, at) == offset + count, key + ": offset not dense");
                        int id = StoredMessage.body(slice, at).getInt();
                        seen(id, new Fact(State.VISIBLE, StoredMessage.position(slice, at), 0, offset + count));
                        count++;
                    }
                }
                check(count == result.count() && result.nextOffset() == offset + count, "count of " + result);
                offset += count;
            }
        }
        for (PendingHalf half : store.transactions().openHalves(Integer.MAX_VALUE)) {
            seen(
                    idOf(store.messages().readPending(half.handle())),
                    new Fact(State.HALF, half.position(), half.handle(), -1));
        }
        for (PendingTimer due : store.timers().pendingTimers(Integer.MAX_VALUE)) {
            seen(
                    idOf(store.messages().readPending(due.handle())),
                    new Fact(State.DUE, due.position(), due.handle(), -1));
        }
    }

    private void seen(int id, Fact fact) {
        Fact before = observed.put(id, fact);
        check(before == null, "item " + id + " is there twice: " + before + " and " + fact);
    }

    private boolean survives(long position) {
        return sync || !lostWithPower || position < store.status().positions().appended();
    }

    private void verify() {
        long end = store.status().positions().appended();
        check(end >= flushedAtEnd, "the log ends at " + end + " but was flushed to " + flushedAtEnd);
        observe();
        for (Item item : items) {
            Fact expected = null;
            for (Fact fact : item.facts) {
                expected = survives(fact.position()) ? fact : expected;
            }
            boolean unchanged = expected == item.last();
            Fact now = observed.getOrDefault(item.id, new Fact(State.NOWHERE, -1, 0, -1));
            boolean dropped = expected.state() == State.VISIBLE
                    && now.state() == State.NOWHERE
                    && expected.position() < store.status().oldestPosition();
            boolean fits = dropped
                    || now.state() == expected.state()
                            && (now.state() == State.NOWHERE
                                    || now.state() == State.VISIBLE
                                            && now.offset() == expected.offset()
                                            && now.position() == expected.position()
                                    || now.handle() == expected.handle());
            boolean possible = unchanged && item.possible.contains(now.state())
                    // Made visible, then dropped before anyone was told.
                    || unchanged
                            && now.state() == State.NOWHERE
                            && item.possible.contains(State.VISIBLE)
                            && store.status().oldestPosition() > 0;
            check(
                    fits || possible,
                    "item " + item.id + " should be " + expected + " or " + item.possible + " but is " + now);
            if (!fits) {
                survivedUnacknowledged++;
            }
        }
        for (int id : observed.keySet()) {
            check(id < items.size(), "item " + id + " was never put");
        }
        cells.forEach((name, cell) -> {
            long[] expected = null;
            for (long[] fact : cell.facts) {
                expected = survives(fact[1]) ? fact : expected;
            }
            long now = valueOf(name);
            boolean possible = cell.possible.stream().anyMatch(change -> change[1] == now);
            check(
                    now == expected[0] || possible,
                    name + " should be " + expected[0] + " or " + cell.possible.size() + " later values, but is "
                            + now);
        });
    }

    private long valueOf(String name) {
        String[] words = name.split(" ");
        if (words[0].equals("p")) {
            return store.offsets().committedOffset(words[1], words[2], 0);
        }
        if (words[0].equals("o")) {
            PopKey key = new PopKey(words[1], "t0", 0);
            PopState state = store.pops().popState(key);
            check(
                    store.pops().popKeys().contains(key) == (state != null),
                    "the keys and the state of " + key + " differ");
            check(
                    state == null
                            || state.inFlight(state.base()) != null
                                    && state.inFlight(state.base()).deadlineMillis() == state.base() + 2_000,
                    key + " is " + state);
            return state == null ? -1 : state.base();
        }
        byte[] value = store.catalog().catalogValue(CatalogKind.TOPIC, words[1]);
        return value == null ? -1 : ByteBuffer.wrap(value).getInt();
    }

    /** What was found is now what is certain. */
    private void absorb() {
        for (Item item : items) {
            Fact now = observed.getOrDefault(item.id, new Fact(State.NOWHERE, -1, 0, -1));
            item.facts.clear();
            item.facts.add(now);
            item.possible.clear();
            item.busy = false;
        }
        cells.forEach((name, cell) -> {
            long now = valueOf(name);
            cell.facts.clear();
            cell.facts.add(new long[] {now, -1});
            cell.possible.clear();
        });
    }

    private String digest() {
        observe();
        StringBuilder text = new StringBuilder();
        text.append(store.status().positions().appended())
                .append(' ')
                .append(store.status().oldestPosition())
                .append('\n');
        observed.forEach((id, fact) -> text.append(id).append(' ').append(fact).append('\n'));
        for (QueueKey key : store.queues().allQueues()) {
            text.append(key)
                    .append(store.queues().offsetRange(key.topic(), key.queueId()))
                    .append('\n');
        }
        for (PendingHalf half : store.transactions().openHalves(Integer.MAX_VALUE)) {
            text.append(half).append('\n');
        }
        for (PendingTimer due : store.timers().pendingTimers(Integer.MAX_VALUE)) {
            text.append(due).append('\n');
        }
        cells.keySet()
                .forEach(name ->
                        text.append(name).append('=').append(valueOf(name)).append('\n'));
        return text.toString();
    }

    /** Also called in completions, where the store keeps what is thrown to itself. */
    private void check(boolean holds, String text) {
        if (!holds) {
            dead = true;
            wrong = wrong == null ? text : wrong;
            throw new AssertionError(text);
        }
    }
}
