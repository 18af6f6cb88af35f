/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Groups;
import io.waybill.broker.lock.QueueLocks;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Function;

/** GROUP_BACKLOG (30566), DOCTOR (30567) and TRACE_MESSAGE (30568). They read the disk, so they run on the executor given. */
public final class Insight {
    /** Of an id or a key: properties are no longer. */
    private static final int MOST_CHARACTERS = Short.MAX_VALUE;

    private final Store store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final DeliveryLog deliveries;
    private final QueueLocks locks;
    private final GroupState standings;
    private final MessageHistoryFinder lives;
    private final QuarantinedKeys quarantinedKeys;
    private final String brokerName;
    private final Executor blocking;

    /**
     * @param rolledBack handle of a transaction rolled back lately, by unique key; null when it is not known
     * @param blocking for scans, which may take seconds
     */
    public Insight(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            DeliveryLog deliveries,
            QueueLocks locks,
            QuarantinedKeys quarantinedKeys,
            Function<String, Long> rolledBack,
            String brokerName,
            Executor blocking) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
        this.deliveries = deliveries;
        this.locks = locks;
        this.quarantinedKeys = quarantinedKeys;
        this.standings = new GroupState(store, topics, members, offsets, deliveries);
        this.lives = new MessageHistoryFinder(store, topics, rolledBack);
        this.brokerName = brokerName;
        this.blocking = blocking;
    }

    public void register(Routes routes) {
        routes.on(RequestCode.GROUP_BACKLOG, this::backlog)
                .on(RequestCode.DOCTOR, this::doctor)
                .on(RequestCode.TRACE_MESSAGE, this::trace);
    }

    // ---- backlog

    private void backlog(Request request) {
        String group = group(Json.parse(request.command().body()));
        answer(request, () -> {
            if (!isKnown(group)) {
                request.refuse(ResponseCode.SYSTEM_ERROR, "no group '" + group + "' is known here");
                return null;
            }
            Map<String, Backlog.Row> rows = new Backlog(store, standings, group).count();
            return Backlog.answer(group, brokerName, members, rows, store.nowMillis());
        });
    }

    private boolean isKnown(String group) {
        return groups.find(group) != null
                || members.consumerGroup(group) != null
                || !offsets.of(group).isEmpty();
    }

    // ---- doctor

    private void doctor(Request request) {
        JsonObject wanted = Json.parse(request.command().body());
        String group = group(wanted);
        String topic = topic(wanted);
        String id = text(wanted, "messageId");
        String key = text(wanted, "key");
        if (id != null && key != null) {
            throw new BadField("key", "absent when messageId is given", key);
        }
        answer(request, () -> {
            ConsumeDiagnosis doctor = new ConsumeDiagnosis(
                    store,
                    topics,
                    groups,
                    members,
                    deliveries,
                    locks,
                    standings,
                    quarantinedKeys,
                    group,
                    store.nowMillis());
            List<Finding> findings;
            if (id != null) {
                findings = doctor.ofMessages(lives.byId(id, topic, group), id);
            } else if (key != null) {
                findings = doctor.ofMessages(lives.byKey(key, topic, group), key);
            } else {
                findings = doctor.ofGroup(topic, new Backlog(store, standings, group).count());
            }
            JsonWriter json = new JsonWriter()
                    .beginObject()
                    .field("group", group)
                    .field("brokerName", brokerName)
                    .name("findings")
                    .beginArray();
            findings.forEach(finding -> finding.write(json));
            return json.endArray().endObject().toByteArray();
        });
    }

    // ---- trace

    private void trace(Request request) {
        JsonObject wanted = Json.parse(request.command().body());
        String topic = topic(wanted);
        String id = text(wanted, "id");
        String key = text(wanted, "key");
        if ((id == null) == (key == null)) {
            throw new BadField("id", "given, or key instead", id == null ? null : id + " and " + key);
        }
        answer(request, () -> {
            List<MessageHistory> found = id != null ? lives.byId(id, topic, null) : lives.byKey(key, topic, null);
            if (found.stream().allMatch(MessageHistory::isEmpty)) {
                request.refuse(ResponseCode.SYSTEM_ERROR, "no message '" + (id != null ? id : key) + "' is known here");
                return null;
            }
            JsonWriter json = new JsonWriter()
                    .beginObject()
                    .field("brokerName", brokerName)
                    .name("messages")
                    .beginArray();
            for (MessageHistory life : found) {
                if (!life.isEmpty()) {
                    message(json, life);
                }
            }
            return json.endArray().endObject().toByteArray();
        });
    }

    private void message(JsonWriter json, MessageHistory life) {
        StoredCopy face = life.face();
        json.beginObject().field("topic", life.topic());
        if (life.uniqueKey() != null) {
            json.field("uniqueKey", life.uniqueKey());
        }
        if (face != null) {
            if (face.isVisible() && face.topic().equals(life.topic())) {
                json.field("queueId", face.queueId()).field("queueOffset", face.offset());
            }
            json.field("offsetMsgId", face.offsetId());
            json.field("keys", face.property("KEYS")).field("tags", face.property("TAGS"));
        }
        json.name("events").beginArray();
        new Trace(store, deliveries, standings).of(life).forEach(event -> event.write(json));
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

    private interface Work {
        /** The answer, or null when it was given. */
        byte[] answer();
    }

    private void answer(Request request, Work work) {
        blocking.execute(() -> {
            try {
                byte[] answer = work.answer();
                if (answer != null) {
                    request.reply(Command.response(ResponseCode.SUCCESS, null)
                            .body(answer)
                            .build());
                }
            } catch (RuntimeException e) {
                Outcomes.refuse(request, e, "the question could not be answered; the broker's log says why");
                throw e; // for the log
            }
        });
    }
}
