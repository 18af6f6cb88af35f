/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.delivery.QueueDeliveryTracker;
import io.waybill.broker.delivery.QueueOwner;
import io.waybill.broker.stats.Stats;
import io.waybill.remoting.Connection;

/**
 * Notes what readers get: in the delivery log (ADR 0017) and in the figures. By the thread that answers, before the
 * client can have it; quick, never throws and never blocks. Thread-safe.
 */
public final class Deliveries {
    private final DeliveryLog log;
    private final Stats stats;

    public Deliveries(DeliveryLog log, Stats stats) {
        this.log = log;
        this.stats = stats;
    }

    /** What a group does with a queue by pulls; to be kept for as long as one request is served. */
    public QueueDeliveryTracker tracker(String group, String topic, int queueId) {
        return log.tracker(group, topic, queueId);
    }

    /**
     * By the store time: when somebody pulled from the queue for the group last, as this run of the broker saw it; -1
     * when nobody did.
     */
    public long lastPullMillis(String group, String topic, int queueId) {
        QueueOwner puller = log.puller(group, topic, queueId);
        return puller == null ? -1 : puller.lastPullMillis();
    }

    /** Messages from an offset (inclusive) to another (exclusive) are delivered to a client of a group that pops. */
    public void popped(String group, String topic, int queueId, long from, long to, Connection connection) {
        log.delivered(group, topic, queueId, from, to, connection);
    }

    /** A client of a group that pops is done with messages from an offset (inclusive) to another (exclusive). */
    public void acknowledged(String group, String topic, int queueId, long from, long to, Connection connection) {
        log.acknowledged(group, topic, queueId, from, to, connection);
    }

    /** So many messages go out to a group. */
    public void sent(String group, String topic, int messages, long bytes) {
        stats.delivered(group, topic, messages, bytes);
    }

    /** A message of the topic became a dead letter of the group. */
    public void deadLettered(String group, String topic) {
        stats.deadLetter(group, topic);
    }

    /** Now, by the clock of {@link #readSince}. */
    public long nanos() {
        return stats.nanos();
    }

    /** A read of the store that began at this time has ended. */
    public void readSince(long fromNanos) {
        stats.read(fromNanos);
    }
}
