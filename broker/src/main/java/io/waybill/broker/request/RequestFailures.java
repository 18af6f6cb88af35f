/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.BadValue;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.remoting.Request;
import io.waybill.store.record.ViewsDamaged;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one place where a request is answered whose handler threw: 29 for a field that it cannot take, 13 for a message that breaks a limit, 2 when its lane is full
 * or an index is being rebuilt, and 1 for everything else, which is logged with its code, the number of the request and what it is about. Thread-safe.
 */
public final class RequestFailures {
    private static final Logger LOG = LoggerFactory.getLogger(RequestFailures.class);

    private static final int MOST_SHOWN = 400;

    private final LogRateLimiter lines;

    RequestFailures(Clock clock) {
        this.lines = new LogRateLimiter(clock);
    }

    /** Never throws. A request that was answered before stays as it was answered. */
    public void answer(Request request, Throwable failure) {
        answer(request, failure, null);
    }

    /**
     * The same.
     *
     * @param about what names topic, queue and offset in the log, as a rule the header that was read; its text is taken only for a line. Null when nothing was
     *     read. The request's own fields are gone by now.
     */
    public void answer(Request request, Throwable failure, Object about) {
        if (failure instanceof RequestRefused refused) {
            request.refuse(refused.code(), refused.getMessage());
        } else if (failure instanceof BadField) {
            request.refuse(ResponseCode.INVALID_PARAMETER, failure.getMessage());
        } else if (failure instanceof BadValue) {
            request.refuse(ResponseCode.MESSAGE_ILLEGAL, failure.getMessage());
        } else if (failure instanceof RejectedExecutionException) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many requests wait for the disk");
        } else if (failure instanceof ViewsDamaged damaged) {
            // The store has said so in the log, once for all of them.
            request.refuse(Outcomes.code(damaged), Outcomes.text(damaged, null));
        } else {
            String more = lines.admit();
            if (more != null) {
                LOG.error(
                        "{}: request {} of code {} failed{}{}",
                        request.connection(),
                        request.command().opaque(),
                        request.code(),
                        about == null ? "" : ": " + text(about),
                        more,
                        failure);
            }
            // What went wrong inside is for the log: it may name files or classes.
            request.refuse(
                    ResponseCode.SYSTEM_ERROR,
                    "request code " + request.code()
                            + " failed inside; the broker's log says why, under connection "
                            + request.connection().id() + ", request "
                            + request.command().opaque());
        }
    }

    /** One short line, whatever a peer wrote. Never throws: the answer comes after it, and an object may not be able to show itself without memory. */
    static String text(Object about) {
        try {
            String text = about.toString();
            StringBuilder shown = new StringBuilder(Math.min(text.length(), MOST_SHOWN) + 3);
            for (int i = 0; i < text.length() && i < MOST_SHOWN; i++) {
                char c = text.charAt(i);
                shown.append(Character.isISOControl(c) ? '?' : c);
            }
            return text.length() > MOST_SHOWN ? shown.append("...").toString() : shown.toString();
        } catch (RuntimeException | Error e) {
            return "what it is about cannot be shown";
        }
    }
}
