/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages.Selector;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Cancels and moves delayed messages, for producers and for tools. Keeps no state. Futures fail with a {@link BrokerRefusal} or a
 * {@code RemotingException}; they complete on an I/O thread.
 */
public final class DelayedMessageApi {
    private final BrokerConnections connections;

    public DelayedMessageApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** Cancels (no time given) or moves delayed messages. */
    public CompletableFuture<DelayedChange> change(
            String address, String broker, Selector which, Instant deliverAt, String by) {
        byte[] question = question(which, deliverAt, by).toByteArray();
        return connections
                .ask(address, Command.request(RequestCode.CHANGE_TIMER).body(question))
                .thenApply(reply -> read(broker, Json.parseAnswer(reply.body())));
    }

    /** The answers of several brokers as one. */
    public static DelayedChange best(List<DelayedChange> answers) {
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

    private static DelayedChange read(String broker, JsonObject json) {
        List<DelayedChange.Part> parts = new ArrayList<>();
        for (JsonObject one : json.getArray("messages").objects("messages")) {
            parts.add(new DelayedChange.Part(
                    broker,
                    one.getString("uniqueKey"),
                    one.getString("offsetMsgId"),
                    one.getLong("handle", -1),
                    answer(one),
                    JsonValues.instant(one, "deliverTimeMillis")));
        }
        return new DelayedChange(answer(json), List.copyOf(parts));
    }

    private static DelayedChange.Answer answer(JsonObject json) {
        String text = json.getString("answer");
        DelayedChange.Answer answer = JsonValues.constant(DelayedChange.Answer.class, text, null);
        if (answer == null) {
            throw JsonValues.unknownWord("answer", text);
        }
        return answer;
    }

    private static JsonWriter question(Selector which, Instant deliverAt, String by) {
        JsonWriter question = new JsonWriter().beginObject().field("topic", which.topic());
        switch (which.by()) {
            case KEY -> question.field("key", which.name());
            case MESSAGE_ID -> question.field("uniqueKey", which.name());
            case HANDLE -> question.field("handle", Long.parseLong(which.name()));
        }
        question.field("action", deliverAt == null ? "CANCEL" : "RESCHEDULE");
        if (deliverAt != null) {
            question.field("deliverTimeMillis", EncodedMessage.millisNotBefore(deliverAt));
        }
        if (by != null) {
            question.field("by", by);
        }
        return question.endObject();
    }
}
