/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Wakeup;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import io.waybill.store.StoreClock;
import io.waybill.store.StoreStatus;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.DueItem;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Wakes what sleeps in the store's due index: delivers delayed messages, hands transaction checks to {@link TransactionCheckCallback}.
 *
 * <p>What always holds: nothing is delivered before the wall clock reached its due time. An entry is in work at most once at a time. The
 * index itself is the only state: after a restart the duty finds everything again. Between firing and cancelling the store decides, so that
 * exactly one of them happens. A due time is a time of the wall clock, fixed when the message was sent: a clock that is set back makes it later, never
 * earlier. The time of a transaction check is nobody's but the broker's and is set anew then. One entry that cannot be handled is set aside for
 * {@link #HOLD_MILLIS} and never stops the others.
 *
 * <p>One duty; completions of the store arrive on other threads and only take the handle out of {@link #inWork} and wake the duty.
 */
public final class TimerDispatcher implements Feature, Duty {
    private static final Logger LOG = LoggerFactory.getLogger(TimerDispatcher.class);

    /** Started in one run; a run is short so that a burst cannot delay the checks of transactions for long. */
    private static final int BATCH = 256;

    /** Entries that wait for the store at the same time. */
    private static final int MAX_IN_WORK = 2048;

    /** How long an entry that failed is left alone. */
    static final long HOLD_MILLIS = 1_000;

    /** The same for an entry whose message cannot be read: nothing changes that soon. */
    private static final long UNREADABLE_HOLD_MILLIS = 60_000;

    /** The longest sleep while something is pending: the wall clock may be set while the monotonic one runs on. */
    private static final long LONGEST_SLEEP_MILLIS = 5_000;

    private final MessageStore messageStore;
    private final TimerStore timerStore;
    private final StoreStatus storeStatus;
    private final StoreClock storeClock;
    private final Clock clock;
    private final TransactionCheckCallback checks;
    private final TargetQueueSelector placement;

    /** A step of the wall clock that is taken for one; less is the ordinary work of time servers. */
    static final long SET_BACK_MILLIS = 2_000;

    private static final long UNANSWERED = Long.MAX_VALUE;

    /**
     * Handles in work, or held after a failure until the given time of the monotonic clock: the wall clock may be set back, and a hold of a
     * second must not become one of an hour. {@link #UNANSWERED} while the store has not answered.
     */
    private final Map<Long, Long> inWork = new ConcurrentHashMap<>();

    /** Of the duty's thread. */
    private final CancelConditionCache conditions;

    /** Whether what an earlier run left open was taken up. Of the duty's thread. */
    private boolean isTakenUp;

    /** Checks to be started before their time. Of the duty's thread only. */
    private final Set<Long> early = new LinkedHashSet<>();

    private final AtomicBoolean wakeAsked = new AtomicBoolean();
    private final Wakeup wakeup;

    /** The farthest the wall clock stood ahead of the monotonic one, since the last step back. Of the duty's thread, like the one below. */
    private long farthestAhead;

    private boolean clockWatched;
    private volatile boolean wasSetBack;
    private volatile boolean judging;

    /** @param wakeup wakes it; also for what has {@link TransactionCheckCallback#takeOverdue overdue} checks, and when something nearer is stored */
    public TimerDispatcher(
            MessageStore messageStore,
            TimerStore timerStore,
            StoreStatus storeStatus,
            StoreClock storeClock,
            Clock clock,
            TransactionCheckCallback checks,
            TargetQueueSelector placement,
            Wakeup wakeup) {
        this.messageStore = messageStore;
        this.timerStore = timerStore;
        this.storeStatus = storeStatus;
        this.storeClock = storeClock;
        this.clock = clock;
        this.checks = checks;
        this.placement = placement;
        this.wakeup = wakeup;
        this.conditions = new CancelConditionCache(messageStore, storeStatus);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(this, wakeup);
    }

    @Override
    public String roleName() {
        return "due";
    }

    @Override
    public long run() {
        wakeAsked.set(false);
        if (!storeStatus.state().isOpen()) {
            return WHEN_WOKEN;
        }
        long nowMillis = clock.wallMillis();
        watchClock(nowMillis);
        long holdNanos = Math.min(releaseHeld(clock.nanoTime()), takeUp());
        early.addAll(checks.takeOverdue());
        early.removeIf(this::startCheck); // one that is in work right now stays; the end of that work wakes
        int room = Math.min(BATCH, MAX_IN_WORK - inWork.size());
        if (room <= 0) {
            return WHEN_WOKEN; // a completion wakes
        }
        int started = 0;
        List<DueItem> due;
        try {
            due = timerStore.dueUpTo(nowMillis, inWork.size() + room).items();
        } catch (ViewsDamaged e) {
            LOG.warn("what is due cannot be read at the moment: {}", e.getMessage());
            return TimeUnit.MILLISECONDS.toNanos(HOLD_MILLIS);
        }
        for (DueItem item : due) {
            if (started == room) {
                break;
            }
            if (start(item)) {
                started++;
            }
        }
        if (started == room) {
            return 0;
        }
        return sleepNanos(holdNanos);
    }

    /**
     * One step of taking up what an earlier run left; nothing due waits for the rest of it.
     *
     * @return nanoseconds until the next step, MAX_VALUE if all is taken up
     */
    private long takeUp() {
        if (isTakenUp) {
            return Long.MAX_VALUE;
        }
        try {
            isTakenUp = !checks.takeUpNext();
            return isTakenUp ? Long.MAX_VALUE : 0;
        } catch (ViewsDamaged e) {
            LOG.warn("open half messages cannot be read at the moment: {}", e.getMessage());
            return TimeUnit.MILLISECONDS.toNanos(HOLD_MILLIS);
        }
    }

    /** Sees the wall clock set back, against the monotonic one or against the log, and has the checks that were set while it stood ahead judged again. */
    private void watchClock(long nowMillis) {
        long ahead = nowMillis - TimeUnit.NANOSECONDS.toMillis(clock.nanoTime());
        if (!clockWatched) {
            clockWatched = true;
            farthestAhead = ahead;
            wasSetBack = storeClock.nowMillis() - nowMillis > SET_BACK_MILLIS;
        } else if (farthestAhead - ahead > SET_BACK_MILLIS) {
            farthestAhead = ahead;
            wasSetBack = true;
        }
        farthestAhead = Math.max(farthestAhead, ahead);
        if (wasSetBack && !judging) {
            judging = true;
            wasSetBack = false;
            checks.clockSetBack(this::judged);
        }
    }

    /** Any thread. */
    private void judged(boolean settled) {
        if (!settled) {
            wasSetBack = true;
        }
        judging = false;
    }

    /** The nearest of: the end of a hold, the first entry that is not in work. An answer of the store wakes the duty anyway. */
    private long sleepNanos(long holdNanos) {
        long nextMillis = firstNotInWorkMillis();
        if (nextMillis == Long.MAX_VALUE) {
            return holdNanos; // WHEN_WOKEN if there is no hold either
        }
        long millis = Math.min(Math.max(0, nextMillis - clock.wallMillis()), LONGEST_SLEEP_MILLIS);
        return Math.min(holdNanos, TimeUnit.MILLISECONDS.toNanos(millis));
    }

    private long firstNotInWorkMillis() {
        int busy = inWork.size();
        if (busy == 0) {
            return timerStore.nextDueMillis();
        }
        if (busy > BATCH) {
            return Long.MAX_VALUE;
        }
        for (DueItem item : timerStore.dueUpTo(Long.MAX_VALUE, busy + 1).items()) {
            if (!inWork.containsKey(item.handle())) {
                return item.dueMillis();
            }
        }
        return Long.MAX_VALUE;
    }

    /** How long the nearest hold still lasts; MAX_VALUE if there is none. */
    private long releaseHeld(long nowNanos) {
        long next = Long.MAX_VALUE;
        for (Iterator<Map.Entry<Long, Long>> i = inWork.entrySet().iterator(); i.hasNext(); ) {
            long until = i.next().getValue();
            if (until == UNANSWERED) {
                continue;
            }
            if (until - nowNanos <= 0) {
                i.remove();
            } else {
                next = Math.min(next, until - nowNanos);
            }
        }
        return next;
    }

    private boolean start(DueItem item) {
        return switch (item.kind()) {
            case DELIVER -> startDelivery(item.handle());
            case CHECK -> startCheck(item.handle());
        };
    }

    private boolean startCheck(long handle) {
        if (inWork.putIfAbsent(handle, UNANSWERED) != null) {
            return false;
        }
        checks.run(handle, settled -> {
            if (settled) {
                finish(handle);
            } else {
                hold(handle, HOLD_MILLIS);
            }
        });
        return true;
    }

    private boolean startDelivery(long handle) {
        if (inWork.putIfAbsent(handle, UNANSWERED) != null) {
            return false;
        }
        try {
            PendingTimer due = timerStore.pendingTimer(handle);
            if (due == null) { // recalled since the index was read
                finish(handle);
                return true;
            }
            ByteBuffer stored = messageStore.readPending(handle);
            if (stored == null && timerStore.pendingTimer(handle) == null) {
                finish(handle);
                return true;
            }
            if (stored == null) {
                LOG.error("delayed message {} cannot be read from the log", handle);
                hold(handle, UNREADABLE_HOLD_MILLIS);
                return true;
            }
            CancelCondition unless = CancelCondition.of(stored);
            ByteBuffer instead = unless == null ? null : conditions.find(unless, CancelCondition.sinceMillis(stored));
            if (instead != null) {
                String id =
                        MessageIds.offsetId(StoredMessage.storeHost(instead, 0), StoredMessage.position(instead, 0));
                timerStore.cancel(handle, "unless " + unless + ": " + id, outcome -> fired(handle, outcome));
            } else {
                timerStore.fire(handle, visibleCopy(stored, due), outcome -> fired(handle, outcome));
            }
        } catch (RuntimeException e) {
            LOG.error(
                    "delayed message {} could not be delivered, next try in {} ms", handle, UNREADABLE_HOLD_MILLIS, e);
            hold(handle, UNREADABLE_HOLD_MILLIS);
        }
        return true;
    }

    private MessageDraft visibleCopy(ByteBuffer stored, PendingTimer due) {
        MessageDraft.Builder copy = MessageDraft.copyOf(stored, 0)
                .queueId(placement.queueOf(StoredMessage.topic(stored, 0), StoredMessage.queueId(stored, 0)));
        byte[] properties = copy.properties();
        if (MessageProperties.has(properties, MessageProperties.UNLESS)) {
            copy.properties(MessageProperties.without(
                    MessageProperties.without(properties, MessageProperties.UNLESS_SINCE), MessageProperties.UNLESS));
            properties = copy.properties();
        }
        if (MessageProperties.has(properties, MessageProperties.TIMER_OUT_MS)
                && !MessageProperties.has(properties, MessageProperties.DELAY)) {
            copy.property(MessageProperties.TIMER_OUT_MS, Long.toString(due.dueMillis())); // it may have been moved
            copy.property(MessageProperties.TIMER_DEQUEUE_MS, Long.toString(clock.wallMillis()));
        }
        return copy.build();
    }

    private void fired(long handle, Outcome outcome) {
        if (outcome instanceof Failed failed) {
            LOG.warn("delayed message {} was not delivered, the store says: {}", handle, failed.text());
            hold(handle, HOLD_MILLIS);
        } else {
            finish(handle); // delivered, or refused because it was recalled in the meantime
        }
    }

    private void finish(long handle) {
        inWork.remove(handle);
        // Under load one wake serves many answers.
        if (wakeAsked.compareAndSet(false, true)) {
            wakeup.wake();
        }
    }

    private void hold(long handle, long millis) {
        long until = clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        inWork.put(handle, until == UNANSWERED ? until - 1 : until);
        wakeup.wake();
    }
}
