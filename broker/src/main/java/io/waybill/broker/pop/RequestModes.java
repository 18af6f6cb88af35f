/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RequestMode;
import io.waybill.protocol.body.RequestModeTable;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.CatalogStore;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which groups pop which topics: SET_MESSAGE_REQUEST_MODE (401) and GET_ALL_MESSAGE_REQUEST_MODE (402), settings in the
 * catalog. Members of the group are notified at once, so that they ask for their share anew.
 */
final class RequestModes {
    /** In front of topic, a slash and group in the name of the setting. */
    private static final String PREFIX = "requestMode:";

    private static final int MOST_MODES = 100_000;

    private final CatalogStore catalog;
    private final ClientRegistry members;
    private final String usualMode;
    private final Map<String, RequestMode> table = new ConcurrentHashMap<>();

    /** @param usualMode of groups nobody set one for */
    RequestModes(CatalogStore catalog, ClientRegistry members, String usualMode) {
        this.catalog = catalog;
        this.members = members;
        this.usualMode = usualMode;
        catalog.catalogValues(CatalogKind.SETTING).forEach((name, value) -> {
            if (name.startsWith(PREFIX)) {
                table.put(name, RequestMode.parse(ByteBuffer.wrap(value)));
            }
        });
    }

    void routes(Routes routes) {
        routes.onCommand(
                        RequestCode.SET_MESSAGE_REQUEST_MODE,
                        Lane.INLINE,
                        command -> RequestMode.parse(command.body()),
                        this::set)
                .on(
                        RequestCode.GET_ALL_MESSAGE_REQUEST_MODE,
                        Lane.INLINE,
                        request -> Reply.success(new RequestModeTable(new TreeMap<>(table).values()).toJson()));
    }

    /** The mode of a group for a topic; retry topics are pulled. */
    RequestMode of(String group, String topic) {
        RequestMode set = table.get(name(group, topic));
        if (set != null) {
            return set;
        }
        return new RequestMode(topic, group, Names.isRetry(topic) ? RequestMode.PULL : usualMode, 0);
    }

    private static String name(String group, String topic) {
        return PREFIX + topic + "/" + group;
    }

    private Reply set(Request request, RequestMode mode) {
        if (Names.isRetry(mode.topic())) {
            return Reply.refused(ResponseCode.NO_PERMISSION, "retry topics are always pulled");
        }
        String illegal = Names.checkTopic(mode.topic());
        illegal = illegal != null ? illegal : Names.checkGroup(mode.consumerGroup());
        if (illegal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, illegal);
        }
        if (!mode.isPop() && !RequestMode.PULL.equals(mode.mode())) {
            throw new BadField("mode", "POP or PULL", mode.mode());
        }
        String name = name(mode.consumerGroup(), mode.topic());
        if (!table.containsKey(name) && table.size() >= MOST_MODES) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "no more than " + MOST_MODES + " modes are kept");
        }
        RequestMode known = table.get(name);
        AdminLog.changed(
                request,
                known == null ? null : known.mode() + " " + known.popShareQueueNum(),
                mode.mode() + " " + mode.popShareQueueNum());
        catalog.putCatalog(CatalogKind.SETTING, name, mode.toJson(), outcome -> {
            if (outcome instanceof Stored) {
                table.put(name, mode);
                members.announce(mode.consumerGroup());
            }
            request.reply(Command.response(Outcomes.code(outcome), Outcomes.text(outcome))
                    .build());
        });
        return Reply.LATER;
    }
}
