/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.remoting.Request;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes on with a request in a thread that may wait for the disk, also from where nobody catches what is thrown, such as a completion of the store.
 * The request is answered whatever happens: by the work, with 29 for a field it cannot take, with 1 when it fails, with 2 when no thread takes it.
 */
public final class Continuation {
    private static final Logger LOG = LoggerFactory.getLogger(Continuation.class);

    private Continuation() {}

    /** Never throws. */
    public static void run(Executor blocking, Request request, Runnable work) {
        try {
            blocking.execute(() -> guarded(request, work));
        } catch (RejectedExecutionException e) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many requests wait for the disk");
        }
    }

    private static void guarded(Request request, Runnable work) {
        try {
            work.run();
        } catch (BadField e) {
            request.refuse(ResponseCode.INVALID_PARAMETER, e.getMessage());
        } catch (RuntimeException e) {
            if (!Outcomes.isRebuilding(e)) {
                LOG.error("request {} failed", request.code(), e);
            }
            Outcomes.refuse(request, e, "the request failed; the broker's log says why");
        }
    }
}
