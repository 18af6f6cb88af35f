/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.delivery.QueueDeliveryTracker;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.HeldRequest;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Request;

/**
 * One pull that passed its checks: where to read, how much at most, and on which terms, by the rules in force when
 * those were decided.
 */
final class Pull extends HeldRequest {
    /** It just came. */
    static final int FIRST = FIRST_OWN_REASON;
    /** The offset of its group was reset. */
    static final int RESET = FIRST_OWN_REASON << 1;

    /** What a pull that waits and its places in the tables take. */
    private static final int HELD_BYTES = 250;

    private final PullService service;
    private final PullHeader header;
    private final int maxCount;
    private final int maxBytes;

    // Of whoever works on the pull.
    private PullTerms terms;
    private long decidedAt;
    private long scannedTo;
    private long heldNanos;
    private QueueDeliveryTracker tracker;

    Pull(PullService service, Request request, PullHeader header, int maxCount, int maxBytes) {
        super(request);
        this.service = service;
        this.header = header;
        this.maxCount = maxCount;
        this.maxBytes = maxBytes;
        this.scannedTo = header.queueOffset();
    }

    @Override
    public void advance(int reasons) {
        if (begin(reasons)) {
            service.work(this);
        }
    }

    // ---- what was asked for

    PullHeader header() {
        return header;
    }

    @Override
    public String group() {
        return header.consumerGroup();
    }

    @Override
    public String topic() {
        return header.topic();
    }

    int queueId() {
        return header.queueId();
    }

    @Override
    public String toString() {
        return super.toString() + ", queue " + queueId() + ", offset " + offset();
    }

    /** The offset the client asked for. */
    long offset() {
        return header.queueOffset();
    }

    int maxCount() {
        return maxCount;
    }

    int maxBytes() {
        return maxBytes;
    }

    /** Whether its client replays: reads again what was consumed before. */
    boolean isReplay() {
        return (header.sysFlag() & PullHeader.FLAG_REPLAY) != 0;
    }

    // ---- what was decided about it

    /** Sets the terms, as decided when the rules had this number. */
    void decided(PullTerms newTerms, long number) {
        terms = newTerms;
        decidedAt = number;
    }

    PullTerms terms() {
        return terms;
    }

    long decidedAt() {
        return decidedAt;
    }

    /** The group whose heartbeats say what this pull gets; null for one that carries its subscription. */
    ConsumerGroup subscribedGroup() {
        return terms.subscribedGroup();
    }

    /** Its filter counts if it is its own; one that came with a heartbeat belongs to the member. */
    @Override
    public int heldBytes() {
        return HELD_BYTES + (subscribedGroup() == null ? terms.filter().weightBytes() : 0);
    }

    // ---- how far it is

    /** Up to here nothing matched, so nobody need look again. */
    long scannedTo() {
        return scannedTo;
    }

    void scannedTo(long offset) {
        scannedTo = offset;
    }

    /** Where it is noted what it got. */
    QueueDeliveryTracker tracker() {
        return tracker;
    }

    void tracker(QueueDeliveryTracker ofQueue) {
        tracker = ofQueue;
    }

    /** When it began to wait. */
    long heldNanos() {
        return heldNanos;
    }

    void heldNanos(long nanos) {
        heldNanos = nanos;
    }
}
