/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.store.MessageStore;
import io.waybill.store.PopStore;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.TimerStore;

/** What sorting out different subscriptions of one group uses of the store. */
public record SubscriptionConflictStoreAccess(
        QueueStore queues, MessageStore messages, TimerStore timers, PopStore pops, StoreClock clock) {}
