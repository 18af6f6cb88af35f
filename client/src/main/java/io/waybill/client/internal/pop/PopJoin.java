/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** How a consumer by pop becomes a member of its group. */
final class PopJoin {
    private PopJoin() {}

    /** With the retry topic: what was sent back to the group while it pulled lies there, and what is sent to it alone. */
    static Map<String, SubscriptionFilter> withRetries(String group, Map<String, SubscriptionFilter> subscriptions) {
        Map<String, SubscriptionFilter> all = new LinkedHashMap<>(subscriptions);
        all.put(Names.retryTopic(group), SubscriptionFilter.ALL);
        return Map.copyOf(all);
    }

    /** Tells the brokers of the topics of this member, and places a new group; leaves again if that fails. Waits. */
    static void join(
            String clientId,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            ConsumerGroup consumerGroup,
            PopApi pops) {
        GroupApi groups = new GroupApi(connections);
        membership.addConsumer(consumerGroup);
        try {
            Set<String> masters = new TreeSet<>();
            for (Map.Entry<String, SubscriptionFilter> topic :
                    consumerGroup.subscriptions().entrySet()) {
                if (Names.isRetry(topic.getKey())) {
                    continue; // it comes into being with the group
                }
                Route route =
                        ClientExceptions.await(routes.find(topic.getKey()), "finding topic " + topic.getKey(), false);
                masters.addAll(routes.masters(route));
                if (topic.getValue().isSql()) {
                    groups.checkFilter(routes.masters(route), clientId, consumerGroup, topic.getKey());
                }
            }
            ClientExceptions.await(membership.announce(masters), "joining group " + consumerGroup.group(), false);
            for (String topic : consumerGroup.subscriptions().keySet()) {
                if (!Names.isRetry(topic)) {
                    pops.beginAt(routes, topic, consumerGroup.start());
                }
            }
        } catch (RuntimeException e) {
            membership.removeConsumer(consumerGroup.group());
            throw e;
        }
    }
}
