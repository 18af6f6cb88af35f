/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.store.ConflictStore;
import io.waybill.store.MessageStore;
import io.waybill.store.PopStore;
import io.waybill.store.QueueStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.StoreClock;
import io.waybill.store.StoreStatus;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;

/** What backlog, doctor and trace read of the store; they change nothing of it. */
public record InsightStoreAccess(
        QueueStore queues,
        MessageStore messages,
        TransactionStore transactions,
        ConflictStore conflicts,
        TimerStore timers,
        PopStore pops,
        SettlementStore settlements,
        StoreStatus status,
        StoreClock clock) {}
