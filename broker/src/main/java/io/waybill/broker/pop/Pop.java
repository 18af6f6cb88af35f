/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.request.DrainLoop;
import io.waybill.broker.retry.RetriesExhausted;
import io.waybill.protocol.header.PopHeader;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One pop, peek or notification that passed its checks: where to look, how much at most, what is wanted, and what was found so far.
 *
 * <p>What always holds: at most one thread works on a pop at a time, and it is answered at most once. Whoever wants something of a pop notes the
 * reason with {@link #begin}; if another thread works on it right now, that thread sees the reason when it ends its turn.
 */
final class Pop extends DrainLoop {
    /** What is done with the messages. */
    enum Kind {
        TAKE,
        PEEK,
        NOTIFY
    }

    /** A queue may have something for it. */
    static final int LOOK = 1;
    /** Its time is over, or it does not wait at all. */
    static final int EXPIRE = 1 << 1;

    /**
     * What was asked for.
     *
     * @param queueId -1 for any
     * @param mostRetries of the group
     */
    record Wish(
            Kind kind,
            String group,
            String topic,
            int queueId,
            int queueCount,
            int maxCount,
            int maxBytes,
            long invisibleMillis,
            boolean fromMax,
            boolean order,
            String attemptId,
            String expression,
            Filter filter,
            int mostRetries) {}

    private final Request request;
    private final PopChecks.Asked asked;
    private final int firstQueue;
    /** Replaced by whoever works on the pop. */
    private volatile Wish wish;

    // Of whoever works on the pop.
    private final List<ByteBuffer> slices = new ArrayList<>(4);
    private final StringBuilder starts = new StringBuilder();
    private final StringBuilder offsets = new StringBuilder();
    private final StringBuilder orderCounts = new StringBuilder();
    /** Up to where messages that others want were left alone, by queue. */
    private Map<Integer, Long> scannedTo = Map.of();

    private long popMillis;
    private long nowMillis;
    private int queuesSeen;
    private int count;
    private int granted;
    private int bytes;
    private long rest;
    private boolean expired;
    private boolean contended;
    private boolean damaged;
    private boolean outdated;
    private int outdatedTurns;
    private long decidedAt;
    private boolean waited;
    private long deadlineNanos;
    /** Steps of the log that must be stored before the answer; one more for the thread that works on the pop. */
    private final AtomicInteger unstored = new AtomicInteger(1);

    private Runnable answer;

    private volatile PopLongPolling.Place place;
    private volatile boolean looksAgain;

    /** @param firstQueue where to begin when any queue will do */
    Pop(Request request, PopChecks.Asked asked, Wish wish, long decidedAt, int firstQueue) {
        this.request = request;
        this.asked = asked;
        this.wish = wish;
        this.decidedAt = decidedAt;
        this.firstQueue = firstQueue;
    }

    Request request() {
        return request;
    }

    Wish wish() {
        return wish;
    }

    PopChecks.Asked asked() {
        return asked;
    }

    // ---- what was decided about it

    /** Sets what it gets, as decided when the rules had this number. */
    void decided(PopChecks.Checked checked, long number) {
        int mostRetries = wish.kind() == Kind.TAKE ? RetriesExhausted.mostRetries(checked.group()) : wish.mostRetries();
        wish = new Wish(
                wish.kind(),
                wish.group(),
                wish.topic(),
                wish.queueId(),
                checked.topic().readQueueNums(),
                wish.maxCount(),
                wish.maxBytes(),
                wish.invisibleMillis(),
                wish.fromMax(),
                wish.order(),
                wish.attemptId(),
                checked.expression(),
                checked.filter(),
                mostRetries);
        decidedAt = number;
    }

    long decidedAt() {
        return decidedAt;
    }

    /** What it gets has to be decided anew before it may take anything more. */
    void outdated() {
        outdated = true;
    }

    boolean isOutdated() {
        return outdated;
    }

    /** How often that was so at the end of a turn, this time included. */
    int outdatedTurns() {
        return ++outdatedTurns;
    }

    // ---- a turn

    /** Begins to look at every queue once more; what was found before is kept. */
    void startTurn(int reasons, PopClock clock) {
        expired |= (reasons & EXPIRE) != 0;
        contended = false;
        damaged = false;
        outdated = false;
        queuesSeen = 0;
        rest = 0;
        if (count == 0) {
            popMillis = clock.stampMillis();
            nowMillis = clock.nowMillis();
        }
    }

    /** How many messages the group may get in this turn, this pop's earlier ones not counted. */
    void grant(int messages) {
        granted = count + messages;
    }

    /** What was granted in this turn and not used. */
    int unused() {
        int rest = granted - count;
        granted = count;
        return rest;
    }

    /** The next queue to look at, or -1. It stays the next one until {@link #queueSeen}. */
    int nextQueue() {
        if (wish.queueId() >= 0) {
            return queuesSeen == 0 ? wish.queueId() : -1;
        }
        return queuesSeen < wish.queueCount() ? (firstQueue + queuesSeen) % wish.queueCount() : -1;
    }

    void queueSeen(long restOfQueue) {
        queuesSeen++;
        rest += restOfQueue;
    }

    boolean waitsFor(int queueId) {
        return wish.queueId() == PopHeader.ANY_QUEUE || wish.queueId() == queueId;
    }

    boolean isFull() {
        return roomForCount() <= 0 || bytes >= wish.maxBytes();
    }

    int roomForCount() {
        return Math.min(wish.maxCount(), granted) - count;
    }

    int roomForBytes() {
        return wish.maxBytes() - bytes;
    }

    int count() {
        return count;
    }

    /** The name of what it takes. */
    long popMillis() {
        return popMillis;
    }

    /** The time of the turn, by which invisibilities end. */
    long nowMillis() {
        return nowMillis;
    }

    long rest() {
        return rest;
    }

    boolean isExpired() {
        return expired;
    }

    /** Somebody else worked on a queue just now, and lets this pop look again afterwards. */
    void contended() {
        contended = true;
    }

    boolean isContended() {
        return contended;
    }

    void damaged() {
        damaged = true;
    }

    boolean isDamaged() {
        return damaged;
    }

    long scannedTo(int queueId) {
        return scannedTo.getOrDefault(queueId, 0L);
    }

    void scannedTo(int queueId, long offset) {
        if (scannedTo.isEmpty()) {
            scannedTo = new HashMap<>(4);
        }
        scannedTo.put(queueId, offset);
    }

    // ---- what was found

    /** Messages of one queue, ascending. */
    void found(int queueId, List<Given> messages) {
        String mark = PopQueues.topicMark(wish.topic());
        if (starts.length() > 0) {
            starts.append(';');
            offsets.append(';');
        }
        starts.append(mark)
                .append(' ')
                .append(queueId)
                .append(' ')
                .append(messages.get(0).offset());
        offsets.append(mark).append(' ').append(queueId).append(' ');
        for (int i = 0; i < messages.size(); i++) {
            Given given = messages.get(i);
            offsets.append(i == 0 ? "" : ",").append(given.offset());
            slices.add(given.message());
            bytes += given.message().remaining();
            if (wish.order() && given.deliveries() > 1) {
                orderCounts.append(orderCounts.length() == 0 ? "" : ";");
                orderCounts
                        .append(mark)
                        .append(" qo")
                        .append(queueId)
                        .append('%')
                        .append(given.offset());
                orderCounts.append(' ').append(given.deliveries() - 1);
            }
        }
        count += messages.size();
    }

    /**
     * A message handed out.
     *
     * @param deliveries this one included
     */
    record Given(long offset, ByteBuffer message, int deliveries) {}

    List<ByteBuffer> slices() {
        return slices;
    }

    String starts() {
        return starts.toString();
    }

    String offsets() {
        return offsets.toString();
    }

    /** Null when there is nothing to say. */
    String orderCounts() {
        return orderCounts.length() == 0 ? null : orderCounts.toString();
    }

    // ---- its end

    /** The answer has to wait for one more step of the log. */
    void waitForStored() {
        unstored.incrementAndGet();
    }

    /** Such a step is stored, or refused, or the thread that works on the pop has made its answer: the last one sends it. */
    void stored() {
        if (unstored.decrementAndGet() == 0) {
            answer.run();
        }
    }

    /** Sends this once everything is stored that it has to wait for. */
    void answer(Runnable sending) {
        answer = sending;
        stored();
    }

    /** True once, for a pop that waits. */
    boolean isFirstWait() {
        boolean first = !waited;
        waited = true;
        return first;
    }

    long deadlineNanos() {
        return deadlineNanos;
    }

    void deadlineNanos(long nanos) {
        deadlineNanos = nanos;
    }

    /** Where it waits; null while it never did. */
    PopLongPolling.Place place() {
        return place;
    }

    void place(PopLongPolling.Place waitsAt) {
        place = waitsAt;
    }

    /** Whether it is arranged that it looks once more, since its group gets no more for the moment. */
    boolean looksAgain() {
        return looksAgain;
    }

    void looksAgain(boolean isArranged) {
        looksAgain = isArranged;
    }
}
