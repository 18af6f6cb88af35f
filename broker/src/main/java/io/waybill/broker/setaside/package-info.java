/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Queues of messages that were set aside: dead letters, messages of quarantined keys, exhausted transactions. Start reading at
 * {@link io.waybill.broker.setaside.SetAsideQueue}; {@link io.waybill.broker.setaside.DeadLetterAdmin} serves the operators' requests about dead
 * letters. Imports {@code retry} for the marks on dead letters, and packages of the core wing.
 */
package io.waybill.broker.setaside;
