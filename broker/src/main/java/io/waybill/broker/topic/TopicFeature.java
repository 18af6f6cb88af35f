/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Pages;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.Routes;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The requests about topics: create or change one (17) or many (18), delete (215), one topic's settings (351), all of them (21), the system's names
 * (305); deleted topics (30575) and their return (30576).
 *
 * <p>A topic that somebody still needs is deleted, and queues with unread messages are taken away, at the second request only.
 */
public final class TopicFeature implements Feature {
    private static final int MOST_AT_ONCE = 1_000;
    private static final int MOST_SHOWN = 400;

    private final Topics topics;
    private final Function<String, TopicUse> useOf;
    private final BiFunction<String, Integer, TopicUse> useOfQueues;
    private final SecondRequests seconds;
    private final Lanes lanes;

    /**
     * @param useOf of a topic; may block on the disk
     * @param useOfQueues of the queues of a topic from an id on; may block on the disk
     */
    public TopicFeature(
            Topics topics,
            Function<String, TopicUse> useOf,
            BiFunction<String, Integer, TopicUse> useOfQueues,
            Clock clock,
            Lanes lanes) {
        this.topics = topics;
        this.useOf = useOf;
        this.useOfQueues = useOfQueues;
        this.seconds = new SecondRequests(clock);
        this.lanes = lanes;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.UPDATE_AND_CREATE_TOPIC, Lane.INLINE, CreateTopicHeader::read, this::create)
                .on(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, Lane.INLINE, this::createAll)
                .on(RequestCode.DELETE_TOPIC_IN_BROKER, Lane.OPERATOR, TopicHeader::read, this::delete)
                .on(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, Lane.INLINE, this::systemTopics)
                .on(RequestCode.GET_TOPIC_CONFIG, Lane.INLINE, TopicHeader::read, this::config)
                .on(RequestCode.GET_ALL_TOPIC_CONFIG, Lane.OPERATOR, this::all)
                .on(RequestCode.LIST_DELETED_TOPICS, Lane.OPERATOR, this::deleted)
                .on(RequestCode.RESTORE_TOPIC, Lane.OPERATOR, TopicHeader::read, this::restore);
    }

    private Reply create(Request request, CreateTopicHeader header) {
        if (Names.isSystemTopic(header.topic())) {
            return Reply.refused(
                    ResponseCode.INVALID_PARAMETER,
                    "topic '" + header.topic() + "' is a system topic and cannot be changed");
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
        AdminLog.changed(request, text(known), text(wanted));
        return unlessUnread(request, List.of(wanted), () -> {
            topics.put(wanted, change -> reply(change).send(request));
            return Reply.LATER;
        });
    }

    private static Reply reply(TopicChange change) {
        return Reply.of(Command.response(change.code(), change.text()).build());
    }

    private static String text(TopicConfig topic) {
        return topic == null ? null : new String(topic.toJson(), StandardCharsets.UTF_8);
    }

    /** Does it unless queues would go away with messages that somebody still has to read, and this is the first request for it. */
    private Reply unlessUnread(Request request, List<TopicConfig> wanted, Supplier<Reply> change) {
        List<TopicConfig> smaller = wanted.stream()
                .filter(topic -> {
                    TopicConfig known = topics.find(topic.topicName());
                    return known != null && topic.readQueueNums() < known.readQueueNums();
                })
                .toList();
        if (smaller.isEmpty()) {
            return change.get();
        }
        lanes.run(Lane.OPERATOR, request, () -> {
            List<String> whats = new ArrayList<>();
            String first = null;
            for (TopicConfig topic : smaller) {
                TopicUse use = useOfQueues.apply(topic.topicName(), topic.readQueueNums());
                if (use.isUnread()) {
                    whats.add("shrink " + topic.topicName() + ' ' + topic.readQueueNums());
                    first = first != null
                            ? first
                            : "with readQueueNums " + topic.readQueueNums()
                                    + " nobody can read what the queues from " + topic.readQueueNums()
                                    + " on of topic '" + topic.topicName() + "' hold: " + use
                                    + ". Set writeQueueNums first and readQueueNums when they are read. ";
                }
            }
            if (first != null && !seconds.isMeant(request, whats)) {
                String more = whats.size() == 1 ? "" : "So it is with " + (whats.size() - 1) + " more topics. ";
                return Reply.refused(ResponseCode.ILLEGAL_OPERATION, first + more + SecondRequests.howTo("change it"));
            }
            return change.get();
        });
        return Reply.LATER;
    }

    /** 18: all are checked before the first is changed; each change is then for itself. */
    private Reply createAll(Request request) {
        List<TopicConfig> wanted = new ArrayList<>();
        for (JsonObject one :
                Json.parse(request.command().body()).getArray("topicConfigList").objects("topicConfigList")) {
            TopicConfig topic = meant(TopicConfig.read(one));
            String refusal = Names.isSystemTopic(topic.topicName())
                    ? "topic '" + topic.topicName() + "' is a system topic and cannot be changed"
                    : topics.refusal(topic);
            if (refusal != null) {
                return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
            }
            wanted.add(topic);
        }
        if (wanted.isEmpty() || wanted.size() > MOST_AT_ONCE) {
            throw new BadField("topicConfigList", "1 to " + MOST_AT_ONCE + " topics", wanted.size() + "");
        }
        StringBuilder before = new StringBuilder();
        for (TopicConfig topic : wanted) {
            before.append(text(topics.find(topic.topicName()))).append(' ');
            if (before.length() > MOST_SHOWN) {
                break; // the line is cut there
            }
        }
        AdminLog.changed(request, before, "as in fields, " + wanted.size() + " topics");
        return unlessUnread(request, wanted, () -> putAll(request, wanted));
    }

    private Reply putAll(Request request, List<TopicConfig> wanted) {
        AtomicInteger open = new AtomicInteger(wanted.size());
        AtomicReference<TopicChange> refused = new AtomicReference<>();
        for (TopicConfig topic : wanted) {
            topics.put(topic, change -> {
                if (change.isRefused()) {
                    refused.set(change);
                }
                if (open.decrementAndGet() == 0) {
                    reply(refused.get() != null ? refused.get() : change).send(request);
                }
            });
        }
        return Reply.LATER;
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
    private Reply delete(Request request, TopicHeader header) {
        String topic = header.topic();
        String illegal = Names.checkTopic(topic);
        if (illegal != null || Names.isSystemTopic(topic)) {
            return Reply.refused(
                    ResponseCode.INVALID_PARAMETER,
                    illegal != null ? illegal : "topic '" + topic + "' is a system topic and cannot be deleted");
        }
        TopicConfig known = topics.find(topic);
        if (known == null) {
            return Reply.of(Command.response(ResponseCode.SUCCESS, "topic '" + topic + "' does not exist")
                    .build());
        }
        AdminLog.before(request, text(known));
        TopicUse use = useOf.apply(topic);
        if (use.isUsed() && !seconds.isMeant(request, "delete " + topic)) {
            return Reply.refused(
                    ResponseCode.ILLEGAL_OPERATION,
                    "topic '" + topic + "' is in use: " + use + ". " + SecondRequests.howTo("delete it"));
        }
        AdminLog.changed(request, text(known) + ", used by: " + use, null);
        topics.delete(topic, RequestOrigin.address(request), change -> {
            int code = change.code() == ResponseCode.TOPIC_NOT_EXIST ? ResponseCode.SUCCESS : change.code();
            request.reply(Command.response(code, change.text()).build());
        });
        return Reply.LATER;
    }

    /** 30575: topics that were deleted and of which messages are still kept. */
    private Reply deleted(Request request) {
        JsonWriter json = new JsonWriter().beginObject().name("topics").beginArray();
        topics.deleted()
                .forEach((name, deleted) -> json.beginObject()
                        .field("topic", name)
                        .field("messages", topics.deletedMessages(name))
                        .field("deletedMillis", deleted.deletedMillis())
                        .field("by", deleted.by())
                        .field("exists", topics.find(name) != null)
                        .endObject());
        return Reply.success(json.endArray().endObject().toByteArray());
    }

    /** 30576. */
    private Reply restore(Request request, TopicHeader header) {
        String topic = header.topic();
        AdminLog.changed(request, text(topics.find(topic)), "restored");
        long messages = topics.deletedMessages(topic);
        topics.restore(topic, change -> lanes.run(request, () -> restored(topic, messages, change)));
        return Reply.LATER;
    }

    private static Reply restored(String topic, long messages, TopicChange change) {
        if (change.isRefused()) {
            return Reply.refused(change.code(), change.text());
        }
        return Reply.success(new JsonWriter()
                .beginObject()
                .field("topic", topic)
                .field("messages", messages)
                .field("queues", change.config().readQueueNums())
                .endObject()
                .toByteArray());
    }

    /** 305. */
    private Reply systemTopics(Request request) {
        List<String> names = topics.all().stream()
                .map(TopicConfig::topicName)
                .filter(name -> topics.isBuiltIn(name) || Names.isSystemTopic(name))
                .toList();
        return Reply.success(new TopicList(names).toJson());
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

    private Reply config(Request request, TopicHeader header) {
        TopicConfig topic = topics.find(header.topic());
        if (topic == null) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + header.topic() + "' does not exist");
        }
        return Reply.success(topic.toJson());
    }

    /** 21: a part of them, by name; all for clients that do not ask in parts, if that fits an answer. */
    private Reply all(Request request) {
        TopicConfigTable table = topics.snapshot();
        List<TopicConfig> sorted = topics.sorted(table);
        Pages page =
                Pages.of(request.command().fields(), "topicSeq", "maxTopicNum", table.dataVersion(), sorted.size());
        Map<String, TopicConfig> part = new LinkedHashMap<>();
        sorted.subList(page.from(), page.to()).forEach(topic -> part.put(topic.topicName(), topic));
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .field("totalTopicNum", sorted.size())
                .body(new TopicConfigTable(table.dataVersion(), part).toJson())
                .build());
    }
}
