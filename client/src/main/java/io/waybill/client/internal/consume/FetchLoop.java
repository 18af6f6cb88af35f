/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.platform.Clock;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How every consumer of this library fetches. Always: each claim that {@link #begin} gives ends in exactly one call of {@link #fetched} or
 * {@link #failed}, unless {@code fetched} throws, then in both. That holds whatever a step throws, an {@link Error} too: a claim that is never let
 * go would silence its source until the consumer is closed. The steps run on the thread that fetches or on an I/O thread, and must not block.
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
            asked = CompletableFuture.failedFuture(e);
        }
        asked.whenComplete((answer, failure) -> {
            try {
                if (failure != null) {
                    failed(source, request, ClientExceptions.unwrap(failure));
                } else {
                    fetched(source, request, answer, clock.nanoTime() - begin);
                }
            } catch (Throwable e) {
                LOG.error("taking what came from {} failed", source, e);
                failed(source, request, e);
            }
        });
    }

    /** Claims the source and says what to ask; null if it must not be asked now, as when a request is under way. */
    protected abstract R begin(S source);

    /** Where to ask, or null if that is not known. */
    protected abstract String address(S source, R request);

    protected abstract CompletableFuture<A> ask(String address, R request);

    /** Lets go of the claim and takes what has come. */
    protected abstract void fetched(S source, R request, A answer, long tookNanos);

    /** Lets go of the claim. */
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
