/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.record.ViewsDamaged;
import java.util.Collections;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiFunction;

/**
 * The table from request code to handler.
 *
 * <p>Filled while the broker is put together, read-only once the first request arrives: {@link #handler()} takes a
 * copy, so that the hot path reads a plain array. Every code has at most one handler. A code without one is answered
 * with 3 (not supported); a field that a handler cannot read is answered with 29 and the sentence of the
 * {@link BadField}; work that finds its queue full with 2.
 */
public final class Routes {
    /** Codes below this are found in an array; the few larger ones (private and pop codes) in a map. */
    private static final int DENSE_CODES = 1024;

    private final Map<Integer, RequestHandler> handlers = new TreeMap<>();

    /** Binds a code. A second handler for the same code is a programming error. */
    public Routes on(int code, RequestHandler handler) {
        RequestHandler earlier = handlers.putIfAbsent(code, handler);
        if (earlier != null) {
            throw new IllegalStateException("request code " + code + " has two handlers: "
                    + earlier.getClass().getName() + " and "
                    + handler.getClass().getName());
        }
        return this;
    }

    /** The codes bound so far. */
    public SortedSet<Integer> codes() {
        return Collections.unmodifiableSortedSet(new TreeSet<>(handlers.keySet()));
    }

    /** The one handler to give to a server: dispatches by code. Codes bound later are not seen by it. */
    public RequestHandler handler() {
        return handler((code, handler) -> handler);
    }

    /** The same; what changes something on behalf of an operator leaves a line in the log. */
    public RequestHandler handler(AdminChanges changes) {
        return handler(changes::watch);
    }

    private RequestHandler handler(BiFunction<Integer, RequestHandler, RequestHandler> watch) {
        RequestHandler[] dense = new RequestHandler[DENSE_CODES];
        Map<Integer, RequestHandler> sparse = new TreeMap<>();
        handlers.forEach((code, bound) -> {
            RequestHandler handler = watch.apply(code, bound);
            if (code >= 0 && code < DENSE_CODES) {
                dense[code] = handler;
            } else {
                sparse.put(code, handler);
            }
        });
        return request -> dispatch(dense, sparse, request);
    }

    private static void dispatch(RequestHandler[] dense, Map<Integer, RequestHandler> sparse, Request request) {
        int code = request.code();
        RequestHandler handler = code >= 0 && code < DENSE_CODES ? dense[code] : sparse.get(code);
        if (handler == null) {
            request.refuse(
                    ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
                    "request code " + code + " is not supported by this broker");
            return;
        }
        try {
            handler.handle(request);
        } catch (BadField e) {
            request.refuse(ResponseCode.INVALID_PARAMETER, e.getMessage());
        } catch (RejectedExecutionException e) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many requests wait for the disk");
        } catch (ViewsDamaged e) {
            Outcomes.refuse(request, e, "");
        }
    }
}
