/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Locks of ordered queues: which client of a group consumes a queue right now.
 */
package io.waybill.broker.lock;
