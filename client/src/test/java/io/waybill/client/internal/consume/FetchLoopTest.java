/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.internal.runtime.Timers;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class FetchLoopTest {
    private final List<String> events = new ArrayList<>();
    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final Timers timers = Timers.start(duties, clock);

    /** One source, claimed at each begin. */
    private final class Loop extends FetchLoop<String, String, String> {
        private final Supplier<String> address;
        private final Supplier<CompletableFuture<String>> answer;
        private final Supplier<Runnable> taking;

        Loop(Supplier<String> address, Supplier<CompletableFuture<String>> answer, Supplier<Runnable> taking) {
            super(clock, timers);
            this.address = address;
            this.answer = answer;
            this.taking = taking;
        }

        @Override
        protected String begin(String source) {
            events.add("begin");
            return "request";
        }

        @Override
        protected String address(String source, String request) {
            return address.get();
        }

        @Override
        protected CompletableFuture<String> ask(String address, String request) {
            return answer.get();
        }

        @Override
        protected Runnable fetched(String source, String request, String answer, long tookNanos) {
            events.add("fetched " + answer);
            return taking.get();
        }

        @Override
        protected void failed(String source, String request, Throwable failure) {
            events.add("failed " + failure.getMessage());
        }
    }

    private static CompletableFuture<String> answer() {
        return CompletableFuture.completedFuture("answer");
    }

    @Test
    void anAnswerEndsTheClaim() {
        new Loop(() -> "address", FetchLoopTest::answer, () -> null).fetch("source");
        assertThat(events).containsExactly("begin", "fetched answer");
    }

    @Test
    void aThrowWhileAskingEndsTheClaim() {
        new Loop(
                        () -> "address",
                        () -> {
                            throw new IllegalStateException("no frame");
                        },
                        () -> null)
                .fetch("source");
        assertThat(events).containsExactly("begin", "failed no frame");
    }

    @Test
    void anErrorWhileTheAddressIsSoughtEndsTheClaim() {
        new Loop(
                        () -> {
                            throw new AssertionError("no route");
                        },
                        FetchLoopTest::answer,
                        () -> null)
                .fetch("source");
        assertThat(events).containsExactly("begin", "failed no route");
    }

    @Test
    void anErrorInWhatTakesTheAnswerEndsTheClaim() {
        new Loop(() -> "address", FetchLoopTest::answer, () -> {
                    throw new StackOverflowError("deep");
                })
                .fetch("source");
        assertThat(events).containsExactly("begin", "fetched answer", "failed deep");
    }

    @Test
    void anErrorBehindTheClaimDoesNotEndANewerOne() {
        List<Runnable> following = new ArrayList<>(List.of(
                () -> {
                    events.add("claimed anew by another thread");
                    throw new StackOverflowError("deep");
                },
                () -> events.add("delivered")));
        new Loop(() -> "address", FetchLoopTest::answer, () -> following.remove(0)).fetch("source");
        assertThat(events).containsExactly("begin", "fetched answer", "claimed anew by another thread");

        duties.advance(1_000);
        assertThat(events.subList(3, events.size()))
                .as("asked again after a pause")
                .containsExactly("begin", "fetched answer", "delivered");
    }
}
