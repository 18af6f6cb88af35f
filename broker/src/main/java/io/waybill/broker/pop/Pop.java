/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.HeldRequest;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One pop, peek or notification that passed its checks: where to scan, how much at most, on which terms, and what was
 * found so far. A turn scans every queue once more; what was found before is kept.
 */
final class Pop extends HeldRequest {
    /** What a pop that waits and its places in the tables take. */
    private static final int HELD_BYTES = 600;

    private final PopService service;
    private final PopParameters parameters;
    private final int firstQueue;
    /** Replaced by whoever works on the pop. */
    private volatile PopTerms terms;

    // Of whoever works on the pop.
    /** Null while nothing was found. */
    private PopFindings findings;
    /** Up to where messages for other members were left alone, by queue. */
    private Map<Integer, Long> scannedTo = Map.of();

    private long popMillis;
    private long nowMillis;
    private int queuesSeen;
    private int granted;
    private long rest;
    private boolean expired;
    private boolean contended;
    private boolean damaged;
    private boolean outdated;
    private int outdatedTurns;
    private long decidedAt;
    private boolean waited;
    /** Steps of the log that must be stored before the answer; one more for the thread that works on the pop. */
    private final AtomicInteger unstored = new AtomicInteger(1);

    private Runnable answer;

    /** @param firstQueue where to begin when any queue will do */
    Pop(PopService service, Request request, PopParameters parameters, PopTerms terms, long decidedAt, int firstQueue) {
        super(request);
        this.service = service;
        this.parameters = parameters;
        this.terms = terms;
        this.decidedAt = decidedAt;
        this.firstQueue = firstQueue;
    }

    @Override
    public void advance(int reasons) {
        if (begin(reasons)) {
            service.work(this, false);
        }
    }

    PopParameters parameters() {
        return parameters;
    }

    @Override
    public String group() {
        return parameters.group();
    }

    @Override
    public String topic() {
        return parameters.topic();
    }

    @Override
    public int heldBytes() {
        return HELD_BYTES + terms.filter().weightBytes();
    }

    // ---- what was decided about it

    /** Sets the terms, as decided when the rules had this number. */
    void decided(PopTerms newTerms, long number) {
        terms = newTerms;
        decidedAt = number;
    }

    PopTerms terms() {
        return terms;
    }

    long decidedAt() {
        return decidedAt;
    }

    /** The terms have to be decided anew before it may lease anything more. */
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

    /** Begins to scan every queue once more; what was found before is kept. */
    void startTurn(int reasons, PopClock clock) {
        expired |= (reasons & EXPIRE) != 0;
        contended = false;
        damaged = false;
        outdated = false;
        queuesSeen = 0;
        rest = 0;
        if (count() == 0) {
            popMillis = clock.stampMillis();
            nowMillis = clock.nowMillis();
        }
    }

    /** How many messages the group may get in this turn, this pop's earlier ones not counted. */
    void grant(int messages) {
        granted = count() + messages;
    }

    /** What was granted in this turn and not used. */
    int unused() {
        int unused = granted - count();
        granted = count();
        return unused;
    }

    /** The next queue to scan, or -1. It stays the next one until {@link #queueSeen}. */
    int nextQueue() {
        if (parameters.queueId() >= 0) {
            return queuesSeen == 0 ? parameters.queueId() : -1;
        }
        int queues = terms.queueCount();
        return queuesSeen < queues ? (firstQueue + queuesSeen) % queues : -1;
    }

    void queueSeen(long restOfQueue) {
        queuesSeen++;
        rest += restOfQueue;
    }

    boolean waitsFor(int queueId) {
        return parameters.isAnyQueue() || parameters.queueId() == queueId;
    }

    boolean isFull() {
        return roomForCount() <= 0 || roomForBytes() <= 0;
    }

    int roomForCount() {
        return Math.min(parameters.maxCount(), granted) - count();
    }

    int roomForBytes() {
        return parameters.maxBytes() - (findings == null ? 0 : findings.bytes());
    }

    /** Names what it leases. */
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

    /** Another pop scanned a queue just now, and lets this pop look again afterwards. */
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
    void found(int queueId, List<DeliveredMessage> messages) {
        if (findings == null) {
            findings = new PopFindings(PopQueues.topicMark(parameters.topic()));
        }
        findings.add(queueId, messages, parameters.order());
    }

    int count() {
        return findings == null ? 0 : findings.count();
    }

    List<ByteBuffer> slices() {
        return findings == null ? List.of() : findings.slices();
    }

    String starts() {
        return findings == null ? "" : findings.starts();
    }

    String offsets() {
        return findings == null ? "" : findings.offsets();
    }

    /** Null when there is nothing to say. */
    String orderCounts() {
        return findings == null ? null : findings.orderCounts();
    }

    // ---- its end

    /** The answer has to wait for one more step of the log. */
    void waitForStored() {
        unstored.incrementAndGet();
    }

    /**
     * Such a step is stored, or refused, or the thread that works on the pop has made its answer: the last one sends
     * it.
     */
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
}
