/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reply body of 307: what a consumer says about itself.
 *
 * @param properties texts by the names below
 * @param subscriptionSet its filters
 * @param mqTable the queues it pulls from
 * @param mqPopTable the queues it pops from
 * @param statusTable how it fares, by topic
 * @param userConsumerInfo what the application adds
 * @param jstack the stacks of its threads, or null
 */
public record ConsumerRunningInfo(
        Map<String, String> properties,
        List<SubscriptionData> subscriptionSet,
        Map<MessageQueue, QueueInfo> mqTable,
        Map<MessageQueue, PopInfo> mqPopTable,
        Map<String, TopicStatus> statusTable,
        Map<String, String> userConsumerInfo,
        String jstack) {
    public static final String NAMESERVER = "PROP_NAMESERVER_ADDR";
    public static final String THREADS = "PROP_THREADPOOL_CORE_SIZE";
    public static final String ORDERED = "PROP_CONSUMEORDERLY";
    public static final String CONSUME_TYPE = "PROP_CONSUME_TYPE";
    public static final String CLIENT_VERSION = "PROP_CLIENT_VERSION";
    public static final String STARTED = "PROP_CONSUMER_START_TIMESTAMP";

    /**
     * A queue it pulls from. Offsets of an empty cache are 0; timestamps are milliseconds.
     *
     * @param commitOffset everything below is done
     */
    public record QueueInfo(
            long commitOffset,
            long cachedMinOffset,
            long cachedMaxOffset,
            int cachedCount,
            int cachedMebibytes,
            boolean locked,
            long lastLockTimestamp,
            boolean dropped,
            long lastPullTimestamp,
            long lastConsumeTimestamp) {}

    /**
     * A queue it pops from.
     *
     * @param waitAckCount messages it has and has not acknowledged
     */
    public record PopInfo(int waitAckCount, boolean dropped, long lastPopTimestamp) {}

    /** How it fares with a topic: averages in milliseconds and messages per second of the last minute. */
    public record TopicStatus(
            double pullMillis,
            double pulledPerSecond,
            double consumeMillis,
            double consumedPerSecond,
            double failedPerSecond,
            long failedLastHour) {}

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumerRunningInfo parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        List<SubscriptionData> subscriptions = new ArrayList<>();
        for (JsonObject one : json.getArray("subscriptionSet").objects("subscriptionSet")) {
            subscriptions.add(SubscriptionData.read(one));
        }
        Map<MessageQueue, QueueInfo> queues = new LinkedHashMap<>();
        QueueMaps.forEach(
                json, "mqTable", (queue, value) -> queues.put(queue, queueInfo(QueueMaps.object("mqTable", value))));
        Map<MessageQueue, PopInfo> popped = new LinkedHashMap<>();
        QueueMaps.forEach(json, "mqPopTable", (queue, value) -> {
            JsonObject info = QueueMaps.object("mqPopTable", value);
            popped.put(
                    queue,
                    new PopInfo(
                            info.getInt("waitAckCount", 0),
                            info.getBoolean("droped", false),
                            info.getLong("lastPopTimestamp", 0)));
        });
        Map<String, TopicStatus> statuses = new LinkedHashMap<>();
        JsonObject table = json.getObject("statusTable");
        if (table != null) {
            for (String topic : table.members().keySet()) {
                JsonObject status = table.getObject(topic);
                if (status != null) {
                    statuses.put(
                            topic,
                            new TopicStatus(
                                    status.getDouble("pullRT", 0),
                                    status.getDouble("pullTPS", 0),
                                    status.getDouble("consumeRT", 0),
                                    status.getDouble("consumeOKTPS", 0),
                                    status.getDouble("consumeFailedTPS", 0),
                                    status.getLong("consumeFailedMsgs", 0)));
                }
            }
        }
        return new ConsumerRunningInfo(
                json.getStringMap("properties"),
                subscriptions,
                queues,
                popped,
                statuses,
                json.getStringMap("userConsumerInfo"),
                json.getString("jstack"));
    }

    private static QueueInfo queueInfo(JsonObject info) {
        return new QueueInfo(
                info.getLong("commitOffset", 0),
                info.getLong("cachedMsgMinOffset", 0),
                info.getLong("cachedMsgMaxOffset", 0),
                info.getInt("cachedMsgCount", 0),
                info.getInt("cachedMsgSizeInMiB", 0),
                info.getBoolean("locked", false),
                info.getLong("lastLockTimestamp", 0),
                info.getBoolean("droped", false),
                info.getLong("lastPullTimestamp", 0),
                info.getLong("lastConsumeTimestamp", 0));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject();
        if (jstack != null) {
            json.field("jstack", jstack);
        }
        json.name("mqPopTable").beginObject();
        mqPopTable.forEach((queue, info) -> key(json, queue)
                .beginObject()
                .field("droped", info.dropped())
                .field("lastPopTimestamp", info.lastPopTimestamp())
                .field("waitAckCount", info.waitAckCount())
                .endObject());
        json.endObject().name("mqTable").beginObject();
        mqTable.forEach((queue, info) -> key(json, queue)
                .beginObject()
                .field("cachedMsgCount", info.cachedCount())
                .field("cachedMsgMaxOffset", info.cachedMaxOffset())
                .field("cachedMsgMinOffset", info.cachedMinOffset())
                .field("cachedMsgSizeInMiB", info.cachedMebibytes())
                .field("commitOffset", info.commitOffset())
                .field("droped", info.dropped())
                .field("lastConsumeTimestamp", info.lastConsumeTimestamp())
                .field("lastLockTimestamp", info.lastLockTimestamp())
                .field("lastPullTimestamp", info.lastPullTimestamp())
                .field("locked", info.locked())
                .field("transactionMsgCount", 0)
                .field("transactionMsgMaxOffset", 0)
                .field("transactionMsgMinOffset", 0)
                .field("tryUnlockTimes", 0)
                .endObject());
        json.endObject().field("properties", properties).name("statusTable").beginObject();
        statusTable.forEach((topic, status) -> json.name(topic)
                .beginObject()
                .field("consumeFailedMsgs", status.failedLastHour())
                .field("consumeFailedTPS", status.failedPerSecond())
                .field("consumeOKTPS", status.consumedPerSecond())
                .field("consumeRT", status.consumeMillis())
                .field("pullRT", status.pullMillis())
                .field("pullTPS", status.pulledPerSecond())
                .endObject());
        json.endObject().name("subscriptionSet").beginArray();
        subscriptionSet.forEach(subscription -> subscription.write(json));
        return json.endArray()
                .field("userConsumerInfo", userConsumerInfo)
                .endObject()
                .toByteArray();
    }

    private static JsonWriter key(JsonWriter json, MessageQueue queue) {
        queue.write(json);
        return json;
    }
}
