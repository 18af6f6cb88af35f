/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.settings.TransactionSettings;
import io.waybill.broker.timer.TimerCompletion;
import io.waybill.broker.timer.TransactionCheckCallback;
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
import io.waybill.store.MessageStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.PendingHalf;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks producers about half messages they left undecided (ADR 0005, 0019).
 *
 * <p>What always holds: every open half has one entry in the store's due index. A check goes to the client that sent the half message, on whatever
 * connection it has now; to another member of the group only when that client has been away for {@code checkMillis}, or said that it leaves, or is
 * not known. A check counts only when it was written to a connection that was still open afterwards; the time to the next one grows. Without a
 * producer nothing is counted: the half waits, at growing intervals, and is asked about soon after its sender, or a producer of a group that had none,
 * appears. After {@code checkMax} counted checks and one more interval of silence the message is set aside. Whatever goes wrong with one half concerns
 * that half only.
 *
 * <p>The timer dispatcher's thread runs {@link #run}; {@link #producerRegistered} may come from any thread and only takes notes.
 */
public final class TransactionChecks implements TransactionCheckCallback {
    private static final Logger LOG = LoggerFactory.getLogger(TransactionChecks.class);

    /** Connections tried for one check before the group counts as gone. */
    private static final int MAX_ATTEMPTS = 3;

    /** Half messages remembered whose sender's heartbeat has not come; of the oldest beyond it, any member is asked. */
    private static final int MAX_UNNAMED = 20_000;

    /** Senders whose absence is timed; those beyond count as gone. Of each a name of at most some 500 bytes is kept. */
    private static final int MAX_AWAY = 10_000;

    /** An absence that is over for so long is forgotten: should a half of that client still be open, it is waited for once more. */
    private static final long ABSENCE_NANOS = TimeUnit.HOURS.toNanos(1);

    /** The longest time between two looks for a producer that is gone. */
    private static final long LONGEST_WAIT_MILLIS = 600_000;

    /** Halves looked at after the clock was set back; those beyond keep the times they have. */
    private static final int MAX_SET_BACK = 100_000;

    /** Halves remembered as waiting for their group; what is beyond comes at its time in the index. */
    private static final int MAX_WAITING = 100_000;

    /** Open halves of an earlier run that are taken up in one run of the duty. */
    private static final int TAKE_UP_PAGE = 500;

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final Clock clock;
    private final TransactionSettings settings;
    private final ClientRegistry members;
    private final TransactionResolver decisions;
    private final CheckAnswers answers;
    private final String brokerName;

    /** Handles waiting for a producer, by group, or for their sender, by its name of {@link #awaited}. Guarded by itself, like those below. */
    private final Map<String, Set<Long>> waiting = new HashMap<>();

    private int waitingCount;

    /** Since when senders that were looked for in vain are away, by the monotonic clock and their name of {@link #awaited}. */
    private final Map<String, Long> away = new LinkedHashMap<>();

