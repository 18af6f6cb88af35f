/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
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
    private final Cluster cluster;

    AdminDelayed(Cluster cluster) {
        this.cluster = cluster;
    }

    @Override
    public Waiting list(String topic, String key, int max) {
        Checks.positive("max", max);
        if (key != null && topic == null) {
            throw Failures.invalid("a key without a topic finds nothing", "give the topic too");
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
                        Cluster.words(one, "keys"),
                        Instant.ofEpochMilli(one.requireLong("deliverTimeMillis")),
                        Cluster.instant(one, "storeTimestamp"),
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
        Checks.given("time", deliverAt);
        return change(which, deliverAt, by);
    }

    private DelayedChange change(Selector which, Instant deliverAt, String by) {
        Checks.given("what to change", which);
        Map<String, String> brokers = Cluster.only(cluster.mastersOf(which.topic()), which.broker());
        String doing = "changing the delayed messages of " + which.topic() + " named " + which.name();
        List<DelayedChange> answers = new ArrayList<>();
        brokers.forEach((broker, address) -> answers.add(
                Cluster.await(cluster.client.calls().changeTimer(address, broker, which, deliverAt, by), doing)));
        return best(answers);
    }

    /** The answers of several brokers as one. */
    static DelayedChange best(List<DelayedChange> answers) {
        DelayedChange.Answer best = DelayedChange.Answer.NEVER_EXISTED;
        List<DelayedChange.Part> parts = new ArrayList<>();
        for (DelayedChange answer : answers) {
            if (answer.answer().compareTo(best) < 0) {
                best = answer.answer();
            }
            parts.addAll(answer.messages());
        }
        return new DelayedChange(best, List.copyOf(parts));
    }

    static DelayedChange read(String broker, JsonObject json) {
        List<DelayedChange.Part> parts = new ArrayList<>();
        for (JsonObject one : json.getArray("messages").objects("messages")) {
            parts.add(new DelayedChange.Part(
                    broker,
                    one.getString("uniqueKey"),
                    one.getString("offsetMsgId"),
                    one.getLong("handle", -1),
                    answer(one),
                    Cluster.instant(one, "deliverTimeMillis")));
        }
        return new DelayedChange(answer(json), List.copyOf(parts));
    }

    private static DelayedChange.Answer answer(JsonObject json) {
        String text = json.getString("answer");
        DelayedChange.Answer answer = Cluster.constant(DelayedChange.Answer.class, text, null);
        if (answer == null) {
            throw Cluster.unknownWord("answer", text);
        }
        return answer;
    }

    static JsonWriter question(Selector which, Instant deliverAt, String by) {
        JsonWriter question = new JsonWriter().beginObject().field("topic", which.topic());
        switch (which.by()) {
            case KEY -> question.field("key", which.name());
            case MESSAGE_ID -> question.field("uniqueKey", which.name());
            case HANDLE -> question.field("handle", Long.parseLong(which.name()));
        }
        question.field("action", deliverAt == null ? "CANCEL" : "RESCHEDULE");
        if (deliverAt != null) {
            question.field("deliverTimeMillis", Outgoing.millisNotBefore(deliverAt));
        }
        if (by != null) {
            question.field("by", by);
        }
        return question.endObject();
    }
}
