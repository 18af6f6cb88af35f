/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Routes;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.store.Store;
import java.util.concurrent.Executor;

/** The requests of people and tools about delayed messages that wait. */
public final class TimerFeature {
    private final ChangeTimer change;
    private final ListTimers list;

    /** @param blocking for looking at messages that may have to come from the disk */
    public TimerFeature(Store store, Clock clock, TimerSettings settings, String brokerName, Executor blocking) {
        change = new ChangeTimer(store, clock, settings, blocking);
        list = new ListTimers(store, brokerName, blocking);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.CHANGE_TIMER, change).on(RequestCode.LIST_TIMERS, list);
    }
}