    /** Who sent a half message before the first heartbeat. */
    private final Map<Long, Unnamed> unnamed = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Unnamed> eldest) {
            return size() > MAX_UNNAMED;
        }
    };

    private List<Long> overdue = new ArrayList<>();

    /** The last open half of an earlier run that was taken up, and how many were. Of the timer dispatcher's thread. */
    private long lastTakenUp = -1;

    private int takenUp;
    private final Wakeup dispatcher;

    /** A connection, and the id of its client once a heartbeat told it. */
    private static final class Unnamed {
        private final Connection connection;
        private String clientId;

        Unnamed(Connection connection) {
            this.connection = connection;
        }
    }

    /**
     * Whom a check goes to.
     *
     * @param connection null to wait
     * @param sender the client that sent the half message; empty if not known
     * @param awaited who is waited for, if not for any producer of the group; else null
     * @param waitMillis how long it is waited for that one
     */
    private record Choice(Connection connection, CheckReason reason, String sender, String awaited, long waitMillis) {}

    /** @param dispatcher wakes the timer dispatcher, which asks for what became overdue */
    public TransactionChecks(
            MessageStore messageStore,
            TransactionStore transactionStore,
            TransactionResolver decisions,
            Clock clock,
            TransactionSettings settings,
            ClientRegistry members,
            String brokerName,
            Wakeup dispatcher) {
        this.dispatcher = dispatcher;
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.clock = clock;
        this.settings = settings;
        this.members = members;
        this.answers = new CheckAnswers(transactionStore);
        this.decisions = decisions;
        this.brokerName = brokerName;
    }

    TransactionSettings settings() {
        return settings;
    }

    /** Where answers that decide nothing are recorded. */
    CheckAnswers answers() {
        return answers;
    }

    /** A half message came on a connection whose client is not known as a producer of the group yet. */
    void sentOn(long handle, Connection connection) {
        synchronized (waiting) {
            unnamed.put(handle, new Unnamed(connection));
        }
    }

    /** The transaction was decided. */
    void decided(long handle) {
        answers.forget(handle);
        synchronized (waiting) {
            unnamed.remove(handle);
        }
    }

    /** A heartbeat brought a producer of the group: what waited for one, or for this one, is asked about now. */
    public void producerRegistered(String producerGroup, ClientChannelInfo member) {
        String onConnection = awaited(producerGroup, member.connection());
        String byId = awaited(producerGroup, member.clientId());
        synchronized (waiting) {
            for (Unnamed sender : unnamed.values()) {
                if (sender.clientId == null
                        && sender.connection.id() == member.connection().id()) {
                    sender.clientId = shortId(member.clientId());
                }
            }
            away.remove(onConnection);
            away.remove(byId);
        }
        release(producerGroup, byId, onConnection);
    }

    /** A client left the group: it is not waited for. */
    public void producerLeft(String producerGroup, String clientId) {
        String name = awaited(producerGroup, clientId);
        synchronized (waiting) {
            if (clientId.length() <= HalfMessageWriter.MAX_SENDER_LENGTH && away.size() < MAX_AWAY) {
                away.put(name, clock.nanoTime() - TimeUnit.MILLISECONDS.toNanos(settings.checkMillis()));
            }
        }
        release(name);
    }

    private void release(String... names) {
        boolean any = false;
        synchronized (waiting) {
            for (String name : names) {
                Set<Long> handles = waiting.remove(name);
                if (handles != null) {
                    waitingCount -= handles.size();
                    overdue.addAll(handles);
                    any = true;
                }
            }
        }
        if (any) {
            dispatcher.wake();
        }
    }

    private static String awaited(String producerGroup, String clientId) {
        return producerGroup + "\nclient " + clientId;
    }

    private static String awaited(String producerGroup, Connection connection) {
        return producerGroup + "\nconnection " + connection.id();
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
    public void run(long handle, TimerCompletion done) {
        try {
            check(handle, done);
        } catch (RuntimeException e) {
            LOG.error("the check of transaction {} failed and will be tried again", handle, e);
            postpone(handle, done);
        }
    }

    private void check(long handle, TimerCompletion done) {
        PendingHalf half = transactionStore.openHalf(handle);
        if (half == null) { // decided since the index was read
            done.done(true);
            return;
        }
        ByteBuffer stored = messageStore.readPending(handle);
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
        Choice asked = ask(half, stored);
        if (asked.connection() == null) {
            answers.forget(handle);
            await(half, asked, done);
            return;
        }
        noLongerWaiting(half, asked);
        int number = half.checks() + 1;
        transactionStore.recordCheck(
                handle,
                number,
                clock.wallMillis() + settings.intervalMillis(number),
                DecisionText.cut(members.nameOf(half.producerGroup(), asked.connection())),
                asked.reason(),
                half.sender().isEmpty() ? asked.sender() : "",
                o -> settle(o, done));
        answers.recorded(handle);
    }

    private void exhaust(PendingHalf half, ByteBuffer stored, TimerCompletion done) {
        String by = "broker: " + half.checks() + " checks without a decision";
        LOG.warn(
                "transaction {} of producer group {} goes to {}: {} checks were delivered and none decided it",
                StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY),
                half.producerGroup(),
                Names.TRANS_CHECK_MAX_TIME_TOPIC,
                half.checks());
        decisions.exhaust(half, stored, by, o -> settle(o, done));
    }

    /** Writes the check to whom it is for; without a connection if it is to wait. */
    private Choice ask(PendingHalf half, ByteBuffer stored) {
        Command check = null;
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            Choice choice = choose(half);
            if (choice.connection() == null) {
                return choice;
            }
            check = check == null ? checkCommand(half, stored) : check;
            choice.connection().send(check);
            if (choice.connection().isOpen()) {
                return choice;
            }
        }
        return new Choice(null, CheckReason.WAITING, "", null, 0);
    }

    private Choice choose(PendingHalf half) {
        String group = half.producerGroup();
        String sender = half.sender();
        String name = null;
        if (sender.isEmpty()) {
            Unnamed known = unnamed(half.handle(), group);
            sender = known == null || known.clientId == null ? "" : known.clientId;
            if (known != null && sender.isEmpty() && known.connection.isOpen()) {
                name = awaited(group, known.connection); // its heartbeat is to come
            }
        }
        if (!sender.isEmpty()) {
            Connection own = members.producers().connectionOf(group, sender);
            if (own != null) {
                return new Choice(own, CheckReason.SENDER, sender, null, 0);
            }
            name = awaited(group, sender);
        }
        long left = name == null ? 0 : expectedMillis(name);
        if (left > 0) {
            return new Choice(null, CheckReason.WAITING, sender, name, left);
        }
        Connection any = members.producers().connectionOf(group);
        CheckReason reason = any == null
                ? CheckReason.WAITING
                : sender.isEmpty() ? CheckReason.SENDER_UNKNOWN : CheckReason.SENDER_AWAY;
        return new Choice(any, reason, sender, null, 0);
    }

    private Unnamed unnamed(long handle, String group) {
        synchronized (waiting) {
            Unnamed known = unnamed.get(handle);
            if (known != null && known.clientId == null) {
                known.clientId = shortId(members.producers().clientId(group, known.connection));
            }
            return known;
        }
    }

    private static String shortId(String clientId) {
        return clientId != null && clientId.length() <= HalfMessageWriter.MAX_SENDER_LENGTH ? clientId : null;
    }

    /** How long a sender that is not there is still waited for; 0 if it counts as gone. */
    private long expectedMillis(String name) {
        long now = clock.nanoTime();
        synchronized (waiting) {
            Long since = away.get(name);
            if (since == null) {
                if (away.size() >= MAX_AWAY) {
                    away.values().removeIf(began -> now - began > ABSENCE_NANOS);
                }
                if (away.size() >= MAX_AWAY) {
                    return 0;
                }
                away.put(name, now);
                since = now;
            }
            return Math.max(0, settings.checkMillis() - TimeUnit.NANOSECONDS.toMillis(now - since));
        }
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

    private void await(PendingHalf half, Choice choice, TimerCompletion done) {
        String name = choice.awaited() == null ? half.producerGroup() : choice.awaited();
        remember(name, half.handle());
        if (choose(half).connection() != null) { // one came while this was being noted
            release(name);
        }
        long nowMillis = clock.wallMillis();
        // The interval grows with the age, so that a group that is gone for good costs ever less.
        long grown = Math.max(
                settings.checkMillis(), Math.min((nowMillis - half.storeTimeMillis()) / 8, LONGEST_WAIT_MILLIS));
        transactionStore.recordCheck(
                half.handle(),
                half.checks(),
                nowMillis + (choice.awaited() == null ? grown : choice.waitMillis()),
                "",
                CheckReason.WAITING,
                half.sender().isEmpty() ? choice.sender() : "",
                o -> settle(o, done));
    }

    private void noLongerWaiting(PendingHalf half, Choice asked) {
        long handle = half.handle();
        String group = half.producerGroup();
        synchronized (waiting) {
            noLongerWaiting(handle, group);
            Unnamed known = unnamed.get(handle);
            if (known != null) {
                noLongerWaiting(handle, awaited(group, known.connection));
            }
            if (!asked.sender().isEmpty()) {
                noLongerWaiting(handle, awaited(group, asked.sender()));
                unnamed.remove(handle); // the record of this check says it
            }
        }
    }

    private void noLongerWaiting(long handle, String name) {
        Set<Long> handles = waiting.get(name);
        if (handles != null && handles.remove(handle)) {
            waitingCount--;
            if (handles.isEmpty()) {
                waiting.remove(name);
            }
        }
    }

    private void postpone(long handle, TimerCompletion done) {
        try {
            PendingHalf half = transactionStore.openHalf(handle);
            if (half == null) {
                done.done(true);
                return;
            }
            transactionStore.recordCheck(
                    handle,
                    half.checks(),
                    clock.wallMillis() + Math.max(settings.checkMillis(), LONGEST_WAIT_MILLIS),
                    "",
                    CheckReason.NONE,
                    "",
                    o -> settle(o, done));
        } catch (RuntimeException e) {
            LOG.error("transaction {} could not be put off", handle, e);
            done.done(false);
        }
    }

    private static void settle(Outcome outcome, TimerCompletion done) {
        if (outcome instanceof Failed failed) {
            LOG.warn("the state of a transaction check was not stored: {}", failed.text());
            done.done(false);
        } else {
            done.done(true); // stored, or refused because the transaction was decided in the meantime
        }
    }

    /**
     * After a restart: what waited for a producer goes on waiting, and times that are now shorter count for what is open too. Of those beyond
     * {@value #MAX_WAITING} each comes at its time in the index.
     */
    @Override
    public boolean takeUpNext() {
        List<PendingHalf> page =
                transactionStore.openHalvesAfter(lastTakenUp, Math.min(TAKE_UP_PAGE, MAX_WAITING - takenUp));
        long nowMillis = clock.wallMillis();
        for (PendingHalf half : page) {
            if (half.waits()) {
                awaitGroup(half);
            } else if (isTooFarAhead(half, nowMillis)) {
                transactionStore.recordCheck(
                        half.handle(),
                        half.checks(),
                        nowMillis + delayMillis(half),
                        "",
                        CheckReason.NONE,
                        "",
                        outcome -> {
                            if (outcome instanceof Failed failed) {
                                LOG.warn("the check of transaction {} was not moved: {}", half.handle(), failed.text());
                            }
                        });
            }
            lastTakenUp = half.handle();
            takenUp++;
        }
        return page.size() == TAKE_UP_PAGE && takenUp < MAX_WAITING;
    }

    private void awaitGroup(PendingHalf half) {
        remember(half.producerGroup(), half.handle());
        if (members.producers().connectionOf(half.producerGroup()) != null) { // it came before this was noted
            release(half.producerGroup());
        }
    }

    private void remember(String name, long handle) {
        synchronized (waiting) {
            if (waitingCount < MAX_WAITING
                    && waiting.computeIfAbsent(name, g -> new LinkedHashSet<>()).add(handle)) {
                waitingCount++;
            }
        }
    }

    /** Whether its next check is later than the settings allow: the clock was set back, or the times were longer. */
    private boolean isTooFarAhead(PendingHalf half, long nowMillis) {
        long aheadMillis = half.nextCheckMillis() - nowMillis;
        // One that is near anyway is not read for a time of its own.
        return aheadMillis > settings.timeoutMillis() && aheadMillis > delayMillis(half);
    }

    private long delayMillis(PendingHalf half) {
        return half.checks() > 0 ? settings.intervalMillis(half.checks()) : firstCheckDelayMillis(half);
    }

    @Override
    public void clockSetBack(TimerCompletion done) {
        long nowMillis = clock.wallMillis();
        List<PendingHalf> farAway = new ArrayList<>();
        try {
            for (PendingHalf half : transactionStore.openHalves(MAX_SET_BACK)) {
                if (isTooFarAhead(half, nowMillis)) {
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
            transactionStore.recordCheck(
                    half.handle(), half.checks(), nowMillis + delayMillis(half), "", CheckReason.NONE, "", outcome -> {
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
        ByteBuffer stored = messageStore.readPending(half.handle());
        return stored == null
                ? settings.timeoutMillis()
                : HalfMessageWriter.firstCheckDelayMillis(
                        StoredMessage.property(stored, 0, MessageProperties.CHECK_IMMUNITY_TIME_IN_SECONDS),
                        settings.timeoutMillis());
    }
}
