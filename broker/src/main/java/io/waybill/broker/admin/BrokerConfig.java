/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.request.Reply;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.settings.Setting;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/**
 * GET_BROKER_CONFIG (26): every setting of this broker as it is in force, and those of them that tools look for also under RocketMQ's names.
 * UPDATE_BROKER_CONFIG (25) is refused: settings are read at the start, so that what is in force is what stands in the file.
 */
final class BrokerConfig {
    /** RocketMQ's name to ours, where the value means the same. */
    private static final Map<String, String> ALSO = Map.of(
            "brokerClusterName", "clusterName",
            "listenPort", "port",
            "brokerIP1", "advertisedHost",
            "maxMessageSize", "maxMessageBytes",
            "messageDelayLevel", "messageDelayLevels",
            "autoCreateTopicEnable", "autoCreateTopic",
            "autoCreateSubscriptionGroup", "autoCreateGroup",
            "transactionTimeOut", "transactionTimeoutMillis",
            "transactionCheckInterval", "transactionCheckMillis");

    private final BrokerSettings settings;

    BrokerConfig(BrokerSettings settings) {
        this.settings = settings;
    }

    Reply get(Request request) {
        Map<String, String> table = new TreeMap<>();
        for (Setting setting : BrokerSettings.table()) {
            table.put(setting.key(), settings.get(setting.key()));
        }
        ALSO.forEach((theirs, ours) -> {
            if (table.containsKey(ours)) {
                table.put(theirs, table.get(ours));
            }
        });
        table.put("brokerRole", "SYNC_MASTER");
        table.put("flushDiskType", "async".equals(table.get("flush")) ? "ASYNC_FLUSH" : "SYNC_FLUSH");
        StringBuilder text = new StringBuilder();
        table.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .field("version", "{\"counter\":0,\"stateVersion\":0,\"timestamp\":0}")
                .body(text.toString().getBytes(StandardCharsets.UTF_8))
                .build());
    }

    Reply update(Request request) {
        return Reply.refused(
                ResponseCode.NO_PERMISSION,
                "the settings of this broker are read at its start and cannot be changed while it runs: change its"
                        + " configuration and start it anew");
    }
}
