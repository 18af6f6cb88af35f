/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.MessageWrites;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.DueBatch;
import io.waybill.store.view.Views;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Delayed messages, and the one order in which they and the checks of half messages are due. What always holds: a delayed
 * message is fired or cancelled, once, and its handle is the same until then.
 */
public final class TimerStore {
    private final Views views;
    private final CommitLog log;
    private final MessageStore messages;

    TimerStore(Views views, CommitLog log, MessageStore messages) {
        this.views = views;
        this.log = log;
        this.messages = messages;
    }

    // ---- changes

    /**
     * Keeps a message invisible until the broker fires it, when it is due.
     *
     * @param unique a key it must be the only one to hold, see {@link MessageStore#appendUnique}; null for none
     */
    public void appendTimer(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        log.submit(MessageWrites.appendTimer(unique, message, dueMillis, done));
    }

    /** Makes a delayed message visible as this copy. Refused: NOT_FOUND when fired or cancelled, NOT_DUE when moved to later. */
    public void fire(long handle, MessageDraft copy, Completion done) {
        log.submit(MessageWrites.fire(handle, copy, done));
    }

    /** Cancels a delayed message. Refused as NOT_FOUND when it is visible or cancelled already. */
    public void cancel(long handle, String by, Completion done) {
        log.submit(MessageWrites.cancel(handle, by, done));
    }

    /** Gives a delayed message another due time. */
    public void reschedule(long handle, long dueMillis, Completion done) {
        log.submit(MessageWrites.reschedule(handle, dueMillis, done));
    }

    // ---- pending and cancelled

    /** Null if it is not pending. */
    public PendingTimer pendingTimer(long handle) {
        return views.timers().get(handle);
    }

    /** Pending delayed messages. */
    public List<PendingTimer> pendingTimers(int max) {
        return views.timers().first(max);
    }

    public long pendingTimerCount() {
        return views.timers().count();
    }

    /** Of one topic. */
    public long pendingTimerCount(String topic) {
        return views.timers().count(topic);
    }

    /** Handles of pending delayed messages with this unique key. May block on the disk. */
    public List<Long> handlesByUniqueKey(String topic, String uniqueKey) {
        List<Long> handles = new ArrayList<>();
        for (long handle : views.timers().byKey(topic, uniqueKey)) {
            ByteBuffer message = messages.readPending(handle);
            if (message != null
                    && StoredMessage.topicEquals(message, 0, topic)
                    && uniqueKey.equals(StoredMessage.indexTerms(message, 0).uniqueKey())) {
                handles.add(handle);
            }
        }
        return handles;
    }

    /** Handles of pending delayed messages with this unique key or KEYS word, oldest first. */
    public List<Long> handlesByKey(String topic, String key) {
        return views.timers().byKey(topic, key);
    }

    /** How a delayed message was cancelled; null if it was not, or the log no longer keeps it. */
    public CancelledTimer cancelledTimer(long handle) {
        return views.timers().cancelled(handle);
    }

    /** Cancelled delayed messages with this unique key or KEYS word, as long as the log keeps that; oldest first. */
    public List<CancelledTimer> cancelledByKey(String topic, String key) {
        return views.timers().cancelledByKey(topic, key);
    }

    // ---- what is due, deliveries and checks

    /** What has to be done up to this time, deliveries and checks, earliest first. Items stay until they are acted on. */
    public DueBatch dueUpTo(long nowMillis, int max) {
        return views.schedule().upTo(nowMillis, max);
    }

    /** The time of the next due item of either kind; Long.MAX_VALUE if there is none. */
    public long nextDueMillis() {
        return views.schedule().nextMillis();
    }

    /** Runs this, by the applying thread, when {@link #nextDueMillis} moved earlier. */
    public void onDueEarlier(Runnable wake) {
        views.schedule().onEarlier(wake);
    }
}
