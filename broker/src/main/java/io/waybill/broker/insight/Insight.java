/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** GROUP_BACKLOG (30566), DOCTOR (30567) and TRACE_MESSAGE (30568). They read the disk and change nothing. */
public final class Insight implements Feature {
    /** Of an id or a key: properties are no longer. */
    private static final int MOST_CHARACTERS = Short.MAX_VALUE;

    private final InsightStoreAccess store;
    private final GroupState state;
    private final MessageHistoryFinder histories;
    private final String brokerName;

    /** @param rolledBack handle of a transaction rolled back lately, by unique key; null when it is not known */
    public Insight(InsightStoreAccess store, GroupState state, Function<String, Long> rolledBack, String brokerName) {
        this.store = store;
        this.state = state;
        this.histories = new MessageHistoryFinder(
                store.messages(), store.transactions(), store.timers(), state.topics(), rolledBack);
        this.brokerName = brokerName;
    }

    @Override
    public void routes(Routes routes) {
        routes.onCommand(RequestCode.GROUP_BACKLOG, Lane.SCAN, Insight::body, this::backlog)
                .onCommand(RequestCode.DOCTOR, Lane.SCAN, Insight::body, this::diagnose)
                .onCommand(RequestCode.TRACE_MESSAGE, Lane.SCAN, Insight::body, this::trace);
    }

    private static JsonObject body(Command command) {
        return Json.parse(command.body());
    }

    // ---- backlog

    private Reply backlog(Request request, JsonObject wanted) {
        String group = group(wanted);
        if (!state.isKnown(group)) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "no group '" + group + "' is known here");
        }
        Map<String, Backlog.Row> rows = new Backlog(store, state, group).count();
        return Reply.success(Backlog.answer(
                group, brokerName, state.members(), rows, store.clock().nowMillis()));
    }

    // ---- diagnosis

    private Reply diagnose(Request request, JsonObject wanted) {
        String group = group(wanted);
        String topic = topic(wanted);
        String id = text(wanted, "messageId");
        String key = text(wanted, "key");
        if (id != null && key != null) {
            throw new BadField("key", "absent when messageId is given", key);
        }
        long nowMillis = store.clock().nowMillis();
        ConsumeDiagnosis diagnosis = new ConsumeDiagnosis(store, state, group, nowMillis);
        List<Finding> findings;
        if (id != null) {
            findings = diagnosis.ofMessages(histories.byId(id, topic, group), id);
        } else if (key != null) {
            findings = diagnosis.ofMessages(histories.byKey(key, topic, group), key);
        } else {
            findings = diagnosis.ofGroup(topic, new Backlog(store, state, group).count());
        }
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("group", group)
                .field("brokerName", brokerName)
                .field("nowMillis", nowMillis)
                .name("findings")
                .beginArray();
        findings.forEach(finding -> finding.write(json));
        return Reply.success(json.endArray().endObject().toByteArray());
    }

    // ---- trace

    private Reply trace(Request request, JsonObject wanted) {
        String topic = topic(wanted);
        String id = text(wanted, "id");
        String key = text(wanted, "key");
        if ((id == null) == (key == null)) {
            throw new BadField("id", "given, or key instead", id == null ? null : id + " and " + key);
        }
        List<MessageHistory> found = id != null ? histories.byId(id, topic, null) : histories.byKey(key, topic, null);
        if (found.stream().allMatch(MessageHistory::isEmpty)) {
            return Reply.refused(
                    ResponseCode.SYSTEM_ERROR, "no message '" + (id != null ? id : key) + "' is known here");
        }
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("brokerName", brokerName)
                .name("messages")
                .beginArray();
        for (MessageHistory history : found) {
            if (!history.isEmpty()) {
                message(json, history);
            }
        }
        return Reply.success(json.endArray().endObject().toByteArray());
    }

    private void message(JsonWriter json, MessageHistory history) {
        StoredCopy face = history.face();
        json.beginObject().field("topic", history.topic());
        if (history.uniqueKey() != null) {
            json.field("uniqueKey", history.uniqueKey());
        }
        if (face != null) {
            if (face.isVisible() && face.topic().equals(history.topic())) {
                json.field("queueId", face.queueId()).field("queueOffset", face.offset());
            }
            json.field("offsetMsgId", face.offsetId());
            json.field("keys", face.property("KEYS")).field("tags", face.property("TAGS"));
        }
        json.name("events").beginArray();
        new Trace(store.transactions(), store.conflicts(), state).of(history).forEach(event -> event.write(json));
        json.endArray().endObject();
    }

    // ---- members of a request

    private static String group(JsonObject wanted) {
        String group = wanted.requireString("group");
        String illegal = Names.checkGroup(group);
        if (illegal != null) {
            throw new BadField("group", "the name of a consumer group", illegal);
        }
        return group;
    }

    private static String topic(JsonObject wanted) {
        String topic = text(wanted, "topic");
        String illegal = topic == null ? null : Names.checkTopic(topic);
        if (illegal != null) {
            throw new BadField("topic", "the name of a topic", illegal);
        }
        return topic;
    }

    private static String text(JsonObject wanted, String name) {
        String text = wanted.getString(name);
        if (text != null && text.length() > MOST_CHARACTERS) {
            throw new BadField(name, "at most " + MOST_CHARACTERS + " characters", text.length() + " characters");
        }
        return text == null || text.isEmpty() ? null : text;
    }
}
