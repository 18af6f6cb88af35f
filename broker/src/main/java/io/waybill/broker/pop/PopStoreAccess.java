/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.store.OffsetStore;
import io.waybill.store.PopStore;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;

/** What popping uses of the store. */
public record PopStoreAccess(QueueStore queues, OffsetStore offsets, PopStore pops, StoreClock clock) {}
