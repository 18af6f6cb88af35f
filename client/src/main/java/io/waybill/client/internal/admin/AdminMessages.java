/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.MessageHistory;
import io.waybill.client.Messages;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Stored messages, of all brokers together. */
final class AdminMessages implements Messages {
    /** The most copies of one message id that are asked for. */
    private static final int UNIQUE_MAX = 32;

    private final AdminConnections cluster;
    private final MessageQueryApi messages;

    AdminMessages(AdminConnections cluster) {
        this.cluster = cluster;
        this.messages = new MessageQueryApi(cluster.connections);
    }

    @Override
    public List<ReceivedMessage> byKey(String topic, String key, int max) {
        return byKey(topic, key, max, Instant.EPOCH, Instant.ofEpochMilli(Long.MAX_VALUE));
    }

    @Override
    public List<ReceivedMessage> byKey(String topic, String key, int max, Instant from, Instant to) {
        ArgumentChecks.positive("max", max);
        List<InboundMessage> found = new ArrayList<>();
        cluster.mastersOf(topic).forEach((broker, address) -> {
            // The broker keeps business keys and message ids apart, and a caller may have either.
            for (Message stored : query(address, topic, key, max, from, to, false)) {
                add(found, InboundMessage.of(stored, broker), key);
            }
            for (Message stored : query(address, topic, key, UNIQUE_MAX, from, to, true)) {
                add(found, InboundMessage.of(stored, broker), key);
            }
        });
        found.sort(Comparator.comparingLong(message -> message.stored().storeTimestamp()));
        return List.copyOf(found.subList(0, Math.min(max, found.size())));
    }

    private List<Message> query(
            String address, String topic, String key, int max, Instant from, Instant to, boolean unique) {
        return AdminConnections.await(
                messages.byKey(address, topic, key, max, from.toEpochMilli(), to.toEpochMilli(), unique),
                "asking for messages of " + topic + " with key " + key);
    }

    /** A broker may find by a hash of the key, as stock ones do: what has another key is left out here. */
    private static void add(List<InboundMessage> found, InboundMessage message, String key) {
        boolean known = found.stream()
                .anyMatch(other ->
                        other.stored().offsetId().equals(message.stored().offsetId()));
        if (!known && (message.keys().contains(key) || message.messageId().equals(key))) {
            found.add(message);
        }
    }

    @Override
    public Optional<ReceivedMessage> byId(String topic, String id) {
        Map<String, String> masters = cluster.mastersOf(topic);
        for (Map.Entry<String, String> broker : masters.entrySet()) {
            for (Message stored : query(
                    broker.getValue(),
                    topic,
                    id,
                    UNIQUE_MAX,
                    Instant.EPOCH,
                    Instant.ofEpochMilli(Long.MAX_VALUE),
                    true)) {
                InboundMessage message = InboundMessage.of(stored, broker.getKey());
                if (message.messageId().equals(id)) {
                    return Optional.of(message);
                }
            }
        }
        if (!MessageIds.isOffsetId(id)) {
            return Optional.empty();
        }
        // Only brokers of the topic are asked: an id from outside must not make this process connect anywhere.
        long position = MessageIds.decode(id).position();
        for (Map.Entry<String, String> broker : masters.entrySet()) {
            try {
                Message stored =
                        AdminConnections.await(messages.at(broker.getValue(), position), "asking for message " + id);
                if (stored.offsetId().equalsIgnoreCase(id)) {
                    return Optional.of(InboundMessage.of(stored, broker.getKey()));
                }
            } catch (WaybillException e) {
                if (e.code() < 0) {
                    throw e;
                }
            }
        }
        return Optional.empty();
    }

    @Override
    public List<MessageHistory> history(String topic, String id) {
        return histories(topic, "id", id);
    }

    @Override
    public List<MessageHistory> historyByKey(String topic, String key) {
        return histories(topic, "key", key);
    }

    private List<MessageHistory> histories(String topic, String kind, String name) {
        ArgumentChecks.given(kind, name);
        JsonWriter question = new JsonWriter().beginObject().field(kind, name);
        if (topic != null) {
            question.field("topic", topic);
        }
        question.endObject();
        List<MessageHistory> histories = new ArrayList<>();
        cluster.living()
                .forEach((broker, address) -> cluster.find(
                                address,
                                RequestCode.TRACE_MESSAGE,
                                question,
                                "asking " + broker + " for the history of " + name)
                        .ifPresent(answer -> {
                            for (JsonObject one : answer.getArray("messages").objects("messages")) {
                                histories.add(history(broker, one));
                            }
                        }));
        return List.copyOf(histories);
    }

    private static MessageHistory history(String broker, JsonObject json) {
        List<MessageHistory.Event> events = new ArrayList<>();
        for (JsonObject one : json.getArray("events").objects("events")) {
            Map<String, String> more = JsonValues.texts(one);
            more.keySet().removeAll(List.of("timestamp", "event", "group", "client", "sentence"));
            events.add(new MessageHistory.Event(
                    Instant.ofEpochMilli(one.getLong("timestamp", 0)),
                    one.getString("event"),
                    one.getString("group"),
                    one.getString("client"),
                    one.getString("sentence", ""),
                    more));
        }
        return new MessageHistory(
                broker,
                json.getString("topic"),
                json.getString("uniqueKey"),
                json.getString("offsetMsgId"),
                List.copyOf(events));
    }
}
