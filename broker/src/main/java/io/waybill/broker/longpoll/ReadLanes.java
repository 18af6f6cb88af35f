/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.protocol.ResponseCode;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * Where reads of one kind of request go on when an event loop, or the thread that confirms, would be held up: what has
 * to wait for the disk, and filters that take long, each in threads of their own. So neither holds up the other.
 */
public final class ReadLanes<R extends HeldRequest> {
    private final Executor coldReads;
    private final Executor filters;
    private final Lanes lanes;
    private final LongPolling<R> held;

    public ReadLanes(Lanes lanes, LongPolling<R> held) {
        this.coldReads = lanes.executor(Lane.BLOCKING);
        this.filters = lanes.executor(Lane.FILTER);
        this.lanes = lanes;
        this.held = held;
    }

    /**
     * Goes on with a turn where nobody else waits; the turn stays this request's, which is refused when too many wait
     * there. True if it goes on.
     */
    public boolean goOn(R request, boolean isHeavy, Runnable turn) {
        try {
            (isHeavy ? filters : coldReads).execute(turn);
            return true;
        } catch (RejectedExecutionException e) {
            held.refuse(request, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
            return false;
        }
    }

    /**
     * Has another request look, by a thread of its own if there is room: the caller might go from one to the next for
     * ever.
     */
    public void look(HeldRequest request) {
        try {
            coldReads.execute(() -> request.advance(HeldRequest.LOOK));
        } catch (RejectedExecutionException e) {
            request.advance(HeldRequest.LOOK);
        }
    }

    /** Answers a request whose turn failed, and ends it. One that ended just before may still be without its answer. */
    public void failed(R request, RuntimeException failure) {
        if (!request.isAnswered()) {
            held.end(request);
        }
        lanes.failures().answer(request.request(), failure, request);
    }
}
