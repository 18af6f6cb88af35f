/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

/** Why something is not consumed, as the wire names it. What more there is to tell of one is its {@link SubCause} and its facts. */
enum Cause {
    NOBODY_CONNECTED,
    NOT_SUBSCRIBED,
    FILTERED_OUT,
    QUEUE_OWNED,
    QUEUE_REMOVED,
    IN_FLIGHT,
    LOCKED_BY_FAILING,
    IN_RETRY,
    DELAYED,
    HALF,
    TRANSACTION_CONFLICT,
    DEAD_LETTER,
    CONSUMED,
    BEYOND_OFFSET,
    RATE_LIMITED,
    QUARANTINED,
    CONSUME_DISABLED,
    CLIENT_ID_SHARED,
    CLOCK_AHEAD,
    NOT_FOUND
}
