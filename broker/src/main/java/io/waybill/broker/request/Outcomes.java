/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.remoting.Request;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ViewsDamaged;

/** What the store said, in the words of the wire: response code and sentence. */
public final class Outcomes {
    private static final String REBUILDING = "an index of this broker cannot be read at the moment";

    private Outcomes() {}

    /** The response code for an outcome; 0 only for {@link Stored}. */
    public static int code(Outcome outcome) {
        if (outcome instanceof Stored) {
            return ResponseCode.SUCCESS;
        }
        if (outcome instanceof Failed failed) {
            return switch (failed.cause()) {
                // Clients take 14 elsewhere or try again; all of these may pass.
                case FROZEN, DISK_FULL, NO_SEGMENT, CLOSED, MOVED -> ResponseCode.SERVICE_NOT_AVAILABLE;
                case TOO_LARGE -> ResponseCode.MESSAGE_ILLEGAL;
                case OVERLOADED, REBUILDING -> ResponseCode.SYSTEM_BUSY;
            };
        }
        return ResponseCode.SYSTEM_ERROR;
    }

    /**
     * Refuses a request that failed: what waits for views to be rebuilt has its own code, with which clients try again; for all else the
     * sentence is given.
     */
    public static void refuse(Request request, RuntimeException failure, String otherwise) {
        request.refuse(code(failure), text(failure, otherwise));
    }

    /** As refuse. */
    public static int code(RuntimeException failure) {
        return isRebuilding(failure) ? ResponseCode.SYSTEM_BUSY : ResponseCode.SYSTEM_ERROR;
    }

    /** As refuse. */
    public static String text(RuntimeException failure, String otherwise) {
        return isRebuilding(failure) ? REBUILDING + ": " + failure.getMessage() : otherwise;
    }

    /** Whether a request failed only because something is rebuilt: the store has said so in the log, once for all of them. */
    public static boolean isRebuilding(RuntimeException failure) {
        return failure instanceof ViewsDamaged;
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
                case REBUILDING -> REBUILDING;
                case MOVED -> "this broker does not lead its group now";
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
