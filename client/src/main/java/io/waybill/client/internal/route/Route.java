/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.route;

import io.waybill.client.MessageQueue;
import java.util.List;
import java.util.Map;

/**
 * Where a topic lives. Both lists are sorted.
 *
 * @param topic the topic
 * @param writable queues of brokers with a master, with write permission
 * @param readable queues with read permission
 * @param brokers broker name to broker id to address; id 0 is the master
 * @param provisional true if the topic does not exist yet: the broker will make it at the first send
 */
public record Route(
        String topic,
        List<MessageQueue> writable,
        List<MessageQueue> readable,
        Map<String, Map<Long, String>> brokers,
        boolean provisional) {
    public static final long MASTER = 0;

    /** True if more than one broker takes writes. */
    public boolean hasSeveralWritableBrokers() {
        return !writable.isEmpty()
                && !writable.get(0)
                        .broker()
                        .equals(writable.get(writable.size() - 1).broker());
    }
}
