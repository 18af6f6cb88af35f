/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.protocol.ResponseCode;
import io.waybill.store.ReadResult;

/**
 * What a pull is answered: the table of the wire, as a pure function of the offset asked for and what the read found.
 *
 * @param code 0 found, 19 nothing yet, 20 nothing that matches, 21 the offset is moved, 1 damaged
 * @param nextOffset where the client goes on
 * @param remark the case by name, for people
 */
record PullResult(int code, long nextOffset, String remark) {
    static PullResult of(long offset, ReadResult read) {
        return switch (read.status()) {
            case FOUND -> new PullResult(ResponseCode.SUCCESS, read.nextOffset(), "FOUND");
            case NO_MATCH -> noMatch(read.nextOffset());
            case DAMAGED ->
                new PullResult(
                        ResponseCode.SYSTEM_ERROR,
                        offset,
                        "the message at offset " + offset + " is damaged; the broker's log says where");
            case END, BELOW_MIN, ABOVE_MAX, EMPTY -> outside(offset, read.minOffset(), read.maxOffset());
        };
    }

    /** Entries were there, none of them was wanted. */
    static PullResult noMatch(long nextOffset) {
        return new PullResult(ResponseCode.PULL_RETRY_IMMEDIATELY, nextOffset, "NO_MATCHED_MESSAGE");
    }

    /** A reset from outside is waiting for this group. */
    static PullResult reset(long offset) {
        return new PullResult(ResponseCode.PULL_OFFSET_MOVED, offset, "OFFSET_RESET");
    }

    /** The group has had what it may get for now. */
    static PullResult rateLimited(long offset) {
        return new PullResult(ResponseCode.PULL_NOT_FOUND, offset, "RATE_LIMITED");
    }

    private static PullResult outside(long offset, long min, long max) {
        if (max == 0) {
            return offset == 0
                    ? new PullResult(ResponseCode.PULL_NOT_FOUND, 0, "NO_MESSAGE_IN_QUEUE")
                    : new PullResult(ResponseCode.PULL_OFFSET_MOVED, 0, "NO_MESSAGE_IN_QUEUE");
        }
        if (offset < min) {
            return new PullResult(ResponseCode.PULL_OFFSET_MOVED, min, "OFFSET_TOO_SMALL");
        }
        if (offset > max) {
            return new PullResult(ResponseCode.PULL_OFFSET_MOVED, max, "OFFSET_OVERFLOW_BADLY");
        }
        return new PullResult(ResponseCode.PULL_NOT_FOUND, offset, "OFFSET_OVERFLOW_ONE");
    }

    boolean isNothingYet() {
        return code == ResponseCode.PULL_NOT_FOUND;
    }
}
