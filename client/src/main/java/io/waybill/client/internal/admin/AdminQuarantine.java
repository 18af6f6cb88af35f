/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Quarantine;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Quarantined keys, of all brokers together. */
final class AdminQuarantine implements Quarantine {
    private final AdminConnections cluster;

    AdminQuarantine(AdminConnections cluster) {
        this.cluster = cluster;
    }

    @Override
    public List<QuarantinedKey> list(String group) {
        ArgumentChecks.group(group);
        List<QuarantinedKey> all = new ArrayList<>();
        cluster.living()
                .forEach((broker, address) -> cluster.find(
                                address,
                                RequestCode.QUARANTINE,
                                question(group, "LIST", null, null, null, null),
                                "asking " + broker + " for the quarantined keys of " + group)
                        .ifPresent(answer -> {
                            for (JsonObject one : answer.getArray("keys").objects("keys")) {
                                all.add(new QuarantinedKey(
                                        broker,
                                        one.getString("topic"),
                                        one.getString("key"),
                                        one.getLong("messages", 0),
                                        JsonValues.instant(one, "sinceMillis"),
                                        one.getString("reason"),
                                        one.getString("by"),
                                        one.getString("state")));
                            }
                        }));
        if (all.isEmpty()) {
            cluster.requireGroup(group);
        }
        all.sort(Comparator.comparing(QuarantinedKey::since, Comparator.nullsFirst(Comparator.naturalOrder())));
        return List.copyOf(all);
    }

    @Override
    public int add(String group, String topic, String key, String reason, String by) {
        check(group, topic, key, by);
        int quarantined = 0;
        for (Map.Entry<String, String> broker : cluster.mastersOf(topic).entrySet()) {
            JsonObject answer = cluster.json(
                    broker.getValue(),
                    RequestCode.QUARANTINE,
                    question(group, "QUARANTINE", topic, key, reason, by),
                    "quarantining key " + key + " of " + topic + " for " + group);
            quarantined += "QUARANTINED".equals(answer.getString("answer")) ? 1 : 0;
        }
        return quarantined;
    }

    @Override
    public long release(String group, String topic, String key, String by) {
        return end(group, topic, key, "RELEASE", null, by);
    }

    @Override
    public long discard(String group, String topic, String key, String reason, String by) {
        return end(group, topic, key, "DISCARD", reason, by);
    }

    private long end(String group, String topic, String key, String action, String reason, String by) {
        check(group, topic, key, by);
        String doing = "taking key " + key + " of " + topic + " out of the quarantine of " + group;
        long messages = 0;
        boolean known = false;
        for (Map.Entry<String, String> broker : cluster.mastersOf(topic).entrySet()) {
            Optional<JsonObject> answer = cluster.find(
                    broker.getValue(), RequestCode.QUARANTINE, question(group, action, topic, key, reason, by), doing);
            if (answer.isPresent()) {
                known = true;
                messages += answer.get().getLong("messages", 0);
            }
        }
        if (!known) {
            throw new WaybillException(
                    WaybillException.Kind.NOT_FOUND,
                    ResponseCode.QUERY_NOT_FOUND,
                    false,
                    doing + " failed: it is not quarantined",
                    "look at the list of quarantined keys",
                    null);
        }
        return messages;
    }

    private static void check(String group, String topic, String key, String by) {
        ArgumentChecks.group(group);
        ArgumentChecks.topic(topic);
        ArgumentChecks.given("key", key);
        ArgumentChecks.given("by", by);
    }

    static JsonWriter question(String group, String action, String topic, String key, String reason, String by) {
        JsonWriter json = new JsonWriter().beginObject().field("group", group).field("action", action);
        if (topic != null) {
            json.field("topic", topic).field("key", key);
        }
        if (reason != null) {
            json.field("reason", reason);
        }
        if (by != null) {
            json.field("by", by);
        }
        return json.endObject();
    }
}
