/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

/**
 * The queue in which a message becomes visible now. A message that waited (delayed, in a transaction, for a retry) may come from a time when its topic
 * had more queues; put into one of those, nobody would read it.
 */
@FunctionalInterface
public interface TargetQueueSelector {
    /** The queue it was sent to if consumers still read it, else one that depends on that number alone, so that what is ordered stays together. */
    int queueOf(String topic, int queueId);
}
