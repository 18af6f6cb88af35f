/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;

/** What the store said, in the words of the wire: response code and sentence. */
public final class Outcomes {
    private Outcomes() {}

    /** The response code for an outcome; 0 only for {@link Stored}. */
    public static int code(Outcome outcome) {
        if (outcome instanceof Stored) {
            return ResponseCode.SUCCESS;
        }
        if (outcome instanceof Failed failed) {
            return switch (failed.cause()) {
                // Clients take 14 elsewhere or try again; all of these may pass.
                case FROZEN, DISK_FULL, NO_SEGMENT, CLOSED -> ResponseCode.SERVICE_NOT_AVAILABLE;
                case TOO_LARGE -> ResponseCode.MESSAGE_ILLEGAL;
                case OVERLOADED -> ResponseCode.SYSTEM_BUSY;
            };
        }
        return ResponseCode.SYSTEM_ERROR;
    }

    /** The sentence for an outcome that is not {@link Stored}; null for one that is. */
    public static String text(Outcome outcome) {
        if (outcome instanceof Failed failed) {
            String what = switch (failed.cause()) {
                case FROZEN -> "this broker no longer takes writes after a failed write to its log";
                case DISK_FULL -> "the disk of this broker is full";
                case NO_SEGMENT -> "the log of this broker cannot grow now";
                case CLOSED -> "this broker is closing";
                case TOO_LARGE -> "the message is too large to be stored";
                case OVERLOADED -> "[OVERLOAD] too many changes wait to be stored";
            };
            String reason = failed.text() == null || failed.text().isEmpty() ? "" : ": " + failed.text();
            return what + reason + (failed.maybeStored() ? " (this one may have been stored)" : "");
        }
        if (outcome instanceof Refused refused) {
            return refused.text();
        }
        return null;
    }
}
