/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.RequestRefused;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import java.nio.ByteBuffer;
import java.util.function.Predicate;

/** QUARANTINE (30571): lists, quarantines, releases and discards keys of a group. */
final class QuarantineRequests {
    private static final int MOST_TEXT = 256;

    private final Quarantine quarantine;
    private final QuarantineRelease release;
    private final QueueStore store;
    private final Predicate<String> groupExists;

    QuarantineRequests(
            Quarantine quarantine, QuarantineRelease release, QueueStore store, Predicate<String> groupExists) {
        this.quarantine = quarantine;
        this.release = release;
        this.store = store;
        this.groupExists = groupExists;
    }

    void routes(Routes routes) {
        routes.onCommand(RequestCode.QUARANTINE, Lane.OPERATOR, command -> Json.parse(command.body()), this::handle);
    }

    private Reply handle(Request request, JsonObject wanted) {
        String group = wanted.requireString("group");
        String illegal = Names.checkGroup(group);
        if (illegal != null) {
            throw new BadField("group", "the name of a consumer group", group);
        }
        String action = wanted.requireString("action");
        if (action.equals("LIST")) {
            AdminLog.onlyRead(request);
            return list(group);
        }
        String topic = text("topic", wanted.requireString("topic"));
        String key = text("key", wanted.requireString("key"));
        String by = text("by", wanted.getString("by", "somebody")) + " at " + RequestOrigin.address(request);
        String reason = text("reason", wanted.getString("reason", "no reason given"));
        switch (action) {
            case "QUARANTINE" -> {
                if (!groupExists.test(group)) {
                    throw new RequestRefused(
                            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + group + "' does not exist here");
                }
                String first = firstTopic(topic, wanted.getInt("queueId", -1), wanted.getLong("offset", -1));
                quarantine.add(
                        group,
                        first,
                        key,
                        reason,
                        by,
                        (changed, refusal) -> quarantined(changed, refusal).send(request));
            }
            case "RELEASE" ->
                release.release(
                        group,
                        topic,
                        key,
                        by,
                        (messages, refusal) ->
                                ended(key, "RELEASED", messages, refusal).send(request));
            case "DISCARD" ->
                release.discard(
                        group,
                        topic,
                        key,
                        by,
                        (messages, refusal) ->
                                ended(key, "DISCARDED", messages, refusal).send(request));
            default -> throw new BadField("action", "LIST, QUARANTINE, RELEASE or DISCARD", action);
        }
        return Reply.LATER;
    }

    private static String text(String field, String text) {
        if (text.isBlank() || text.length() > MOST_TEXT || text.indexOf(1) >= 0 || text.indexOf(2) >= 0) {
            throw new BadField(field, "1 to " + MOST_TEXT + " characters without U+0001 and U+0002", text);
        }
        return text;
    }

    /** A message that came by way of the retry topic names the one it was sent to. */
    private String firstTopic(String topic, int queueId, long offset) {
        if (!Names.isRetry(topic) || queueId < 0 || offset < 0) {
            return topic;
        }
        ReadResult read = store.readQueue(topic, queueId, offset, 1, 1, null, null);
        for (ByteBuffer slice : read.slices()) {
            String first = StoredMessage.property(slice, slice.position(), MessageProperties.RETRY_TOPIC);
            return first == null ? topic : first;
        }
        return topic;
    }

    private Reply list(String group) {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("group", group)
                .name("keys")
                .beginArray();
        for (Quarantine.Row row : quarantine.list(group)) {
            json.beginObject().field("topic", row.topic()).field("key", row.key());
            json.field("messages", row.messages()).field("sinceMillis", row.sinceMillis());
            json.field("reason", row.reason()).field("by", row.by());
            json.field("state", row.state()).endObject();
        }
        return answer(json.endArray());
    }

    private static Reply quarantined(boolean changed, String refusal) {
        return refusal != null
                ? Reply.refused(ResponseCode.SYSTEM_BUSY, refusal)
                : answer(new JsonWriter()
                        .beginObject()
                        .field("answer", changed ? "QUARANTINED" : "ALREADY_QUARANTINED"));
    }

    private static Reply ended(String key, String answer, int messages, String refusal) {
        if (refusal != null) {
            return Reply.refused(ResponseCode.SYSTEM_BUSY, refusal);
        }
        if (messages < 0) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "key '" + key + "' is not in quarantine");
        }
        return answer(new JsonWriter().beginObject().field("answer", answer).field("messages", messages));
    }

    private static Reply answer(JsonWriter json) {
        return Reply.success(json.endObject().toByteArray());
    }
}
