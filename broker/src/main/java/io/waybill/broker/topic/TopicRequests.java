/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import java.util.LinkedHashMap;
import java.util.Map;

/** The requests about topics: create or change (17), one topic's settings (351), all of them (21). */
public final class TopicRequests {
    private final Topics topics;

    public TopicRequests(Topics topics) {
        this.topics = topics;
    }

    public void register(Routes routes) {
        routes.on(RequestCode.UPDATE_AND_CREATE_TOPIC, this::create)
                .on(RequestCode.GET_TOPIC_CONFIG, this::config)
                .on(RequestCode.GET_ALL_TOPIC_CONFIG, this::all);
    }

    private void create(Request request) {
        CreateTopicHeader header = CreateTopicHeader.read(request.command().fields());
        if (Names.isSystemTopic(header.topic())) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    "topic '" + header.topic() + "' is a system topic and cannot be changed");
            return;
        }
        TopicConfig known = topics.find(header.topic());
        TopicConfig wanted = new TopicConfig(
                header.topic(),
                header.readQueueNums(),
                header.writeQueueNums(),
                header.perm(),
                filterType(header.topicFilterType()),
                header.topicSysFlag(),
                header.order(),
                attributes(known, header.attributes()));
        topics.put(
                wanted,
                change -> request.reply(
                        Command.response(change.code(), change.text()).build()));
    }

    private static String filterType(String asked) {
        if (asked == null || asked.isEmpty()) {
            return TopicConfig.SINGLE_TAG;
        }
        if (asked.equals(TopicConfig.SINGLE_TAG) || asked.equals(TopicConfig.MULTI_TAG)) {
            return asked;
        }
        throw new BadField("topicFilterType", TopicConfig.SINGLE_TAG + " or " + TopicConfig.MULTI_TAG, asked);
    }

    /** Applies {@code +key=value,-key} to the attributes a topic has. */
    static Map<String, String> attributes(TopicConfig known, String changes) {
        Map<String, String> attributes = new LinkedHashMap<>(known == null ? Map.of() : known.attributes());
        if (changes == null || changes.isBlank()) {
            return attributes;
        }
        for (String change : changes.split(",")) {
            String text = change.trim();
            int middle = text.indexOf('=');
            if (text.startsWith("+") && middle > 1) {
                attributes.put(text.substring(1, middle), text.substring(middle + 1));
            } else if (text.startsWith("-") && text.length() > 1) {
                attributes.remove(text.substring(1));
            } else {
                throw new BadField("attributes", "+key=value or -key", text);
            }
        }
        return attributes;
    }

    private void config(Request request) {
        TopicHeader header = TopicHeader.read(request.command().fields());
        TopicConfig topic = topics.find(header.topic());
        if (topic == null) {
            request.refuse(ResponseCode.TOPIC_NOT_EXIST, "topic '" + header.topic() + "' does not exist");
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(topic.toJson())
                .build());
    }

    private void all(Request request) {
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(topics.snapshot().toJson())
                .build());
    }
}
