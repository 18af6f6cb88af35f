/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.protocol.header.PopHeader;

/**
 * What a request asks for.
 *
 * @param queueId -1 for any
 * @param invisibleMillis 0 when nothing is leased
 * @param fromMax whether a group without an offset begins at the end of the queue
 * @param order whether no message of a queue comes while one before it is leased
 * @param attemptId null for none
 * @param expressionType may be null, like the expression
 */
record PopParameters(
        PopMode mode,
        String group,
        String topic,
        int queueId,
        int maxCount,
        int maxBytes,
        long invisibleMillis,
        boolean fromMax,
        boolean order,
        String attemptId,
        String expressionType,
        String expression) {
    boolean isLease() {
        return mode == PopMode.LEASE;
    }

    boolean isAnyQueue() {
        return queueId == PopHeader.ANY_QUEUE;
    }
}
