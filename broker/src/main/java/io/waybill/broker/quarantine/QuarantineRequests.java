/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** QUARANTINE (30571): lists, quarantines, releases and discards keys of a group. */
final class QuarantineRequests {
    private static final Logger log = LoggerFactory.getLogger(QuarantineRequests.class);
    private static final int MOST_TEXT = 256;

    private final Quarantine quarantine;
    private final QuarantineRelease release;
    private final Store store;
    private final Predicate<String> groupExists;
    private final Executor blocking;

    /** @param blocking for reading messages from the disk */
    QuarantineRequests(
            Quarantine quarantine,
            QuarantineRelease release,
            Store store,
            Predicate<String> groupExists,
            Executor blocking) {
        this.quarantine = quarantine;
        this.release = release;
        this.store = store;
        this.groupExists = groupExists;
        this.blocking = blocking;
    }

    void register(Routes routes) {
        routes.on(RequestCode.QUARANTINE, this::handle);
    }

    private void handle(Request request) {
        JsonObject wanted = Json.parse(request.command().body());
        String group = wanted.requireString("group");
        String illegal = Names.checkGroup(group);
        if (illegal != null) {
            throw new BadField("group", "the name of a consumer group", group);
        }
        String action = wanted.requireString("action");
        if (action.equals("LIST")) {
            AdminLog.onlyRead(request);
            list(request, group);
            return;
        }
        String topic = text("topic", wanted.requireString("topic"));
        String key = text("key", wanted.requireString("key"));
        String by = text("by", wanted.getString("by", "somebody")) + " at " + RequestOrigin.address(request);
        String reason = text("reason", wanted.getString("reason", "no reason given"));
        switch (action) {
            case "QUARANTINE" -> {
                if (!groupExists.test(group)) {
                    request.refuse(
                            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + group + "' does not exist here");
                    return;
                }
                int queueId = wanted.getInt("queueId", -1);
                long offset = wanted.getLong("offset", -1);
                guarded(
                        request,
                        () -> quarantine.add(
                                group,
                                firstTopic(topic, queueId, offset),
                                key,
                                reason,
                                by,
                                (changed, refusal) -> quarantined(request, changed, refusal)));
            }
            case "RELEASE" ->
                guarded(
                        request,
                        () -> release.release(
                                group,
                                topic,
                                key,
                                by,
                                (messages, refusal) -> ended(request, key, "RELEASED", messages, refusal)));
            case "DISCARD" ->
                guarded(
                        request,
                        () -> release.discard(
                                group,
                                topic,
                                key,
                                by,
                                (messages, refusal) -> ended(request, key, "DISCARDED", messages, refusal)));
            default -> throw new BadField("action", "LIST, QUARANTINE, RELEASE or DISCARD", action);
        }
    }

    private static String text(String field, String text) {
        if (text.isBlank() || text.length() > MOST_TEXT || text.indexOf(1) >= 0 || text.indexOf(2) >= 0) {
            throw new BadField(field, "1 to " + MOST_TEXT + " characters without U+0001 and U+0002", text);
        }
        return text;
    }

    private void guarded(Request request, Runnable work) {
        blocking.execute(() -> {
            try {
                work.run();
            } catch (RuntimeException e) {
                log.error("A request about the quarantine failed", e);
                Outcomes.refuse(request, e, "the quarantine was not changed; the broker's log says why");
            }
        });
    }

    /** A message that came by way of the retry topic names the one it was sent to. */
    private String firstTopic(String topic, int queueId, long offset) {
        if (!Names.isRetry(topic) || queueId < 0 || offset < 0) {
            return topic;
        }
        ReadResult read = store.read(topic, queueId, offset, 1, 1, null, null);
        for (ByteBuffer slice : read.slices()) {
            String first = StoredMessage.property(slice, slice.position(), MessageProperties.RETRY_TOPIC);
            return first == null ? topic : first;
        }
        return topic;
    }

    private void list(Request request, String group) {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("group", group)
                .name("keys")
                .beginArray();
        for (Quarantine.Row row : quarantine.list(group)) {
            json.beginObject().field("topic", row.topic()).field("key", row.key());
            json.field("messages", row.messages()).field("sinceMillis", row.sinceMillis());
            json.field("reason", row.reason()).field("by", row.by());
            json.field("state", row.releasing() ? "RELEASING" : "QUARANTINED").endObject();
        }
        answer(request, json.endArray());
    }

    private static void quarantined(Request request, boolean changed, String refusal) {
        if (refusal != null) {
            request.refuse(ResponseCode.SYSTEM_BUSY, refusal);
        } else {
            answer(
                    request,
                    new JsonWriter().beginObject().field("answer", changed ? "QUARANTINED" : "ALREADY_QUARANTINED"));
        }
    }

    private static void ended(Request request, String key, String answer, int messages, String refusal) {
        if (refusal != null) {
            request.refuse(ResponseCode.SYSTEM_BUSY, refusal);
        } else if (messages < 0) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "key '" + key + "' is not in quarantine");
        } else {
            answer(
                    request,
                    new JsonWriter().beginObject().field("answer", answer).field("messages", messages));
        }
    }

    private static void answer(Request request, JsonWriter json) {
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(json.endObject().toByteArray())
                .build());
    }
}
