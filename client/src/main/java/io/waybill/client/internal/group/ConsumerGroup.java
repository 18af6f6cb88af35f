/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.StartFrom;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.SubscriptionData;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A consumer group as brokers must know it.
 *
 * @param type how it gets messages, one of the constants of {@link ConsumerData}
 * @param broadcast every member gets every message
 * @param subscriptions topic to filter, the retry topic included
 * @param version of the subscriptions; a later one replaces them
 */
public record ConsumerGroup(
        String group,
        String type,
        boolean broadcast,
        StartFrom start,
        Map<String, SubscriptionFilter> subscriptions,
        long version) {
    /** A group whose members ask for messages of queues they choose: no rebalance among them. */
    public static ConsumerGroup pulling(
            String group, StartFrom start, Map<String, SubscriptionFilter> subscriptions, long version) {
        return new ConsumerGroup(group, ConsumerData.CONSUME_ACTIVELY, false, start, subscriptions, version);
    }

    public List<SubscriptionData> wireSubscriptions() {
        List<SubscriptionData> all = new ArrayList<>();
        subscriptions.forEach((topic, filter) -> all.add(filter.subscription(topic, version)));
        return all;
    }
}
