/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A request that was read, and after {@link #reply} its reply on the way out: one object for both ways. The first reply or refusal counts, from
 * whatever thread; a later one is dropped and logged. Whatever the outcome, its charges are given back once, and the callback of the slices of a
 * reply runs once, even of one that is dropped.
 */
final class IncomingRequest extends Outgoing implements Request {
    private static final Logger LOG = LoggerFactory.getLogger(IncomingRequest.class);
    private static final VarHandle ANSWERED;

    static {
        try {
            ANSWERED = MethodHandles.lookup().findVarHandle(IncomingRequest.class, "answered", boolean.class);
        } catch (ReflectiveOperationException impossible) {
            throw new ExceptionInInitializerError(impossible);
        }
    }

    /** What this request holds of the budget of requests in hand, in bytes. */
    long charge;

    /** What it holds of the budget of waiting requests, in bytes; both of the event loop. */
    long waitingCharge;

    private final SocketConnection connection;
    private final long arrivedNanos;
    private volatile Command request;

    @SuppressWarnings("unused") // through ANSWERED
    private boolean answered;

    private Command response;
    private List<ByteBuffer> slices;
    private Runnable released;

    IncomingRequest(SocketConnection connection, Command request, int charge, long arrivedNanos) {
        this.connection = connection;
        this.request = request;
        this.charge = charge;
        this.arrivedNanos = arrivedNanos;
    }

    @Override
    public Command command() {
        return request;
    }

    @Override
    public Connection connection() {
        return connection;
    }

    @Override
    public long arrivedNanos() {
        return arrivedNanos;
    }

    @Override
    public void reply(Command head) {
        reply(head, null, null);
    }

    @Override
    public void reply(Command head, List<ByteBuffer> body, Runnable whenReleased) {
        if (!head.isResponse()) {
            run(whenReleased);
            throw new IllegalArgumentException("a reply is made by Command.response, not request");
        }
        // A failing handler and a callback on another thread may both want to answer.
        boolean first = ANSWERED.compareAndSet(this, false, true);
        if (!first || request.isOneway()) {
            if (first) {
                connection.push(this); // nothing is written: it only ends
            } else {
                LOG.warn("a second reply to request {} code {} was dropped", request.opaque(), request.code());
            }
            run(whenReleased);
            return;
        }
        response = head;
        slices = body;
        released = whenReleased;
        connection.push(this);
    }

    @Override
    public void refuse(int code, String remark) {
        if (!request.isOneway()) {
            reply(Command.response(code, remark).build());
        } else if (ANSWERED.compareAndSet(this, false, true)) {
            connection.push(this);
        }
    }

    @Override
    public boolean hold(long bytes) {
        if (!connection.mayWait(bytes)) {
            return false;
        }
        // Its body lies in the read buffer and its fields hold the header: neither may be kept for as long as it waits.
        request = request.withoutContent();
        connection.waits(this, bytes);
        return true;
    }

    /** For a handler that failed: what it replied before stands. */
    void refuseUnlessAnswered(int code, String remark) {
        if (!(boolean) ANSWERED.getAcquire(this)) {
            refuse(code, remark);
        }
    }

    @Override
    boolean wanted() {
        return !request.isOneway();
    }

    @Override
    void unwanted(SocketConnection ignored) {
        connection.answered(this);
    }

    @Override
    Command outgoing() {
        return response;
    }

    @Override
    int opaque(SocketConnection ignored) {
        return request.opaque();
    }

    @Override
    List<ByteBuffer> slices() {
        return slices;
    }

    @Override
    void slicesReleased() {
        Runnable once = released;
        released = null;
        run(once);
    }

    @Override
    void encoded(SocketConnection ignored) {
        connection.answered(this);
    }

    @Override
    void dropped(SocketConnection ignored, RuntimeException reason) {
        connection.answered(this);
        slicesReleased();
    }

    private static void run(Runnable whenReleased) {
        if (whenReleased != null) {
            try {
                whenReleased.run();
            } catch (RuntimeException e) {
                LOG.warn("the released callback of a reply failed", e);
            }
        }
    }
}
