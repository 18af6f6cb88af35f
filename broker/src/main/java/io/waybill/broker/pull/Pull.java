/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.delivery.QueueDeliveryTracker;
import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.request.DrainLoop;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Request;

/**
 * One pull that passed its checks: where to read, how much at most, and what is wanted by the rules in force when that was decided.
 *
 * <p>What always holds: at most one thread works on a pull at a time, and it is answered at most once. Whoever wants
 * something of a pull notes the reason with {@link #begin}; if another thread works on it right now, that thread sees the
 * reason when it ends its turn. So nobody ever waits for anybody, and no reason is lost.
 */
final class Pull extends DrainLoop {
    /** It just came. */
    static final int FIRST = 1;
    /** Its queue may have more. */
    static final int LOOK = 1 << 1;
    /** Its time is over. */
    static final int EXPIRE = 1 << 2;
    /** The offset of its group was reset. */
    static final int RESET = 1 << 3;

    private final Request request;
    private final PullHeader header;
    private final int maxCount;
    private final int maxBytes;

    // Of whoever works on the pull.
    private Filter filter;
    private Filter told;
    private int topicSysFlag;
    private int groupSysFlag;
    private long decidedAt;
    private long scannedTo;
    private long deadlineNanos;
    private long notBeforeNanos;
    private boolean isThrottled;
    private ConsumerGroup subscribedGroup;
    private QueueDeliveryTracker tracker;
    private boolean isReplay;
    private long heldNanos;
    private volatile PullLongPolling.Place place;

    Pull(Request request, PullHeader header, int maxCount, int maxBytes) {
        this.request = request;
        this.header = header;
        this.maxCount = maxCount;
        this.maxBytes = maxBytes;
        this.scannedTo = header.queueOffset();
    }

    // ---- what it wants

    Request request() {
        return request;
    }

    PullHeader header() {
        return header;
    }

    String group() {
        return header.consumerGroup();
    }

    String topic() {
        return header.topic();
    }

    int queueId() {
        return header.queueId();
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

    // ---- what was decided about it

    /** Sets what it gets, as decided when the rules had this number. */
    void decided(PullChecks.Checked checked, long number) {
        told = checked.told();
        filter = checked.filter();
        topicSysFlag = checked.topic().topicSysFlag();
        groupSysFlag = checked.group().groupSysFlag();
        subscribedGroup = checked.subscribedGroup();
        decidedAt = number;
    }

    /** What its client was known to want; null when nobody said it. */
    Filter told() {
        return told;
    }

    long decidedAt() {
        return decidedAt;
    }

    Filter filter() {
        return filter;
    }

    /** What its filter takes if it is its own; one that came with a heartbeat belongs to the member. */
    int filterBytes() {
        return subscribedGroup == null ? filter.weightBytes() : 0;
    }

    int topicSysFlag() {
        return topicSysFlag;
    }

    int groupSysFlag() {
        return groupSysFlag;
    }

    // ---- how far it is

    /** Up to here nothing matched, so nobody need look again. */
    long scannedTo() {
        return scannedTo;
    }

    void scannedTo(long position) {
        scannedTo = position;
    }

    /** Whether it waits for its group's rate, and another look at this time is arranged. */
    boolean isThrottledUntil(long nowNanos) {
        return isThrottled && notBeforeNanos - nowNanos > 0;
    }

    void throttledUntil(long nanos) {
        isThrottled = true;
        notBeforeNanos = nanos;
    }

    /** The group whose heartbeats say what this pull wants; null for one that carries its subscription. */
    ConsumerGroup subscribedGroup() {
        return subscribedGroup;
    }

    /** Where it is noted what it got. */
    QueueDeliveryTracker tracker() {
        return tracker;
    }

    void tracker(QueueDeliveryTracker ofQueue) {
        tracker = ofQueue;
    }

    /** Whether its client replays: reads again what was consumed before. */
    boolean isReplay() {
        return isReplay;
    }

    void replay(boolean replays) {
        isReplay = replays;
    }

    /** When it stops waiting. */
    long deadlineNanos() {
        return deadlineNanos;
    }

    void deadlineNanos(long nanos) {
        deadlineNanos = nanos;
    }

    /** When it began to wait. */
    long heldNanos() {
        return heldNanos;
    }

    void heldNanos(long nanos) {
        heldNanos = nanos;
    }

    /** Where it waits; null while it never did. */
    PullLongPolling.Place place() {
        return place;
    }

    void place(PullLongPolling.Place waitsAt) {
        place = waitsAt;
    }
}
