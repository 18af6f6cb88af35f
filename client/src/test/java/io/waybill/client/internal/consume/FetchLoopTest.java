/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class FetchLoopTest {
    private final List<String> events = new ArrayList<>();

    /** One source, claimed at each begin. */
    private final class Loop extends FetchLoop<String, String, String> {
        private final Supplier<String> address;
        private final Supplier<CompletableFuture<String>> answer;
        private final Runnable taking;

        Loop(Supplier<String> address, Supplier<CompletableFuture<String>> answer, Runnable taking) {
            super(Clock.system(), null);
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
        protected void fetched(String source, String request, String answer, long tookNanos) {
            events.add("fetched " + answer);
            taking.run();
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
        new Loop(() -> "address", FetchLoopTest::answer, () -> {}).fetch("source");
        assertThat(events).containsExactly("begin", "fetched answer");
    }

    @Test
    void aThrowWhileAskingEndsTheClaim() {
        new Loop(
                        () -> "address",
                        () -> {
                            throw new IllegalStateException("no frame");
                        },
                        () -> {})
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
                        () -> {})
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
}
