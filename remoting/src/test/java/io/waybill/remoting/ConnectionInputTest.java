/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Connections of one server step by step: the test decides what each read brings, when time passes and who answers. */
class ConnectionInputTest {
    private static final int BUDGET_BYTES = 30_000;
    private static final int MOST_IN_HAND_BYTES = 1_000;

    private final SimulatedClock clock = new SimulatedClock();
    private final MemoryBudgets memory = MemoryBudgets.of(BUDGET_BYTES);
    private final Deque<Request> held = new ArrayDeque<>();
    private final List<Peer> peers = new ArrayList<>();

    private final class Peer extends EmbeddedChannel {
        @Override
        protected SocketAddress localAddress0() {
            return new InetSocketAddress("127.0.0.1", 10911);
        }

        @Override
        protected SocketAddress remoteAddress0() {
            return new InetSocketAddress("127.0.0.1", 40000);
        }

        Peer sends(byte[] frame, int from, int to) {
            return sends(Arrays.copyOfRange(frame, from, to));
        }

        /** One read brings all of it. */
        Peer sends(byte[]... parts) {
            writeInbound(Unpooled.wrappedBuffer(parts).copy());
            return this;
        }

        boolean isRead() {
            return config().isAutoRead();
        }

        void reads(boolean does) {
            unsafe().outboundBuffer().setUserDefinedWritability(1, does);
            runPendingTasks();
        }
    }

    private Peer connect(RequestHandler handler) {
        Peer peer = new Peer();
        peer.pipeline()
                .addLast(new SocketConnection(
                        true,
                        new ConnectionLimits(1 << 20, MOST_IN_HAND_BYTES, 1 << 20, 30_000, 10),
                        memory,
                        null,
                        clock,
                        new PeerLogLimits(clock),
                        handler,
                        ConnectionListener.NONE));
        peers.add(peer);
        return peer;
    }

    private Peer connect() {
        return connect(held::add);
    }

    private static byte[] request(int code, int bodyBytes) {
        return FrameEncoder.encode(
                Command.request(code).body(new byte[bodyBytes]).build());
    }

    private void answerFirst() {
        held.remove().reply(Command.response(0, null).build());
        peers.forEach(EmbeddedChannel::runPendingTasks);
    }

    private void pass(long millis) {
        clock.advance(millis);
        for (Peer each : peers) {
            each.advanceTimeBy(millis, TimeUnit.MILLISECONDS);
        }
        runAll();
        runAll(); // what a timer asked for
    }

    private void runAll() {
        peers.forEach(EmbeddedChannel::runPendingTasks);
    }

    @AfterEach
    void nothingStaysCharged() {
        for (Peer each : peers) {
            each.close();
            each.runPendingTasks();
            each.releaseOutbound();
        }
        assertThat(memory.arriving.usedBytes()).isZero();
        assertThat(memory.inHand.usedBytes()).isZero();
        assertThat(memory.waiting.usedBytes()).isZero();
        assertThat(memory.unsent.usedBytes()).isZero();
    }

    @Test
    void readingGoesOnWhenNoReasonForThePauseIsLeft() {
        Peer peer = connect().sends(request(1, 1_000), request(2, 10), request(3, 10));
        assertThat(held).hasSize(1);
        assertThat(peer.isRead()).isFalse();
        peer.sends(request(4, 10));
        peer.reads(false);
        answerFirst();
        assertThat(held).as("its replies are not read").isEmpty();
        peer.reads(true);
        assertThat(held).extracting(Request::code).containsExactly(2, 3);
        assertThat(peer.isRead())
                .as("two and three are more than it may have in hand")
                .isFalse();
        answerFirst();
        assertThat(held).as("three is more than half of that").hasSize(1);
        answerFirst();
        assertThat(held).extracting(Request::code).containsExactly(4);
        assertThat(peer.isRead()).isTrue();
    }

