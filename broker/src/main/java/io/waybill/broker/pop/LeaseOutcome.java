/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

/** What an acknowledgement or a change of a lease came to. */
enum LeaseOutcome {
    /** Recorded; the completion is called. */
    RECORDED,
    /** It speaks of a message that is done, or that somebody else has leased since: nothing changes. */
    STALE,
    /** Nobody has leased the message: it was reset, or a crash took the lease from the log. It will come again. */
    UNKNOWN,
    /** The log refused a step just now. */
    UNSURE
}
