/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Groups;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.offset.OffsetListener;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.route.NameServers;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RequestMode;
import io.waybill.protocol.frame.Command;
import io.waybill.store.Store;
import java.util.concurrent.Executor;

/** The feature "pop", put together: its requests, the queues groups pop, the pops that wait, and who pops what. */
public final class PopFeature {
    private final PopLongPolling longPolling;
    private final PopRequests requests;
    private final Acks acks;
    private final RequestModes modes;
    private final Assignments assignments;

    public PopFeature(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            DeliveryLog deliveries,
            Stats stats,
            RateLimits limits,
            Rules rules,
            NameServers nameServers,
            BrokerSettings settings,
            Clock clock,
            RandomSource random,
            Executor coldReads,
            Executor filters) {
        PopClock popClock = new PopClock(clock);
        PopQueues queues = new PopQueues(store, offsets, popClock);
        longPolling = new PopLongPolling(
                store,
                clock,
                popClock,
                queues,
                settings.reads().maxHeld(),
                settings.reads().holdMaxMillis(),
                key -> topics.find(key.topic()) != null && groups.find(key.group()) != null);
        PopChecks checks = new PopChecks(topics, groups, members);
        PopService popService = new PopService(
                store,
                queues,
                longPolling,
                members,
                topics,
                deliveries,
                stats,
                limits,
                rules,
                checks,
                popClock,
                coldReads,
                filters);
        longPolling.lookBy(popService);
        requests = new PopRequests(checks, rules, popService, longPolling, settings, random);
        acks = new Acks(store, topics, queues, longPolling, deliveries, popClock);
        modes = new RequestModes(store, members, settings.reads().popByDefault() ? RequestMode.POP : RequestMode.PULL);
        assignments = new Assignments(members, new TopicQueues(topics, nameServers, settings, clock), modes);
        offsets.addListener(new OffsetListener() {
            @Override
            public void set(String group, String topic, int queueId, long offset, boolean isReset) {
                queues.outside(group, topic, queueId, offset, isReset);
            }

            @Override
            public void reset(String group, String topic, int queueId) {
                longPolling.wake(group, topic, queueId);
            }
        });
    }

    public void register(Routes routes) {
        requests.register(routes);
        acks.register(routes);
        modes.register(routes);
        assignments.register(routes);
        // Moves RocketMQ's pop records from one of its two stores to the other; here is only one.
        routes.on(
                RequestCode.POP_ROLLBACK,
                request -> request.reply(
                        Command.response(ResponseCode.SUCCESS, null).build()));
    }

    /** Something became visible in a queue. Quick; called by the thread that applied it. */
    public void wake(String topic, int queueId) {
        longPolling.wake(topic, queueId);
    }

    /** The pops that wait; a duty to be started. */
    public PopLongPolling longPolling() {
        return longPolling;
    }
}
