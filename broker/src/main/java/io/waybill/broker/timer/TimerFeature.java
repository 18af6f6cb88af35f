/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.store.MessageStore;
import io.waybill.store.StoreStatus;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;

/** The requests of people and tools about delayed messages that wait. */
public final class TimerFeature implements Feature {
    private final ChangeTimer change;
    private final ListTimers list;

    public TimerFeature(
            MessageStore messageStore,
            TransactionStore transactionStore,
            TimerStore timerStore,
            StoreStatus storeStatus,
            Clock clock,
            TimerSettings settings,
            String brokerName,
            Lanes lanes) {
        change = new ChangeTimer(messageStore, timerStore, storeStatus, clock, settings, lanes);
        list = new ListTimers(messageStore, transactionStore, timerStore, brokerName);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.CHANGE_TIMER, Lane.INLINE, change::change)
                .onCommand(RequestCode.LIST_TIMERS, Lane.OPERATOR, ListTimers.Wanted::read, list);
    }
}
