/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.TagFilter;
import io.waybill.remoting.Request;

/**
 * One pull that passed its checks: where to read, how much at most, and what is wanted. When it waits, {@link Parked}
 * owns it; it is answered at most once.
 */
final class Pull {
    private final Request request;
    private final String group;
    private final String topic;
    private final int queueId;
    private final long offset;
    private final int maxCount;
    private final int maxBytes;
    private final TagFilter filter;
    private final int topicSysFlag;
    private final int groupSysFlag;

    /** Up to here nothing matched, so a wake-up need not look again. Changed under the lock of this. */
    private volatile long scannedTo;
    /** Guarded by this. */
    private boolean answered;

    private volatile long deadlineNanos;

    Pull(
            Request request,
            String group,
            String topic,
            int queueId,
            long offset,
            int maxCount,
            int maxBytes,
            TagFilter filter,
            int topicSysFlag,
            int groupSysFlag) {
        this.request = request;
        this.group = group;
        this.topic = topic;
        this.queueId = queueId;
        this.offset = offset;
        this.maxCount = maxCount;
        this.maxBytes = maxBytes;
        this.filter = filter;
        this.topicSysFlag = topicSysFlag;
        this.groupSysFlag = groupSysFlag;
        this.scannedTo = offset;
    }

    Request request() {
        return request;
    }

    String group() {
        return group;
    }

    String topic() {
        return topic;
    }

    int queueId() {
        return queueId;
    }

    /** The offset the client asked for. */
    long offset() {
        return offset;
    }

    int maxCount() {
        return maxCount;
    }

    int maxBytes() {
        return maxBytes;
    }

    TagFilter filter() {
        return filter;
    }

    int topicSysFlag() {
        return topicSysFlag;
    }

    int groupSysFlag() {
        return groupSysFlag;
    }

    long scannedTo() {
        return scannedTo;
    }

    void scannedTo(long position) {
        scannedTo = position;
    }

    boolean isAnswered() {
        return answered;
    }

    void answered() {
        answered = true;
    }

    long deadlineNanos() {
        return deadlineNanos;
    }

    void deadlineNanos(long nanos) {
        deadlineNanos = nanos;
    }
}
