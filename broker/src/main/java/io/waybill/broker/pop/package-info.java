/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pop: the broker hands out messages for a while instead of queues for good. Who holds what is a state per group and queue, led in memory and
 * recorded as steps in the log; what is not acknowledged in time is handed out again, and at last becomes a dead letter.
 */
package io.waybill.broker.pop;
