/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.Fields;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import java.util.Collections;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * The table from request code to what answers it: on which lane, with which header, by which handler.
 *
 * <p>Filled while the broker is put together, read-only once the first request arrives: {@link #handler()} takes a
 * copy, so that the hot path reads a plain array. Every code has at most one handler. A code without one is answered
 * with 3 (not supported). Headers are read on the event loop, because the bytes of a request are gone when its first step ends; whatever a reader or a
 * handler throws is answered by {@link RequestFailures}.
 */
public final class Routes {
    /** Codes below this are found in an array; the few larger ones (private and pop codes) in a map. */
    private static final int DENSE_CODES = 1024;

    private final Map<Integer, RequestHandler> handlers = new TreeMap<>();
    private final Lanes lanes;

    public Routes(Lanes lanes) {
        this.lanes = lanes;
    }

    /** A request with a header that is read from its fields. */
    public <H> Routes on(int code, Lane lane, Function<Fields, H> reader, RouteHandler<H> handler) {
        return onCommand(code, lane, command -> reader.apply(command.fields()), handler);
    }

    /** A request of which the body, or more than one header, is read before the handler runs. */
    public <H> Routes onCommand(int code, Lane lane, Function<Command, H> reader, RouteHandler<H> handler) {
        return bind(
                code,
                lane == Lane.INLINE ? inline(reader, handler) : onLane(lane, reader, handler),
                handler.getClass().getName());
    }

    /** A request without a header, or an inline one whose handler reads what it needs by itself. */
    public Routes on(int code, Lane lane, Function<Request, Reply> handler) {
        return onCommand(code, lane, command -> null, (request, none) -> handler.apply(request));
    }

    private <H> RequestHandler inline(Function<Command, H> reader, RouteHandler<H> handler) {
        return request -> {
            H header = null;
            try {
                header = reader.apply(request.command());
                handler.handle(request, header).send(request);
            } catch (RuntimeException e) {
                lanes.failures().answer(request, e, header);
            }
        };
    }

    private <H> RequestHandler onLane(Lane lane, Function<Command, H> reader, RouteHandler<H> handler) {
        return request -> {
            H header;
            try {
                header = reader.apply(request.command());
            } catch (RuntimeException e) {
                lanes.failures().answer(request, e);
                return;
            }
            lanes.run(lane, request, () -> handler.handle(request, header), header);
        };
    }

    /** A second handler for the same code is a programming error. */
    private Routes bind(int code, RequestHandler handler, String name) {
        if (handlers.putIfAbsent(code, handler) != null) {
            throw new IllegalStateException("request code " + code + " has two handlers, the second is " + name);
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
        handler.handle(request);
    }
}
