/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.request.Reply;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClientConnection;
import io.waybill.protocol.body.ConsumerConnections;
import io.waybill.protocol.body.ProducerConnections;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Language;
import io.waybill.protocol.header.GroupHeader;
import io.waybill.protocol.header.ProducerGroupHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;
import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** GET_CONSUMER_CONNECTION_LIST (203), GET_PRODUCER_CONNECTION_LIST (204), GET_ALL_PRODUCER_INFO (328): who is connected for a group. */
final class Connections {
    private final ClientRegistry members;

    Connections(ClientRegistry members) {
        this.members = members;
    }

    Reply consumers(Request request, GroupHeader header) {
        String name = header.consumerGroup();
        ConsumerGroup group = members.consumerGroup(name);
        if (group == null) {
            return Reply.refused(ResponseCode.CONSUMER_NOT_ONLINE, "consumer group " + name + " is not online");
        }
        Map<String, SubscriptionData> subscriptions = new TreeMap<>();
        group.subscriptions().forEach((topic, subscription) -> subscriptions.put(topic, subscription.data()));
        ConsumerConnections body = new ConsumerConnections(
                connections(group.members()),
                subscriptions,
                group.consumeType(),
                group.messageModel(),
                group.consumeFromWhere());
        return Reply.success(body.toJson());
    }

    Reply producers(Request request, ProducerGroupHeader header) {
        String name = header.producerGroup();
        Collection<ClientChannelInfo> producers = members.producers().membersOf(name);
        if (producers.isEmpty()) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "producer group " + name + " is not online");
        }
        return Reply.success(new ProducerConnections(connections(producers)).toJson());
    }

    /** 328: every producer by group. */
    Reply allProducers(Request request) {
        JsonWriter json = new JsonWriter().beginObject().name("data").beginObject();
        for (String group : members.producers().groups()) {
            json.name(group).beginArray();
            for (ClientChannelInfo member : members.producers().membersOf(group)) {
                json.beginObject()
                        .field("clientId", member.clientId())
                        .field("language", Language.name(member.language()))
                        .field("lastUpdateTimestamp", member.lastSeenMillis())
                        .field("remoteIP", "/" + text(member.connection().remoteAddress()))
                        .field("version", member.version())
                        .endObject();
            }
            json.endArray();
        }
        return Reply.success(json.endObject().endObject().toByteArray());
    }

    private static List<ClientConnection> connections(Collection<ClientChannelInfo> members) {
        return members.stream()
                .map(member -> new ClientConnection(
                        member.clientId(),
                        text(member.connection().remoteAddress()),
                        Language.name(member.language()),
                        member.version()))
                .sorted(Comparator.comparing(ClientConnection::clientId))
                .toList();
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ':' + address.getPort();
    }
}
