/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Members;
import io.waybill.broker.journal.Journal;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.store.Store;
import java.util.concurrent.Executor;

/** The feature "pull": its handler, its waiting pulls, and what wakes them, put together. */
public final class Pulls {
    private final PullMessage handler;
    private final Parked parked;

    public Pulls(
            Store store,
            Topics topics,
            Groups groups,
            Members members,
            Offsets offsets,
            Journal journal,
            Stats stats,
            BrokerSettings settings,
            Clock clock,
            Executor coldReads) {
        parked = new Parked(clock, settings.pullHoldMaxMillis(), settings.maxHeldPulls());
        Reading reading = new Reading(store, offsets, parked, journal, stats, coldReads);
        parked.readBy(reading);
        handler = new PullMessage(topics, groups, members, offsets, reading, settings);
        store.onVisible((topic, queueId, newMaxOffset) -> parked.wake(topic, queueId));
        offsets.onReset(parked::reset);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.PULL_MESSAGE, handler).on(RequestCode.LITE_PULL_MESSAGE, handler);
    }

    /** The pulls that wait; a duty to be started. */
    public Parked parked() {
        return parked;
    }
}
