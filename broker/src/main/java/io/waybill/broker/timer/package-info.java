/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Messages that become visible later: delay levels, arbitrary times, retries with back-off and transaction checks all sleep
 * in the store's due index, and one duty wakes them. A sleeping message can be recalled with a true answer. Start reading at
 * {@link io.waybill.broker.timer.TimerDispatcher}. Imports packages of the core wing only.
 */
package io.waybill.broker.timer;
