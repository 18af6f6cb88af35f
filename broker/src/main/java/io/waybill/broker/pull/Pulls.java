/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Members;
import io.waybill.broker.journal.Journal;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The feature "pull": its handler, its waiting pulls, and what wakes them, put together. */
public final class Pulls {
    private static final Logger log = LoggerFactory.getLogger(Pulls.class);

    private final PullMessage handler;
    private final Parked parked;
    private final RateLimits limits;
    private final OtherMembers otherMembers;
    private final Diversions diversions = new Diversions();
    private final UnreadQueues unread;

    public Pulls(
            Store store,
            Topics topics,
            Groups groups,
            Members members,
            Offsets offsets,
            Journal journal,
            Rules rules,
            Stats stats,
            BrokerSettings settings,
            Clock clock,
            Executor coldReads,
            Executor filters) {
        parked = new Parked(clock, settings.pullHoldMaxMillis(), settings.maxHeldPulls());
        OtherMembers others = new OtherMembers(store, topics, offsets, clock);
        otherMembers = others;
        diversions.add(others);
        members.onConflict(group -> others.raise(group, change -> {
            if (change.isRefused()) {
                log.warn("The retry topic of group {} gets no queue for each member: {}", group.name(), change.text());
            }
        }));
        limits = new RateLimits(groups, clock);
        unread = new UnreadQueues(
                store,
                topics,
                groups,
                members,
                offsets,
                journal,
                others,
                limits,
                settings.brokerName(),
                clock,
                coldReads);
        PullChecks checks = new PullChecks(topics, groups, members);
        Reading reading = new Reading(
                store, offsets, parked, journal, diversions, limits, rules, checks, stats, coldReads, filters);
        parked.readBy(reading);
        handler = new PullMessage(checks, rules, members, offsets, otherMembers, reading, settings);
        offsets.onReset((group, topic, queueId) -> {
            diversions.reset(group, topic, queueId);
            parked.reset(group, topic, queueId);
        });
    }

    public void register(Routes routes) {
        routes.on(RequestCode.PULL_MESSAGE, handler).on(RequestCode.LITE_PULL_MESSAGE, handler);
    }

    /** What pulls keep from their clients; a feature may add its reason before the first request. */
    public Diversions diversions() {
        return diversions;
    }

    /** How many messages groups may get; for whoever hands out messages another way. */
    public RateLimits limits() {
        return limits;
    }

    /** Forgets a connection. */
    public void closed(Connection connection) {
        parked.closed(connection);
        otherMembers.closed(connection);
    }

    /** What brings on the messages of queues that no member reads; a duty to be started. */
    public Duty unread() {
        return unread;
    }

    /** The pulls that wait; a duty to be started. */
    public Parked parked() {
        return parked;
    }
}
