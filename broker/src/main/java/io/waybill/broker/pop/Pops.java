/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Members;
import io.waybill.broker.journal.Journal;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.RateLimits;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.route.NameServers;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Chance;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RequestMode;
import io.waybill.protocol.frame.Command;
import io.waybill.store.Store;
import java.util.concurrent.Executor;

/** The feature "pop", put together: its requests, the queues groups pop, the pops that wait, and who pops what. */
public final class Pops {
    private final WaitingPops waiting;
    private final PopRequests requests;
    private final Acks acks;
    private final RequestModes modes;
    private final Assignments assignments;

    public Pops(
            Store store,
            Topics topics,
            Groups groups,
            Members members,
            Offsets offsets,
            Journal journal,
            Stats stats,
            RateLimits limits,
            Rules rules,
            NameServers nameServers,
            BrokerSettings settings,
            Clock clock,
            Chance chance,
            Executor coldReads,
            Executor filters) {
        PopClock popClock = new PopClock(clock);
        PopQueues queues = new PopQueues(store, offsets, popClock);
        waiting = new WaitingPops(
                store,
                clock,
                popClock,
                queues,
                settings.maxHeldPulls(),
                settings.pullHoldMaxMillis(),
                key -> topics.find(key.topic()) != null && groups.find(key.group()) != null);
        PopChecks checks = new PopChecks(topics, groups, members);
        Popping popping = new Popping(
                store, queues, waiting, members, topics, journal, stats, limits, rules, checks, popClock, coldReads,
                filters);
        waiting.lookBy(popping);
        requests = new PopRequests(checks, rules, popping, waiting, settings, chance);
        acks = new Acks(store, topics, queues, waiting, journal, popClock);
        modes = new RequestModes(store, members, settings.popByDefault() ? RequestMode.POP : RequestMode.PULL);
        assignments = new Assignments(members, new TopicQueues(topics, nameServers, settings, clock), modes);
        offsets.onOutside(queues::outside);
        offsets.onReset(waiting::wake);
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
        waiting.wake(topic, queueId);
    }

    /** The pops that wait; a duty to be started. */
    public WaitingPops waiting() {
        return waiting;
    }
}
