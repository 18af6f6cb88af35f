/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.timer.DelayedSends;
import io.waybill.broker.timer.DueChecks;
import io.waybill.broker.timer.DueDone;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CheckTransactionHeader;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.view.PendingHalf;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks producers about half messages they left undecided.
 *
 * <p>What always holds: every open half has one entry in the store's due index. A check counts only when it was written to a connection that
 * was still open afterwards. Without a producer nothing is counted: the half waits, at growing intervals, and is asked about soon after a
 * producer of its group appears. After {@code checkMax} counted checks and one more interval of silence the message is set aside. Whatever goes
 * wrong with one half concerns that half only.
 *
 * <p>The due engine's thread runs {@link #run}; {@link #producerRegistered} may come from any thread and only takes notes.
 */
public final class TransactionChecks implements DueChecks {
    private static final Logger LOG = LoggerFactory.getLogger(TransactionChecks.class);

    /** Producers tried for one check before the group counts as gone. */
    private static final int MAX_ATTEMPTS = 3;

    /** The longest time between two looks for a producer that is gone. */
    private static final long LONGEST_WAIT_MILLIS = 600_000;

    /** Halves looked at after the clock was set back; those beyond keep the times they have. */
    private static final int MAX_SET_BACK = 100_000;

    /** Halves remembered as waiting for their group; what is beyond comes at its time in the index. */
    private static final int MAX_WAITING = 100_000;

    private final Store store;
    private final Clock clock;
    private final TransactionSettings settings;
    private final Producers producers;
    private final BiFunction<String, Connection, String> clientNames;
    private final FinalDecisions decisions;
    private final CheckAnswers answers;
    private final String brokerName;

    /** Handles waiting for a producer, by group. Guarded by itself, like the two below. */
    private final Map<String, Set<Long>> waiting = new HashMap<>();

    private int waitingCount;
    private List<Long> overdue = new ArrayList<>();
    private volatile Runnable wakeEngine = () -> {};

    /** @param clientNames who speaks for a group on a connection */
    public TransactionChecks(
            Store store,
            Clock clock,
            TransactionSettings settings,
            Producers producers,
            BiFunction<String, Connection, String> clientNames,
            DelayedSends delays,
            String brokerName) {
        this.store = store;
        this.clock = clock;
        this.settings = settings;
        this.producers = producers;
        this.clientNames = clientNames;
        this.answers = new CheckAnswers(store);
        this.decisions = new FinalDecisions(store, clock, delays);
        this.brokerName = brokerName;
        rememberWaiting();
    }

    /** Where answers that decide nothing are recorded. */
    CheckAnswers answers() {
        return answers;
    }

    /** What to call when halves became overdue: the engine's wake. */
    public void onOverdue(Runnable wake) {
        wakeEngine = wake;
    }

    /** A heartbeat brought a producer of the group: what waited for one is asked about now. */
    public void producerRegistered(String producerGroup) {
        synchronized (waiting) {
            Set<Long> handles = waiting.remove(producerGroup);
            if (handles == null) {
                return;
            }
            waitingCount -= handles.size();
            overdue.addAll(handles);
        }
        wakeEngine.run();
    }

    @Override
    public List<Long> takeOverdue() {
        synchronized (waiting) {
            if (overdue.isEmpty()) {
                return List.of();
            }
            List<Long> taken = overdue;
            overdue = new ArrayList<>();
            return taken;
        }
    }

    @Override
    public void run(long handle, DueDone done) {
        try {
            check(handle, done);
        } catch (RuntimeException e) {
            LOG.error("the check of transaction {} failed and will be tried again", handle, e);
            postpone(handle, done);
        }
    }