    @Test
    void aPeerThatStallsInAFrameWhoseBeginWasReadAfterAPauseGivesWay() {
        byte[] large = request(2, 60_000);
        Peer stalled = connect().sends(request(1, 1_000), Arrays.copyOf(large, 20_000));
        assertThat(stalled.isRead()).isFalse();
        answerFirst();
        assertThat(stalled.isRead()).isTrue();
        assertThat(memory.arriving.freeBytes())
                .as("it took more than all shares")
                .isNegative();
        pass(1_000);
        byte[] frame = request(3, 20_000);
        Peer other = connect().sends(frame, 0, 8_000);
        assertThat(other.isRead()).isFalse();
        runAll();
        assertThat(stalled.isOpen()).isFalse();
        pass(20);
        assertThat(other.isRead()).isTrue();
        other.sends(frame, 8_000, frame.length);
        assertThat(held).extracting(Request::code).containsExactly(3);
    }

    @Test
    void aPeerWhoseFrameHasArrivedIsNotTakenForStuckWhileItIsPaused() {
        Peer hog = connect().sends(request(1, 60_000), 0, 20_000);
        byte[] late = request(2, 10_000);
        Peer busy = connect().sends(late, 0, 6_000);
        assertThat(busy.isRead()).as("no room").isFalse();
        busy.sends(Arrays.copyOfRange(late, 6_000, late.length), request(3, 6_000));
        pass(900);
        hog.close();
        pass(20);
        assertThat(held).extracting(Request::code).containsExactly(2);
        assertThat(busy.isRead()).as("too much in hand").isFalse();
        assertThat(memory.arriving.usedBytes()).isGreaterThan(Charge.FLOOR_BYTES);
        pass(1_000);
        connect().sends(request(4, 60_000), 0, 20_000);
        Peer waits = connect().sends(request(5, 20_000), 0, 8_000);
        assertThat(waits.isRead()).isFalse();
        runAll();
        assertThat(busy.isOpen()).isTrue();
        answerFirst();
        assertThat(held).extracting(Request::code).containsExactly(3);
    }

    @Test
    void aRequestIsChargedUntilItEndsAndGivenBackOnce() {
        Command answer = Command.response(0, null).build();
        List<ByteBuffer> tooLong = List.of(ByteBuffer.allocateDirect(2 << 20));
        List<Consumer<Request>> ends = List.of(
                request -> request.reply(answer),
                request -> request.refuse(2, "no"),
                request -> request.reply(answer, tooLong, () -> {}),
                request -> {
                    request.reply(answer);
                    request.reply(answer);
                },
                request -> {
                    request.hold(100);
                    request.reply(answer);
                },
                request -> {
                    request.hold(100);
                    request.hold(100);
                    runAll();
                    request.refuse(2, "no");
                },
                request -> {
                    request.reply(answer);
                    request.hold(100);
                });
        byte[] small = request(1, 10);
        byte[] oneway = FrameEncoder.encode(
                Command.request(1).oneway().body(new byte[10]).build());
        Peer other = connect().sends(small);
        long othersBytes = memory.inHand.usedBytes();
        assertThat(othersBytes).isPositive();
        Request others = held.remove();
        for (Consumer<Request> end : ends) {
            for (byte[] frame : List.of(small, oneway)) {
                Peer later = connect().sends(frame);
                assertThat(memory.inHand.usedBytes()).isEqualTo(2 * othersBytes);
                end.accept(held.remove());
                runAll();
                assertThat(memory.inHand.usedBytes()).isEqualTo(othersBytes);
                assertThat(memory.waiting.usedBytes()).isZero();
                // From inside the handler, and by a handler that fails after it.
                connect(end::accept).sends(frame);
                connect(request -> {
                            end.accept(request);
                            throw new IllegalStateException("a test");
                        })
                        .sends(frame);
                assertThat(memory.inHand.usedBytes()).isEqualTo(othersBytes);
                // When the connection is gone.
                later.sends(frame);
                later.close();
                assertThat(memory.inHand.usedBytes()).isEqualTo(othersBytes);
                end.accept(held.remove());
                runAll();
                assertThat(memory.inHand.usedBytes()).isEqualTo(othersBytes);
                assertThat(memory.waiting.usedBytes()).isZero();
            }
        }
        others.reply(answer);
        other.runPendingTasks();
        assertThat(memory.inHand.usedBytes()).isZero();
    }
}
