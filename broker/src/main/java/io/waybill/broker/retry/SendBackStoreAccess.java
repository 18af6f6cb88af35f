/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.store.MessageStore;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;

/** What taking a message back uses of the store. */
public record SendBackStoreAccess(MessageStore messages, TransactionStore transactions, TimerStore timers) {}
