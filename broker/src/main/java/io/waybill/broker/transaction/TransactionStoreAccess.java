/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.store.ConflictStore;
import io.waybill.store.MessageStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.StoreClock;
import io.waybill.store.StoreStatus;
import io.waybill.store.TransactionStore;

/** What the requests about transactions use of the store. */
public record TransactionStoreAccess(
        MessageStore messages,
        TransactionStore transactions,
        ConflictStore conflicts,
        SettlementStore settlements,
        StoreStatus status,
        StoreClock clock) {}
