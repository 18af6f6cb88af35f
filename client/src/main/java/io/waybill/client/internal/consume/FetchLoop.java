/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.platform.Clock;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How every consumer of this library fetches. Always: each claim that {@link #begin} gives is let go exactly once, by {@link #fetched} or by
 * {@link #failed}, whatever a step throws, an {@link Error} too. A claim that is never let go would silence its source until the consumer is closed;
 * one that is let go twice could be a newer one, and two requests would be under way at once. What a step throws is logged. The steps run on the
 * thread that fetches or on an I/O thread, and must not block.
 *
 * @param <S> a source of messages that is asked again and again, such as a queue
 * @param <R> one request to it
 * @param <A> its answer
 */
public abstract class FetchLoop<S, R, A> {
    private static final Logger LOG = LoggerFactory.getLogger(FetchLoop.class);
    private static final long EMPTY_ANSWER_PAUSE_MILLIS = 100;

    private final Clock clock;
    private final Timers timers;

    protected FetchLoop(Clock clock, Timers timers) {
        this.clock = clock;
        this.timers = timers;
    }

    /** Asks the source once if it may be asked now. Any thread. */
    public final void fetch(S source) {
        R request = begin(source);
        if (request == null) {
            return;
        }
        long begin = clock.nanoTime();
        CompletableFuture<A> asked;
        try {
            String address = address(source, request);
            asked = address == null
                    ? CompletableFuture.failedFuture(
                            new IllegalStateException("the address of the broker of " + source + " is gone"))
                    : ask(address, request);
        } catch (Throwable e) {
            LOG.error("asking for {} failed", source, e);
            asked = CompletableFuture.failedFuture(e);
        }
        asked.whenComplete((answer, failure) -> {
            if (failure != null) {
                fail(source, request, ClientExceptions.unwrap(failure));
            } else {
                take(source, request, answer, clock.nanoTime() - begin);
            }
        });
    }

    private void take(S source, R request, A answer, long tookNanos) {
        Runnable following;
        try {
            following = fetched(source, request, answer, tookNanos);
        } catch (Throwable e) {
            LOG.error("taking what came from {} failed", source, e);
            fail(source, request, e);
            return;
        }
        try {
            if (following != null) {
                following.run();
            }
        } catch (Throwable e) {
            // Not failed(): the source may be claimed anew by now, and that claim is not this one's to let go.
            LOG.error("going on with what came from {} failed", source, e);
            fetchAfter(source, EMPTY_ANSWER_PAUSE_MILLIS);
        }
    }

    private void fail(S source, R request, Throwable failure) {
        try {
            failed(source, request, failure);
        } catch (Throwable e) {
            LOG.error("giving up a request to {} failed", source, e);
        }
    }

    /** Claims the source and says what to ask; null if it must not be asked now, as when a request is under way. */
    protected abstract R begin(S source);

    /** Where to ask, or null if that is not known. */
    protected abstract String address(S source, R request);

    protected abstract CompletableFuture<A> ask(String address, R request);

    /**
     * Takes what has come. It lets go of the claim last, when nothing can fail any more; if it throws, it has not let go.
     *
     * @return what to do then, with the claim let go, such as delivering and fetching on; or null
     */
    protected abstract Runnable fetched(S source, R request, A answer, long tookNanos);

    /** Lets go of the claim, first of all. */
    protected abstract void failed(S source, R request, Throwable failure);

    protected final void fetchAfter(S source, long millis) {
        timers.after(millis, () -> fetch(source));
    }

    /** Goes on after an answer: at once, or after a pause that {@link #pauseMillis} wants. */
    protected final void fetchNext(S source, boolean nothing, long tookNanos) {
        long pause = pauseMillis(nothing, tookNanos);
        if (pause > 0) {
            fetchAfter(source, pause);
        } else {
            fetch(source);
        }
    }

    /** How long to rest after an answer: a broker that does not hold requests must not be asked in a busy loop. */
    protected static long pauseMillis(boolean nothing, long tookNanos) {
        return nothing && tookNanos < EMPTY_ANSWER_PAUSE_MILLIS * 1_000_000 ? EMPTY_ANSWER_PAUSE_MILLIS : 0;
    }
}
