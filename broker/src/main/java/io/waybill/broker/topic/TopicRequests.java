/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.remoting.Request;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** The requests about topics: create or change one (17) or many (18), delete (215), one topic's settings (351), all of them (21), the system's names (305). */
public final class TopicRequests {
    private static final int MOST_AT_ONCE = 1_000;

    private final Topics topics;

    public TopicRequests(Topics topics) {
        this.topics = topics;
    }

    public void register(Routes routes) {
        routes.on(RequestCode.UPDATE_AND_CREATE_TOPIC, this::create)
                .on(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, this::createAll)
                .on(RequestCode.DELETE_TOPIC_IN_BROKER, this::delete)
                .on(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, this::systemTopics)
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

    /** 18: all are checked before the first is changed; each change is then for itself. */
    private void createAll(Request request) {
        List<TopicConfig> wanted = new ArrayList<>();
        for (JsonObject one :
                Json.parse(request.command().body()).getArray("topicConfigList").objects("topicConfigList")) {
            TopicConfig topic = meant(TopicConfig.read(one));
            String refusal = Names.isSystemTopic(topic.topicName())
                    ? "topic '" + topic.topicName() + "' is a system topic and cannot be changed"
                    : topics.refusal(topic);
            if (refusal != null) {
                request.refuse(ResponseCode.INVALID_PARAMETER, refusal);
                return;
            }
            wanted.add(topic);
        }
        if (wanted.isEmpty() || wanted.size() > MOST_AT_ONCE) {
            throw new BadField("topicConfigList", "1 to " + MOST_AT_ONCE + " topics", wanted.size() + "");
        }
        AtomicInteger open = new AtomicInteger(wanted.size());
        AtomicReference<TopicChange> refused = new AtomicReference<>();
        for (TopicConfig topic : wanted) {
            topics.put(topic, change -> {
                if (change.isRefused()) {
                    refused.set(change);
                }
                if (open.decrementAndGet() == 0) {
                    TopicChange answer = refused.get() != null ? refused.get() : change;
                    request.reply(Command.response(answer.code(), answer.text()).build());
                }
            });
        }
    }

    /** The settings as they are meant: attributes that all have a sign are changes to those there are, others are taken as they are. */
    private TopicConfig meant(TopicConfig told) {
        boolean isChange = !told.attributes().isEmpty();
        for (String name : told.attributes().keySet()) {
            isChange &= name.startsWith("+") || name.startsWith("-");
        }
        if (!isChange) {
            return told;
        }
        TopicConfig known = topics.find(told.topicName());
        Map<String, String> attributes = new LinkedHashMap<>(known == null ? Map.of() : known.attributes());
        told.attributes().forEach((name, value) -> {
            if (name.startsWith("+")) {
                attributes.put(name.substring(1), value);
            } else {
                attributes.remove(name.substring(1));
            }
        });
        return new TopicConfig(
                told.topicName(),
                told.readQueueNums(),
                told.writeQueueNums(),
                told.perm(),
                told.topicFilterType(),
                told.topicSysFlag(),
                told.order(),
                attributes);
    }

    /** 215: 0 as well when there is no such topic, since tools ask every broker of a cluster. */
    private void delete(Request request) {
        String topic = TopicHeader.read(request.command().fields()).topic();
        String illegal = Names.checkTopic(topic);
        if (illegal != null || Names.isSystemTopic(topic)) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    illegal != null ? illegal : "topic '" + topic + "' is a system topic and cannot be deleted");
            return;
        }
        topics.delete(topic, change -> {
            int code = change.code() == ResponseCode.TOPIC_NOT_EXIST ? ResponseCode.SUCCESS : change.code();
            request.reply(Command.response(code, change.text()).build());
        });
    }

    /** 305. */
    private void systemTopics(Request request) {
        List<String> names = topics.all().stream()
                .map(TopicConfig::topicName)
                .filter(name -> topics.isBuiltIn(name) || Names.isSystemTopic(name))
                .toList();
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(new TopicList(names).toJson())
                .build());
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
