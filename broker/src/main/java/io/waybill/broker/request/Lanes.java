/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.remoting.Request;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The threads behind the {@link Lane}s, and the guarded way onto them: a request that goes through here is answered whatever its work does, by the reply
 * that the work returns or by {@link RequestFailures}. They live as long as the node.
 */
public final class Lanes {
    private final Map<Lane, Executor> executors = new EnumMap<>(Lane.class);
    private final RequestFailures failures;

    /** The threads of the machine: one for each lane, and so many for what waits for the disk on behalf of applications. */
    public static Lanes of(Duties duties, int blockingThreads, Clock clock) {
        return new Lanes(
                lane -> lane == Lane.INLINE
                        ? Runnable::run
                        : duties.executor(lane.threadName(), lane == Lane.BLOCKING ? blockingThreads : 1),
                clock);
    }

    public Lanes(Function<Lane, Executor> executors, Clock clock) {
        for (Lane lane : Lane.values()) {
            this.executors.put(lane, executors.apply(lane));
        }
        this.failures = new RequestFailures(clock);
    }

    /** For work that answers no request, or several. It refuses with a RejectedExecutionException when too much waits. */
    public Executor executor(Lane lane) {
        return executors.get(lane);
    }

    /** Answers what failed without a reply. */
    public RequestFailures failures() {
        return failures;
    }

    /** Goes on with a request on another lane, also from where nobody catches what is thrown, such as a completion of the store. Never throws. */
    public void run(Lane lane, Request request, Supplier<Reply> work) {
        run(lane, request, work, null);
    }

    /** The same; {@code about} says in the log what the request is about, should it fail. */
    void run(Lane lane, Request request, Supplier<Reply> work, Object about) {
        try {
            executors.get(lane).execute(() -> run(request, work, about));
        } catch (RuntimeException e) {
            failures.answer(request, e); // as a rule a RejectedExecutionException: the lane is full
        }
    }

    /** Goes on with a request on this thread. Throws nothing but errors, and those after an answer. */
    public void run(Request request, Supplier<Reply> work) {
        run(request, work, null);
    }

    private void run(Request request, Supplier<Reply> work, Object about) {
        try {
            work.get().send(request);
        } catch (RuntimeException e) {
            failures.answer(request, e, about);
        } catch (Error e) {
            failures.answer(request, e, about);
            throw e; // for the log of the thread
        }
    }
}