    private void check(long handle, DueDone done) {
        PendingHalf half = store.half(handle);
        if (half == null) { // decided since the index was read
            done.done(true);
            return;
        }
        ByteBuffer stored = store.readPending(handle);
        if (stored == null) {
            LOG.error("half message {} cannot be read at log position {}", handle, half.position());
            postpone(handle, done);
            return;
        }
        if (half.checks() >= settings.checkMax()) {
            exhaust(half, stored, done);
            return;
        }
        String uniqueKey = StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY);
        answers.asking(handle, half.producerGroup(), uniqueKey);
        Connection asked = ask(half, stored);
        if (asked != null) {
            noLongerWaiting(half);
            String client = clientNames.apply(half.producerGroup(), asked);
            long nextMillis = clock.wallMillis() + settings.checkMillis();
            store.checked(handle, half.checks() + 1, nextMillis, client, o -> settle(o, done));
            answers.recorded(handle);
        } else {
            answers.forget(handle);
            await(half, done);
        }
    }

    private void exhaust(PendingHalf half, ByteBuffer stored, DueDone done) {
        String by = "broker: " + half.checks() + " checks without a decision";
        LOG.warn(
                "transaction {} of producer group {} goes to {}: {} checks were delivered and none decided it",
                StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY),
                half.producerGroup(),
                Names.TRANS_CHECK_MAX_TIME_TOPIC,
                half.checks());
        decisions.exhaust(half, stored, by, o -> settle(o, done));
    }

    /** The living connection a check was written to, or null. */
    private Connection ask(PendingHalf half, ByteBuffer stored) {
        Command check = null;
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            Connection connection = producers.next(half.producerGroup());
            if (connection == null) {
                return null;
            }
            if (!connection.isOpen()) {
                continue;
            }
            if (check == null) {
                check = checkCommand(half, stored);
            }
            connection.send(check);
            if (connection.isOpen()) {
                return connection;
            }
        }
        return null;
    }

    private Command checkCommand(PendingHalf half, ByteBuffer stored) {
        ByteBuffer record = ByteBuffer.wrap(MessageDraft.copyOf(stored, 0)
                .property(MessageProperties.TRANSACTION_CHECK_TIMES, Integer.toString(half.checks() + 1))
                .build()
                .bytes());
        // The client derives the offset message id from the position; the handle is the one it was told at the send.
        StoredMessage.patchPosition(record, 0, half.handle());
        StoredMessage.patchStoreTimestamp(record, 0, StoredMessage.storeTimestamp(stored, 0));
        String uniqueKey = StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY);
        String offsetId = MessageIds.offsetId(StoredMessage.storeHost(stored, 0), half.handle());
        return Command.request(RequestCode.CHECK_TRANSACTION_STATE)
                .oneway()
                .header(new CheckTransactionHeader(
                        Names.HALF_TOPIC, 0, half.handle(), uniqueKey, uniqueKey, offsetId, brokerName))
                .body(record)
                .build();
    }

    private void await(PendingHalf half, DueDone done) {
        synchronized (waiting) {
            if (waitingCount < MAX_WAITING
                    && waiting.computeIfAbsent(half.producerGroup(), g -> new LinkedHashSet<>())
                            .add(half.handle())) {
                waitingCount++;
            }
        }
        if (producers.next(half.producerGroup()) != null) { // one came while this was being noted
            producerRegistered(half.producerGroup());
        }
        // The interval grows with the age, so that a group that is gone for good costs ever less.
        long nowMillis = clock.wallMillis();
        long grown = Math.min((nowMillis - half.storeTimeMillis()) / 8, LONGEST_WAIT_MILLIS);
        store.checked(
                half.handle(),
                half.checks(),
                nowMillis + Math.max(settings.checkMillis(), grown),
                "",
                o -> settle(o, done));
    }

    private void noLongerWaiting(PendingHalf half) {
        synchronized (waiting) {
            Set<Long> handles = waiting.get(half.producerGroup());
            if (handles != null && handles.remove(half.handle())) {
                waitingCount--;
                if (handles.isEmpty()) {
                    waiting.remove(half.producerGroup());
                }
            }
        }
    }

    private void postpone(long handle, DueDone done) {
        try {
            PendingHalf half = store.half(handle);
            if (half == null) {
                done.done(true);
                return;
            }
            store.checked(
                    handle,
                    half.checks(),
                    clock.wallMillis() + Math.max(settings.checkMillis(), LONGEST_WAIT_MILLIS),
                    "",
                    o -> settle(o, done));
        } catch (RuntimeException e) {
            LOG.error("transaction {} could not be put off", handle, e);
            done.done(false);
        }
    }

    private static void settle(Outcome outcome, DueDone done) {
        if (outcome instanceof Failed failed) {
            LOG.warn("the state of a transaction check was not stored: {}", failed.text());
            done.done(false);
        } else {
            done.done(true); // stored, or refused because the transaction was decided in the meantime
        }
    }

    /**
     * After a restart: a half that was waiting for its group stands farther in the future than any delivered check or first check of a
     * normal half would. What is nearer comes soon enough by itself.
     */
    private void rememberWaiting() {
        long nowMillis = clock.wallMillis();
        for (PendingHalf half : store.openHalves(MAX_WAITING)) {
            long aheadMillis = half.nextCheckMillis() - nowMillis;
            if (aheadMillis > settings.checkMillis() && (half.checks() > 0 || isPastFirstCheck(half))) {
                waiting.computeIfAbsent(half.producerGroup(), g -> new LinkedHashSet<>())
                        .add(half.handle());
                waitingCount++;
            }
        }
    }

    @Override
    public void clockSetBack(DueDone done) {
        long nowMillis = clock.wallMillis();
        List<PendingHalf> farAway = new ArrayList<>();
        try {
            for (PendingHalf half : store.openHalves(MAX_SET_BACK)) {
                long aheadMillis = half.nextCheckMillis() - nowMillis;
                if (aheadMillis > settings.checkMillis() && half.checks() > 0
                        || aheadMillis > 0 && half.checks() == 0 && aheadMillis > firstCheckDelayMillis(half)) {
                    farAway.add(half);
                }
            }
        } catch (RuntimeException e) {
            LOG.error("after the clock was set back the checks of transactions could not be moved yet", e);
            done.done(false);
            return;
        }
        if (farAway.isEmpty()) {
            done.done(true);
            return;
        }
        LOG.warn("the wall clock was set back: {} transaction checks are moved to an earlier time", farAway.size());
        AtomicInteger open = new AtomicInteger(farAway.size());
        AtomicBoolean settled = new AtomicBoolean(true);
        for (PendingHalf half : farAway) {
            long interval = half.checks() > 0 ? settings.checkMillis() : firstCheckDelayMillis(half);
            store.checked(half.handle(), half.checks(), nowMillis + interval, "", outcome -> {
                if (outcome instanceof Failed) {
                    settled.set(false);
                }
                if (open.decrementAndGet() == 0) {
                    done.done(settled.get());
                }
            });
        }
    }

    private long firstCheckDelayMillis(PendingHalf half) {
        ByteBuffer stored = store.readPending(half.handle());
        return stored == null
                ? settings.timeoutMillis()
                : HalfSends.firstCheckDelayMillis(
                        StoredMessage.property(stored, 0, MessageProperties.CHECK_IMMUNITY_TIME_IN_SECONDS),
                        settings.timeoutMillis());
    }

    private boolean isPastFirstCheck(PendingHalf half) {
        ByteBuffer stored = store.readPending(half.handle());
        return stored != null
                && StoredMessage.storeTimestamp(stored, 0)
                                + HalfSends.firstCheckDelayMillis(
                                        StoredMessage.property(
                                                stored, 0, MessageProperties.CHECK_IMMUNITY_TIME_IN_SECONDS),
                                        settings.timeoutMillis())
                        <= clock.wallMillis();
    }
}
