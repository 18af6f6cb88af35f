/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.MalformedFrame;
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
class SocketConnectionTest {
    private static final int BUDGET_BYTES = 30_000;
    private static final int MOST_IN_HAND_BYTES = 1_000;

    private final SimulatedClock clock = new SimulatedClock();
    private final MemoryBudgets memory = MemoryBudgets.of(BUDGET_BYTES);
    private final Deque<Request> held = new ArrayDeque<>();
    private final List<Peer> peers = new ArrayList<>();

    private static final class Peer extends EmbeddedChannel {
        private boolean takes = true;

        /** The socket takes everything, or nothing. */
        @Override
        protected void doWrite(ChannelOutboundBuffer buffer) throws Exception {
            if (takes) {
                super.doWrite(buffer);
            }
        }

        void takes(boolean does) {
            takes = does;
            if (does) {
                unsafe().flush();
            }
        }

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
        clock.advance(1_000);
        assertThat(memory.heaviest(clock.nanoTime(), each -> 1))
                .as("one that holds memory")
                .isNull();
    }

    @Test
    void readingGoesOnWhenNoReasonForThePauseIsLeft() {
        Peer peer = connect().sends(request(1, 1_000), request(2, 10), request(3, 10));
        assertThat(held).hasSize(1);
        assertThat(peer.isRead()).isFalse();
        peer.sends(request(4, 10));
        peer.reads(false);
        peer.reads(true);
        assertThat(held).as("too much is in hand").hasSize(1);
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
        busy.reads(false);
        busy.reads(true);
        assertThat(busy.isRead()).as("still no room").isFalse();
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
    void theRightToFinishBeyondAllSharesPassesOnWhenTheFrameIsWhole() {
        byte[] large = request(1, 60_000);
        Peer first = connect().sends(large, 0, 20_000);
        Peer second = connect().sends(large, 0, 20_000);
        assertThat(first.isRead()).isTrue();
        assertThat(second.isRead()).isFalse();
        first.sends(large, 20_000, large.length);
        pass(20);
        assertThat(second.isRead()).isTrue();
        assertThat(first.isOpen()).isTrue();
        second.sends(large, 20_000, large.length);
        assertThat(memory.arriving.usedBytes()).isZero();
    }

    @Test
    void aReplyFromInsideAReadFollowsThoseThatWerePushedBefore() {
        Peer peer = connect(request -> {
            if (request.code() == 1) {
                held.add(request);
            } else {
                request.reply(Command.response(request.code(), null).build());
            }
        });
        peer.sends(request(1, 10));
        peer.releaseOutbound();
        held.remove().reply(Command.response(1, null).build()); // waits for its turn on the loop
        peer.sends(request(2, 10));
        List<Integer> codes = new ArrayList<>();
        for (ByteBuf out; (out = peer.readOutbound()) != null; out.release()) {
            while (out.isReadable()) {
                codes.add(codeOf(out.readSlice(4 + out.getInt(out.readerIndex()))));
            }
        }
        assertThat(codes).containsExactly(1, 2);
    }

    private static int codeOf(ByteBuf frame) {
        try {
            return Command.decode(frame.nioBuffer(4, frame.readableBytes() - 4)).code();
        } catch (MalformedFrame e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void repliesAreChargedUntilTheSocketTakesThemAndMappedOnesNever() {
        ByteBuffer mapped = ByteBuffer.allocateDirect(200_000);
        ByteBuffer made = ByteBuffer.allocate(10_000);
        Peer peer = connect(request -> request.reply(
                Command.response(0, null).build(),
                List.of(request.code() == 1 ? mapped.duplicate() : made.duplicate()),
                () -> {}));
        peer.takes(false);
        peer.sends(request(1, 10));
        assertThat(memory.unsent.usedBytes()).as("its head").isLessThan(1_000);
        peer.takes(true);
        pass(100);
        assertThat(memory.unsent.usedBytes()).isZero();
        peer.takes(false);
        peer.sends(request(2, 10));
        assertThat(memory.unsent.usedBytes()).isBetween(10_000L, 11_000L);
        pass(100);
        assertThat(memory.unsent.usedBytes()).isBetween(10_000L, 11_000L);
        peer.takes(true);
        pass(100);
        assertThat(memory.unsent.usedBytes())
                .as("no event told that it was taken")
                .isZero();
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
