/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * What a broker knows about one consumer group.
 *
 * @param retryMaxTimes retries before a message is a dead letter; -1 = no limit
 * @param groupRetryPolicy kept as it came, or null; {@link #retryPolicy} reads it
 * @param attributes never null
 */
public record SubscriptionGroupConfig(
        String groupName,
        boolean consumeEnable,
        boolean consumeFromMinEnable,
        boolean consumeBroadcastEnable,
        boolean consumeMessageOrderly,
        int retryQueueNums,
        int retryMaxTimes,
        JsonObject groupRetryPolicy,
        long brokerId,
        long whichBrokerWhenConsumeSlowly,
        boolean notifyConsumerIdsChangedEnable,
        int groupSysFlag,
        int consumeTimeoutMinute,
        Map<String, String> attributes) {
    public static final int DEFAULT_RETRY_MAX_TIMES = 16;

    /** A group as a broker creates it by itself. */
    public static SubscriptionGroupConfig of(String groupName) {
        return new SubscriptionGroupConfig(
                groupName, true, true, true, false, 1, DEFAULT_RETRY_MAX_TIMES, null, 0, 1, true, 0, 15, Map.of());
    }

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static SubscriptionGroupConfig parse(ByteBuffer body) {
        return read(Json.parse(body));
    }

    public static SubscriptionGroupConfig read(JsonObject json) {
        return new SubscriptionGroupConfig(
                json.requireString("groupName"),
                json.getBoolean("consumeEnable", true),
                json.getBoolean("consumeFromMinEnable", true),
                json.getBoolean("consumeBroadcastEnable", true),
                json.getBoolean("consumeMessageOrderly", false),
                json.getInt("retryQueueNums", 1),
                json.getInt("retryMaxTimes", DEFAULT_RETRY_MAX_TIMES),
                json.getObject("groupRetryPolicy"),
                json.getLong("brokerId", 0),
                json.getLong("whichBrokerWhenConsumeSlowly", 1),
                json.getBoolean("notifyConsumerIdsChangedEnable", true),
                json.getInt("groupSysFlag", 0),
                json.getInt("consumeTimeoutMinute", 15),
                json.getStringMap("attributes"));
    }

    /**
     * The group's own back-off; null when the delay levels hold.
     *
     * @throws io.waybill.protocol.frame.BadField when the policy is none
     */
    public RetryPolicy retryPolicy() {
        return RetryPolicy.parse(groupRetryPolicy);
    }

    public SubscriptionGroupConfig withAttributes(Map<String, String> changed) {
        return new SubscriptionGroupConfig(
                groupName,
                consumeEnable,
                consumeFromMinEnable,
                consumeBroadcastEnable,
                consumeMessageOrderly,
                retryQueueNums,
                retryMaxTimes,
                groupRetryPolicy,
                brokerId,
                whichBrokerWhenConsumeSlowly,
                notifyConsumerIdsChangedEnable,
                groupSysFlag,
                consumeTimeoutMinute,
                Map.copyOf(changed));
    }

    public void write(JsonWriter json) {
        json.beginObject()
                .field("attributes", attributes)
                .field("brokerId", brokerId)
                .field("consumeBroadcastEnable", consumeBroadcastEnable)
                .field("consumeEnable", consumeEnable)
                .field("consumeFromMinEnable", consumeFromMinEnable)
                .field("consumeMessageOrderly", consumeMessageOrderly)
                .field("consumeTimeoutMinute", consumeTimeoutMinute)
                .field("groupName", groupName);
        if (groupRetryPolicy != null) {
            Json.write(json.name("groupRetryPolicy"), groupRetryPolicy);
        }
        json.field("groupSysFlag", groupSysFlag)
                .field("notifyConsumerIdsChangedEnable", notifyConsumerIdsChangedEnable)
                .field("retryMaxTimes", retryMaxTimes)
                .field("retryQueueNums", retryQueueNums)
                .field("whichBrokerWhenConsumeSlowly", whichBrokerWhenConsumeSlowly)
                .endObject();
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }
}
