/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Locks of ordered queues: which client of a group consumes a queue right now, also over a restart (ADR 0027, ADR 0031). Start reading at
 * {@link io.waybill.broker.lock.QueueLocks}; what may become of one lock is in {@code LockHold}. Imports the core wing, the store and remoting.
 */
package io.waybill.broker.lock;
