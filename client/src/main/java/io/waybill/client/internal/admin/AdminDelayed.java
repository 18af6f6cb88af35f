/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.send.DelayedMessageApi;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** Delayed messages, of all brokers together. */
final class AdminDelayed implements DelayedMessages {
    private final AdminConnections cluster;
    private final DelayedMessageApi changes;

    AdminDelayed(AdminConnections cluster) {
        this.cluster = cluster;
        this.changes = new DelayedMessageApi(cluster.connections);
    }

    @Override
    public Waiting list(String topic, String key, int max) {
        ArgumentChecks.positive("max", max);
        if (key != null && topic == null) {
            throw ClientExceptions.invalid("a key without a topic finds nothing", "give the topic too");
        }
        List<DelayedMessage> all = new ArrayList<>();
        long pending = 0;
        Map<String, String> brokers = topic == null ? cluster.living() : cluster.mastersOf(topic);
        for (Map.Entry<String, String> broker : brokers.entrySet()) {
            JsonWriter question = new JsonWriter().beginObject().field("max", max);
            if (topic != null) {
                question.field("topic", topic);
            }
            if (key != null) {
                question.field("key", key);
            }
            JsonObject answer = cluster.json(
                    broker.getValue(),
                    RequestCode.LIST_TIMERS,
                    question.endObject(),
                    "asking " + broker.getKey() + " for delayed messages");
            pending += answer.getLong("pending", 0);
            for (JsonObject one : answer.getArray("timers").objects("timers")) {
                all.add(new DelayedMessage(
                        broker.getKey(),
                        one.requireLong("handle"),
                        one.getString("uniqueKey"),
                        one.getString("topic"),
                        one.getInt("queueId", 0),
                        JsonValues.words(one, "keys"),
                        Instant.ofEpochMilli(one.requireLong("deliverTimeMillis")),
                        JsonValues.instant(one, "storeTimestamp"),
                        one.getString("unless")));
            }
        }
        all.sort(Comparator.comparing(DelayedMessage::deliverAt));
        return new Waiting(pending, List.copyOf(all.subList(0, Math.min(max, all.size()))));
    }

    @Override
    public DelayedChange cancel(Selector which, String by) {
        return change(which, null, by);
    }

    @Override
    public DelayedChange reschedule(Selector which, Instant deliverAt, String by) {
        ArgumentChecks.given("time", deliverAt);
        return change(which, deliverAt, by);
    }

    private DelayedChange change(Selector which, Instant deliverAt, String by) {
        ArgumentChecks.given("what to change", which);
        Map<String, String> brokers = AdminConnections.only(cluster.mastersOf(which.topic()), which.broker());
        String doing = "changing the delayed messages of " + which.topic() + " named " + which.name();
        List<DelayedChange> answers = new ArrayList<>();
        brokers.forEach((broker, address) ->
                answers.add(AdminConnections.await(changes.change(address, broker, which, deliverAt, by), doing)));
        return DelayedMessageApi.best(answers);
    }
}
