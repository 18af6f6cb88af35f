/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.store.CatalogStore;
import io.waybill.store.MessageStore;
import io.waybill.store.PopStore;
import io.waybill.store.QueueStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.StoreClock;

/** What the quarantine uses of the store. */
public record QuarantineStoreAccess(
        QueueStore queues,
        MessageStore messages,
        CatalogStore catalog,
        PopStore pops,
        SettlementStore settlements,
        StoreClock clock) {}
