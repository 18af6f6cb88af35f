/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.protocol.body.BrokerData;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.TopicRoute;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Between the bodies of the protocol and the types of the client. */
final class WireBodies {
    private WireBodies() {}

    static Route route(String topic, ByteBuffer body) {
        TopicRoute wire = TopicRoute.parse(body);
        Map<String, Map<Long, String>> brokers = new TreeMap<>();
        for (BrokerData broker : wire.brokerDatas()) {
            brokers.put(broker.brokerName(), Map.copyOf(broker.brokerAddrs()));
        }
        List<MessageQueue> writable = new ArrayList<>();
        List<MessageQueue> readable = new ArrayList<>();
        for (QueueData queues : wire.queueDatas()) {
            Map<Long, String> addresses = brokers.get(queues.brokerName());
            if (addresses == null) {
                continue;
            }
            if (Perm.isWriteable(queues.perm()) && addresses.containsKey(BrokerData.MASTER_ID)) {
                add(writable, topic, queues.brokerName(), queues.writeQueueNums());
            }
            if (Perm.isReadable(queues.perm())) {
                add(readable, topic, queues.brokerName(), queues.readQueueNums());
            }
        }
        writable.sort(null);
        readable.sort(null);
        return new Route(topic, List.copyOf(writable), List.copyOf(readable), Map.copyOf(brokers), false);
    }

    private static void add(List<MessageQueue> target, String topic, String broker, int count) {
        for (int id = 0; id < count; id++) {
            target.add(new MessageQueue(topic, broker, id));
        }
    }

    static byte[] heartbeat(
            String clientId, Collection<Membership.Consumer> consumers, Collection<String> producerGroups) {
        List<ConsumerData> groups = new ArrayList<>();
        for (Membership.Consumer consumer : consumers) {
            List<SubscriptionData> subscriptions = consumer.wireSubscriptions();
            groups.add(new ConsumerData(
                    consumer.group(),
                    consumer.type(),
                    consumer.broadcast() ? ConsumerData.BROADCASTING : ConsumerData.CLUSTERING,
                    from(consumer.start()),
                    subscriptions,
                    false));
        }
        return new HeartbeatData(clientId, groups, List.copyOf(producerGroups)).toJson();
    }

    private static String from(StartFrom start) {
        return switch (start.policy()) {
            case FIRST -> ConsumerData.FROM_FIRST_OFFSET;
            case LAST -> ConsumerData.FROM_LAST_OFFSET;
            case TIME -> ConsumerData.FROM_TIMESTAMP;
        };
    }

    static byte[] lock(String clientId, String group, List<MessageQueue> queues) {
        Set<io.waybill.protocol.body.MessageQueue> wire = new LinkedHashSet<>();
        queues.forEach(queue ->
                wire.add(new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id())));
        return new LockBatchBody(group, clientId, wire, false).toJson();
    }

    static List<MessageQueue> locked(ByteBuffer body) {
        return LockBatchReply.parse(body).lockOKMQSet().stream()
                .map(WireBodies::queue)
                .toList();
    }

    static MessageQueue queue(io.waybill.protocol.body.MessageQueue wire) {
        return new MessageQueue(wire.topic(), wire.brokerName(), wire.queueId());
    }
}
