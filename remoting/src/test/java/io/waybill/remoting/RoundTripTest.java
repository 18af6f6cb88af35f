/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.RandomSource;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.SerializeType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RoundTripTest {
    private final Bench bench = new Bench();

    @AfterEach
    void close() throws Exception {
        bench.close();
    }

    private static void echo(Request request) {
        Command command = request.command();
        request.reply(Command.response(0, null)
                .field("seen", String.valueOf(command.fields().get("key")))
                .serializeType(command.serializeType())
                .body(Bench.bytes(command.body()))
                .build());
    }

    @ParameterizedTest
    @EnumSource
    void carriesFieldsAndBodyThereAndBack(SerializeType type) throws Exception {
        String address = address(bench.server(RoundTripTest::echo));
        Command response = Bench.get(bench.client()
                .call(
                        address,
                        Command.request(105)
                                .serializeType(type)
                                .field("key", "a\u0001b\"\u00e9")
                                .body("body".getBytes(StandardCharsets.UTF_8))
                                .build(),
                        5_000));
        assertThat(response.code()).isZero();
        assertThat(response.isResponse()).isTrue();
        assertThat(response.serializeType()).isEqualTo(type);
        assertThat(response.fields().get("seen")).isEqualTo("a\u0001b\"\u00e9");
        assertThat(Bench.bytes(response.body())).asString().isEqualTo("body");
    }

    @Test
    void carriesBodiesOfAllSizes() throws Exception {
        String address = address(bench.server(RoundTripTest::echo));
        RemotingClient client = bench.client();
        RandomSource random = RandomSource.seeded(7);
        List<byte[]> bodies = new ArrayList<>();
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int size : new int[] {0, 1, 100, 511, 512, 8_191, 32_768, 65_535, 65_536, 70_000, 1_000_000, 9_000_000}) {
            byte[] body = new byte[size];
            random.nextBytes(body);
            bodies.add(body);
            calls.add(client.call(address, Command.request(10).body(body).build(), 20_000));
        }
        for (int i = 0; i < bodies.size(); i++) {
            assertThat(Bench.bytes(Bench.get(calls.get(i)).body())).isEqualTo(bodies.get(i));
        }
    }

    @Test
    void pairsRepliesThatComeInAnotherOrderFromOtherThreads() throws Exception {
        List<Request> held = new ArrayList<>();
        int count = 500;
        String address = address(bench.server(request -> {
            Command answer = Command.response(0, null)
                    .body(Bench.bytes(request.command().body()))
                    .build();
            List<Request> all = null;
            synchronized (held) {
                request.connection().attribute("answer" + request.command().opaque(), answer);
                held.add(request);
                if (held.size() == count) {
                    all = new ArrayList<>(held);
                }
            }
            if (all != null) {
                List<Request> backwards = all;
                CompletableFuture.runAsync(() -> {
                    for (int i = count - 1; i >= 0; i--) {
                        Request each = backwards.get(i);
                        each.reply((Command) each.connection()
                                .attribute("answer" + each.command().opaque()));
                    }
                });
            }
        }));
        RemotingClient client = bench.client();
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            calls.add(client.call(
                    address, Command.request(10).body(new byte[] {(byte) i}).build(), 20_000));
        }
        for (int i = 0; i < count; i++) {
            assertThat(Bench.bytes(Bench.get(calls.get(i)).body())).containsExactly((byte) i);
        }
    }

    @Test
    void keepsTheOrderOfRequestsOfOneThread() throws Exception {
        BlockingQueue<Integer> seen = new LinkedBlockingQueue<>();
        String address =
                address(bench.server(request -> seen.add(request.command().code())));
        RemotingClient client = bench.client();
        for (int i = 0; i < 2_000; i++) {
            client.oneway(address, Command.request(i).oneway().build());
        }
        for (int i = 0; i < 2_000; i++) {
            assertThat(seen.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(i);
        }
    }

    @Test
    void callsThatStartTogetherShareOneConnection() throws Exception {
        AtomicInteger opened = new AtomicInteger();
        RemotingServer server = bench.server(Bench.settings(), RoundTripTest::echo, new ConnectionListener() {
            @Override
            public void opened(Connection connection) {
                opened.incrementAndGet();
            }
        });
        String address = address(server);
        for (int round = 1; round <= 30; round++) {
            RemotingClient client = bench.client();
            List<CompletableFuture<Command>> calls = IntStream.range(0, 40)
                    .parallel()
                    .mapToObj(i -> client.call(address, Command.request(i).build(), 20_000))
                    .toList();
            for (CompletableFuture<Command> call : calls) {
                Bench.get(call);
            }
            assertThat(opened).hasValue(round);
        }
    }

    @Test
    void theServerCallsTheClientOnTheClientsConnection() throws Exception {
        AtomicReference<Connection> toClient = new AtomicReference<>();
        RemotingServer server = bench.server(request -> {
            toClient.set(request.connection());
            request.reply(Command.response(0, null).build());
        });
        BlockingQueue<Integer> pushed = new LinkedBlockingQueue<>();
        RemotingClient client = bench.client(ClientSettings.defaults(), request -> {
            pushed.add(request.code());
            request.reply(Command.response(7, "from the client")
                    .body(Bench.bytes(request.command().body()))
                    .build());
        });
        Bench.get(client.call(address(server), Command.request(34).build(), 5_000));

        Command response = Bench.get(toClient.get()
                .call(Command.request(220).body(new byte[] {1, 2}).build(), 5_000));
        assertThat(response.code()).isEqualTo(7);
        assertThat(response.remark()).isEqualTo("from the client");
        assertThat(Bench.bytes(response.body())).containsExactly(1, 2);
        toClient.get().send(Command.request(40).oneway().build());
        assertThat(pushed.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(220);
        assertThat(pushed.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(40);
        assertThat(server.connectionCount()).isEqualTo(1);
        assertThat(toClient.get().remoteAddress())
                .isEqualTo(client.connection(address(server)).localAddress());
    }

    @Test
    void aClientWithoutHandlerRefusesRequests() throws Exception {
        AtomicReference<Connection> toClient = new AtomicReference<>();
        RemotingServer server = bench.server(request -> {
            toClient.set(request.connection());
            request.reply(Command.response(0, null).build());
        });
        Bench.get(bench.client().call(address(server), Command.request(34).build(), 5_000));
        assertThat(Bench.get(toClient.get().call(Command.request(220).build(), 5_000))
                        .code())
                .isEqualTo(3);
    }

    @Test
    void aHandlerThatThrowsAnswersWithoutAStackTrace() throws Exception {
        RemotingServer server = bench.server(request -> {
            switch (request.code()) {
                case 1 -> throw new IllegalStateException("queue is gone");
                case 2 -> throw new BadField("queueId", "0 to 7", "9");
                case 3 -> throw new AssertionError();
                default -> {
                    request.reply(Command.response(0, null).build());
                    throw new IllegalStateException("after the reply");
                }
            }
        });
        RemotingClient client = bench.client();
        Command failed =
                Bench.get(client.call(address(server), Command.request(1).build(), 5_000));
        assertThat(failed.code()).isEqualTo(1);
        assertThat(failed.remark())
                .startsWith("request code ")
                .contains("the log says why")
                .doesNotContain("queue is gone", "Exception");
        Command refused =
                Bench.get(client.call(address(server), Command.request(2).build(), 5_000));
        assertThat(refused.code()).isEqualTo(29);
        assertThat(refused.remark()).contains("queueId", "0 to 7", "9");
        assertThat(Bench.get(client.call(address(server), Command.request(3).build(), 5_000))
                        .code())
                .isEqualTo(1);
        assertThat(Bench.get(client.call(address(server), Command.request(4).build(), 5_000))
                        .code())
                .isZero();
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void repliesToOnewayRequestsAndSecondRepliesAreDropped() throws Exception {
        List<Integer> released = new ArrayList<>();
        RemotingServer server = bench.server(request -> {
            int code = request.code();
            ByteBuffer body = ByteBuffer.allocate(4);
            request.reply(Command.response(0, "first").build(), List.of(body), () -> released.add(code));
            request.reply(Command.response(0, "second").build(), List.of(body), () -> released.add(-code));
        });
        RemotingClient client = bench.client();
        client.oneway(address(server), Command.request(5).oneway().build());
        assertThat(Bench.get(client.call(address(server), Command.request(6).build(), 5_000))
                        .remark())
                .isEqualTo("first");
        assertThat(Bench.get(client.call(address(server), Command.request(7).build(), 5_000))
                        .remark())
                .isEqualTo("first");
        // 6 left the loop together with its reply, so it is visible here.
        assertThat(released).startsWith(5, -5).contains(6, -6);
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void aReplyTooLargeForAFrameBecomesAnError() throws Exception {
        RemotingServer server =
                bench.server(request -> request.reply(Command.response(0, null).build(), large(), () -> {}));
        Command response = Bench.get(
                bench.client().call(address(server), Command.request(11).build(), 5_000));
        assertThat(response.code()).isEqualTo(1);
        assertThat(response.remark()).contains("limit of 16777216");
    }

    @Test
    void aRequestTooLargeForAFrameIsNotSent() {
        RemotingServer server = bench.server(RoundTripTest::echo);
        Command large = Command.request(10).body(new byte[17 << 20]).build();
        assertThat(bench.client().call(address(server), large, 5_000))
                .failsWithin(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)
                .withThrowableThat()
                .withCauseInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theProcessSharesOneSetOfLoops() {
        EventLoops first = EventLoops.shared();
        EventLoops second = EventLoops.shared();
        assertThat(second.group()).isSameAs(first.group());
        assertThat(first.transport()).isIn("epoll", "io_uring", "nio");
        first.close();
        first.close();
        assertThat(second.group().isShuttingDown()).isFalse();
        second.close();
        assertThat(EventLoops.shared().group()).isNotNull();
    }

    private static List<ByteBuffer> large() {
        ByteBuffer slice = ByteBuffer.allocate(9 << 20);
        return List.of(slice, slice);
    }

    static String address(RemotingServer server) {
        return "127.0.0.1:" + server.address().getPort();
    }
}
