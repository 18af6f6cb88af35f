/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import java.util.ArrayList;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;

/** The requests of operators and their tools about topics, groups and the broker. */
public final class AdminFeature {
    private final ClientRegistry members;
    private final Offsets offsets;
    private final Away away;
    private final ResetOffset reset;
    private final CloneOffsets cloneOffsets;
    private final TopicStatus topicStatus;
    private final ConsumerProgress progress;
    private final GroupOffsets groupOffsets;
    private final GroupRequests groupRequests;
    private final AskClients askClients;
    private final Connections connections;
    private final RuntimeFigures figures;
    private final ViewStats viewStats;
    private final BrokerConfig config;
    private final Housekeeping housekeeping;

    /**
     * @param address of this broker, host and port
     * @param blocking for looking at messages that may have to come from the disk
     */
    public AdminFeature(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            Stats stats,
            BrokerSettings settings,
            Clock clock,
            QuarantinedMessages quarantined,
            String address,
            Executor blocking) {
        String brokerName = settings.brokerName();
        this.members = members;
        this.offsets = offsets;
        this.away = new Away(blocking);
        this.reset = new ResetOffset(store, topics, groups, members, offsets, brokerName, blocking);
        this.cloneOffsets = new CloneOffsets(groups, members, offsets, away);
        this.topicStatus = new TopicStatus(store, topics, stats, brokerName, blocking);
        this.progress = new ConsumerProgress(store, topics, groups, members, offsets, stats, brokerName, address, away);
        this.groupOffsets = new GroupOffsets(store, topics, members, offsets, brokerName, away);
        this.groupRequests = new GroupRequests(groups, offsets, quarantined, away);
        this.askClients = new AskClients(store, topics, groups, members, brokerName, away);
        this.connections = new Connections(members);
        this.figures = new RuntimeFigures(store, stats, members, clock, blocking);
        this.viewStats = new ViewStats(stats);
        this.config = new BrokerConfig(settings);
        this.housekeeping = new Housekeeping(store, topics, offsets, away);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, reset)
                .on(RequestCode.CLONE_GROUP_OFFSET, cloneOffsets)
                .on(RequestCode.GET_ALL_CONSUMER_OFFSET, groupOffsets::all)
                .on(RequestCode.QUERY_CONSUME_TIME_SPAN, groupOffsets::timeSpan)
                .on(RequestCode.QUERY_CORRECTION_OFFSET, groupOffsets::correction)
                .on(RequestCode.QUERY_TOPICS_BY_CONSUMER, groupOffsets::topicsOf)
                .on(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, groupOffsets::subscription)
                .on(RequestCode.DELETE_SUBSCRIPTIONGROUP, groupRequests::delete)
                .on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, groupRequests::putAll)
                .on(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, groupRequests::forbidden)
                .on(RequestCode.GET_CONSUMER_RUNNING_INFO, askClients::runningInfo)
                .on(RequestCode.CONSUME_MESSAGE_DIRECTLY, askClients::consumeDirectly)
                .on(RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, askClients::consumerStatus)
                .on(RequestCode.GET_TOPIC_STATS_INFO, topicStatus)
                .on(RequestCode.GET_CONSUME_STATS, progress::ofGroup)
                .on(RequestCode.GET_BROKER_CONSUME_STATS, progress::ofAll)
                .on(RequestCode.GET_CONSUMER_CONNECTION_LIST, connections::consumers)
                .on(RequestCode.GET_PRODUCER_CONNECTION_LIST, connections::producers)
                .on(RequestCode.GET_ALL_PRODUCER_INFO, connections::allProducers)
                .on(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, this::groupsOfTopic)
                .on(RequestCode.GET_BROKER_RUNTIME_INFO, figures)
                .on(RequestCode.VIEW_BROKER_STATS_DATA, viewStats)
                .on(RequestCode.GET_BROKER_CONFIG, config::get)
                .on(RequestCode.UPDATE_BROKER_CONFIG, config::update)
                .on(RequestCode.QUERY_BROKER_OFFSET, housekeeping::endOfLog)
                .on(RequestCode.TRIGGER_DELETE_FILES, housekeeping::nothingToDo)
                .on(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, housekeeping::nothingToDo)
                .on(RequestCode.DELETE_EXPIRED_COMMITLOG, housekeeping::nothingToDo)
                .on(RequestCode.CLEAN_UNUSED_TOPIC, housekeeping::unusedTopics);
    }

    /** Groups that have progress in the topic or are online and subscribe to it. */
    private void groupsOfTopic(Request request) {
        String topic = TopicHeader.read(request.command().fields()).topic();
        away.reply(request, () -> {
            Set<String> names = new TreeSet<>(offsets.groupsOf(topic));
            for (ConsumerGroup group : members.consumerGroups()) {
                if (group.subscription(topic) != null) {
                    names.add(group.name());
                }
            }
            return Away.body(new GroupList(new ArrayList<>(names)).toJson());
        });
    }
}
