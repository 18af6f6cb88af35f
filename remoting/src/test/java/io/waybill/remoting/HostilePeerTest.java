/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HostilePeerTest {
    private final Bench bench = new Bench();
    private final BlockingQueue<Request> held = new LinkedBlockingQueue<>();

    @AfterEach
    void close() throws Exception {
        bench.close();
    }

    private static void ok(Request request) {
        request.reply(Command.response(0, null).build());
    }

    private static Socket connect(RemotingServer server) throws IOException {
        Socket socket =
                new Socket(server.address().getAddress(), server.address().getPort());
        socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(Bench.PATIENCE_SECONDS));
        return socket;
    }

    /** True when the server has closed without another byte. */
    private static boolean isClosed(Socket socket) throws IOException {
        try {
            return socket.getInputStream().read() == -1;
        } catch (SocketException reset) {
            return true;
        }
    }

    private static Command response(Socket socket) throws Exception {
        DataInputStream in = new DataInputStream(socket.getInputStream());
        return Command.decode(ByteBuffer.wrap(in.readNBytes(in.readInt())));
    }

    @Test
    void badFramesCostOnlyTheirOwnConnection() throws Exception {
        RemotingServer server = bench.server(HostilePeerTest::ok);
        try (Socket good = connect(server)) {
            List<byte[]> bad = List.of(
                    new byte[] {0, 0, 0, 0},
                    new byte[] {(byte) 0xFF, -1, -1, -1},
                    new byte[] {1, 0, 0, 1}, // one more than 16 MiB
                    new byte[] {0, 0, 0, 8, 0, 0, 0, 9, 1, 2, 3, 4}, // header longer than the frame
                    new byte[] {0, 0, 0, 8, 7, 0, 0, 4, 1, 2, 3, 4}, // unknown header type
                    new byte[] {0, 0, 0, 8, 0, 0, 0, 4, '{', '"', 'c', '}'}, // broken header
                    new byte[] {0, 0, 0, 8, 1, 0, 0, 4, 1, 2, 3, 4});
            for (byte[] bytes : bad) {
                try (Socket socket = connect(server)) {
                    socket.getOutputStream().write(bytes);
                    assertThat(isClosed(socket)).isTrue();
                }
            }
            good.getOutputStream()
                    .write(FrameEncoder.encode(Command.request(1).opaque(77).build()));
            assertThat(response(good).opaque()).isEqualTo(77);
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.connectionCount()).isZero());
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void aFrameCutOffByTheEndOfTheConnectionLeavesNothing() throws Exception {
        RemotingServer server = bench.server(HostilePeerTest::ok);
        byte[] frame =
                FrameEncoder.encode(Command.request(10).body(new byte[100_000]).build());
        try (Socket socket = connect(server)) {
            socket.getOutputStream().write(frame, 0, 60_000);
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isPositive());
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
    }

    @Test
    void aFrameMayComeByteByByte() throws Exception {
        RemotingServer server = bench.server(HostilePeerTest::ok);
        byte[] frame = FrameEncoder.encode(
                Command.request(10).opaque(5).body(new byte[40]).build());
        try (Socket socket = connect(server)) {
            socket.setTcpNoDelay(true);
            for (int round = 0; round < 3; round++) {
                for (byte b : frame) {
                    socket.getOutputStream().write(b);
                }
                assertThat(response(socket).opaque()).isEqualTo(5);
            }
        }
    }

    @Test
    void unansweredRequestsOfOneConnectionAreBounded() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(50_000, 1 << 20), held::add, ConnectionListener.NONE);
        String address = RoundTripTest.address(server);
        RemotingClient client = bench.client();
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            calls.add(client.call(
                    address, Command.request(i).body(new byte[5_000]).build(), 20_000));
        }
        // Reading stops at the request that passes the limit, so nine or ten are in hand and no more until half are
        // answered.
        List<Request> inHand = new ArrayList<>();
        int most = 0;
        for (int answered = 0; answered < 200; answered++) {
            if (inHand.isEmpty()) {
                inHand.add(held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS));
            }
            held.drainTo(inHand);
            most = Math.max(most, inHand.size());
            assertThat(server.inFlightBytes()).isLessThan(50_000 + 10_000 + 128 * 1024);
            inHand.remove(0).reply(Command.response(0, null).build());
        }
        assertThat(most).isLessThanOrEqualTo(11);
        for (CompletableFuture<Command> call : calls) {
            assertThat(Bench.get(call).code()).isZero();
        }
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void beyondTheTotalRequestsAreRefusedAsOverload() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, 20_000), held::add, ConnectionListener.NONE);
        String address = RoundTripTest.address(server);
        RemotingClient client = bench.client();
        CompletableFuture<Command> first =
                client.call(address, Command.request(1).body(new byte[15_000]).build(), 20_000);
        Request request = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
        // Its own connection is not read meanwhile; another one, that wants more than is left, is refused.
        RemotingClient other = bench.client();
        Command refused = Bench.get(
                other.call(address, Command.request(2).body(new byte[6_000]).build(), 20_000));
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.remark()).startsWith("[OVERLOAD]");
        request.reply(Command.response(0, null).build());
        Bench.get(first);
        CompletableFuture<Command> third =
                client.call(address, Command.request(3).body(new byte[15_000]).build(), 20_000);
        held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)
                .reply(Command.response(0, null).build());
        assertThat(Bench.get(third).code()).isZero();
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void aServerThatClosesAnswersWhatItHasReadAndThenEndsTheStream() throws Exception {
        RemotingServer server =
                bench.server(Bench.settings().withDrainMillis(60_000), held::add, ConnectionListener.NONE);
        Thread closing = new Thread(server::close);
        try (Socket socket = connect(server)) {
            for (int i = 0; i < 2; i++) {
                socket.getOutputStream()
                        .write(FrameEncoder.encode(Command.request(10).build()));
            }
            Request first = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
            Request second = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
            closing.start();
            ok(first);
            assertThat(response(socket).code()).isZero();
            ok(second);
            assertThat(response(socket).code()).isZero();
            assertThat(isClosed(socket)).isTrue();
        }
        closing.join();
        assertThat(server.connectionCount()).isZero();
    }

    @Test
    void silentConnectionsAreClosed() throws Exception {
        RemotingServer server =
                bench.server(Bench.settings().withIdleMillis(40), HostilePeerTest::ok, ConnectionListener.NONE);
        try (Socket socket = connect(server);
                Socket inside = connect(server)) {
            inside.getOutputStream().write(new byte[] {0, 0});
            assertThat(isClosed(socket)).isTrue();
            assertThat(isClosed(inside)).isTrue();
        }
    }

    @Test
    void connectionsBeyondTheLimitAreClosedAtOnce() throws Exception {
        RemotingServer server =
                bench.server(Bench.settings().withMaxConnections(2), HostilePeerTest::ok, ConnectionListener.NONE);
        try (Socket first = connect(server);
                Socket second = connectFrom("127.0.0.2", server)) {
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(2));
            try (Socket third = connectFrom("127.0.0.3", server)) {
                assertThat(isClosed(third)).isTrue();
            }
            second.getOutputStream()
                    .write(FrameEncoder.encode(Command.request(1).opaque(3).build()));
            assertThat(response(second).opaque()).isEqualTo(3);
            first.close();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(1));
        }
    }

    private static Socket connectFrom(String host, RemotingServer server) throws IOException {
        Socket socket = new Socket();
        socket.bind(new InetSocketAddress(host, 0));
        socket.connect(server.address());
        socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(Bench.PATIENCE_SECONDS));
        return socket;
    }

    @Test
    void foreignProtocolsAreAnsweredInTheirOwnWords() throws Exception {
        RemotingServer server = bench.server(HostilePeerTest::ok);
        assertThat(said(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .startsWith("HTTP/1.1 400 ")
                .contains("Content-Type: text/plain")
                .contains("this is a RocketMQ remoting port");
        assertThat(said(server, "POST /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n")).startsWith("HTTP/1.1 400 ");
        String alert = said(server, new byte[] {0x16, 3, 1, 2, 0, 1, 0, 1, 0xC, 3, 3});
        assertThat(alert.getBytes(ISO_8859_1)).containsExactly(0x15, 3, 1, 0, 2, 2, 40);
        String goAway = said(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assertThat(goAway).endsWith("the command waybill").contains("this is a RocketMQ remoting port");
        assertThat(goAway.charAt(3)).as("SETTINGS").isEqualTo((char) 4);
        assertThat(goAway.charAt(9 + 3)).as("GOAWAY").isEqualTo((char) 7);
        assertThat(said(server, "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n")).isEmpty();
        assertThat(said(server, "\r\n\r\n\0\r\nQUIT\n")).isEmpty();
        assertThat(server.inFlightBytes()).isZero();
    }

    private static String said(RemotingServer server, String greeting) throws IOException {
        return said(server, greeting.getBytes(ISO_8859_1));
    }

    private static String said(RemotingServer server, byte[] greeting) throws IOException {
        try (Socket socket = connect(server)) {
            socket.getOutputStream().write(greeting);
            return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
        }
    }

    @Test
    void unfinishedFramesOfOthersDelayNobodyForLong() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, 1 << 20), HostilePeerTest::ok, ConnectionListener.NONE);
        List<Socket> hogs = new ArrayList<>();
        try {
            byte[] frame = FrameEncoder.encode(
                    Command.request(10).body(new byte[900_000]).build());
            for (int i = 0; i < 24; i++) {
                Socket hog = connect(server);
                hogs.add(hog);
                hog.getOutputStream().write(frame, 0, 120_000); // as much as is taken without its end
            }
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes())
                            .isGreaterThan(700_000)
                            .isLessThanOrEqualTo((1 << 20) + 24 * 64 * 1024));
            // Larger than what is left: it waits until those who do not move on are closed, and is never refused.
            try (Socket honest = connect(server)) {
                honest.getOutputStream()
                        .write(FrameEncoder.encode(Command.request(10)
                                .opaque(7)
                                .body(new byte[400_000])
                                .build()));
                Command answer = response(honest);
                assertThat(answer.opaque()).isEqualTo(7);
                assertThat(answer.code()).isZero();
            }
        } finally {
            for (Socket hog : hogs) {
                hog.close();
            }
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
    }

    @Test
    void aOnewayRequestCountsUntilItIsAnsweredAsAnyOther() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(50_000, 1 << 20), held::add, ConnectionListener.NONE);
        try (Socket socket = connect(server)) {
            byte[] send = FrameEncoder.encode(
                    Command.request(10).oneway().body(new byte[20_000]).build());
            Thread writer = new Thread(() -> {
                try {
                    for (int i = 0; i < 200; i++) {
                        socket.getOutputStream().write(send);
                    }
                } catch (IOException e) {
                    // the test is over
                }
            });
            writer.start();
            for (int i = 0; i < 200; i++) {
                Request next = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
                // Three pass the limit: no more are read before some are answered.
                assertThat(held.size()).isLessThan(3);
                if (i % 2 == 0) {
                    next.refuse(2, "full");
                } else {
                    next.reply(Command.response(0, null).build());
                }
            }
            writer.join();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
        }
    }

    @Test
    void aRequestThatWaitsHoldsNeitherItsHeaderNorTheRoomOfOthers() throws Exception {
        AtomicInteger waiting = new AtomicInteger();
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, 1 << 20),
                request -> {
                    if (request.code() == 11) {
                        if (request.hold(100)) {
                            assertThat(request.command().fields().get("subscription"))
                                    .isNull();
                            waiting.incrementAndGet();
                            held.add(request);
                        } else {
                            request.refuse(2, "too many");
                        }
                    } else {
                        ok(request);
                    }
                },
                ConnectionListener.NONE);
        try (Socket socket = connect(server);
                Socket honest = connect(server)) {
            byte[] pull = FrameEncoder.encode(Command.request(11)
                    .field("subscription", "x".repeat(60_000))
                    .opaque(9)
                    .build());
            for (int i = 0; i < 100; i++) {
                socket.getOutputStream().write(pull); // 6 MB of headers against 1 MiB
            }
            Awaitility.await().until(() -> waiting.get() == 100);
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isEqualTo(100 * (100 + 512)));
            honest.getOutputStream()
                    .write(FrameEncoder.encode(Command.request(10)
                            .opaque(3)
                            .body(new byte[300_000])
                            .build()));
            assertThat(response(honest).code()).isZero();
            held.remove().reply(Command.response(0, null).build());
            assertThat(response(socket).opaque()).isEqualTo(9);
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
    }

    @Test
    void aRequestThatAnotherThreadLetsWaitIsCountedSoAtOnce() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, 1 << 20), held::add, ConnectionListener.NONE);
        try (Socket socket = connect(server)) {
            socket.getOutputStream()
                    .write(FrameEncoder.encode(
                            Command.request(11).body(new byte[60_000]).build()));
            Request request = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
            assertThat(request.hold(100)).isTrue();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isEqualTo(100 + 512));
            ok(request);
            assertThat(response(socket).code()).isZero();
            assertThat(server.inFlightBytes()).isZero();
        }
    }

    @Test
    void manySlowReadersHoldNoMoreThanTheirShareTogether() throws Exception {
        int limit = 4 << 20;
        ByteBuffer body = ByteBuffer.allocate(500_000); // on the heap, as what is read from files
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, limit),
                request -> {
                    if (request.code() == 11) {
                        request.reply(Command.response(0, null).build(), List.of(body.duplicate()), () -> {});
                    } else {
                        ok(request);
                    }
                },
                ConnectionListener.NONE);
        List<Socket> slow = new ArrayList<>();
        try {
            byte[] pull = FrameEncoder.encode(Command.request(11).build());
            for (int i = 0; i < 12; i++) {
                Socket socket = new Socket();
                socket.setReceiveBufferSize(4096);
                socket.connect(server.address());
                slow.add(socket);
                for (int k = 0; k < 40; k++) {
                    socket.getOutputStream().write(pull); // 20 MB each
                }
            }
            try (Socket honest = connect(server)) {
                for (int i = 0; i < 5; i++) {
                    honest.getOutputStream()
                            .write(FrameEncoder.encode(
                                    Command.request(10).opaque(i).build()));
                    assertThat(response(honest).opaque()).isEqualTo(i);
                    assertThat(server.unsentBytes()).isLessThanOrEqualTo(limit + 12 * 2 * 300_000L);
                }
                // A reply like theirs also gets through: whoever does not read gives way.
                Awaitility.await().until(() -> {
                    honest.getOutputStream().write(pull);
                    return response(honest).code() == 0;
                });
            }
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
        Awaitility.await().untilAsserted(() -> assertThat(server.unsentBytes()).isZero());
    }

    @Test
    void oneAddressGetsThreeQuartersOfTheConnections() throws Exception {
        RemotingServer server =
                bench.server(Bench.settings().withMaxConnections(4), HostilePeerTest::ok, ConnectionListener.NONE);
        try (Socket first = connect(server);
                Socket second = connect(server);
                Socket third = connect(server)) {
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(3));
            try (Socket fourth = connect(server)) {
                assertThat(isClosed(fourth)).isTrue();
            }
            try (Socket elsewhere = connectFrom("127.0.0.2", server)) {
                elsewhere
                        .getOutputStream()
                        .write(FrameEncoder.encode(Command.request(1).opaque(3).build()));
                assertThat(response(elsewhere).opaque()).isEqualTo(3);
            }
            first.close();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(2));
            try (Socket again = connect(server)) {
                again.getOutputStream()
                        .write(FrameEncoder.encode(Command.request(1).opaque(4).build()));
                assertThat(response(again).opaque()).isEqualTo(4);
            }
        }
    }

    @Test
    void largeFramesThatArriveTogetherAllGetThrough() throws Exception {
        // As frames of 16 MiB and the 38 MiB of a default server are to each other.
        RemotingServer server = bench.server(
                Bench.settings().withMaxFrameBytes(1 << 20).withMaxInFlightBytes(1 << 20, 2_400_000),
                HostilePeerTest::ok,
                ConnectionListener.NONE);
        byte[] frame = FrameEncoder.encode(
                Command.request(10).opaque(7).body(new byte[1_000_000]).build());
        List<Socket> producers = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                Socket producer = connect(server);
                producers.add(producer);
                producer.getOutputStream().write(frame, 0, 700_000);
            }
            // Each holds so much that none may hold a whole frame beside the others. At once: after a second the oldest
            // is
            // closed for the others.
            Awaitility.await()
                    .pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(2))
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isGreaterThan(3 * 500_000));
            List<Thread> writers = new ArrayList<>();
            for (Socket producer : producers) {
                Thread writer = new Thread(() -> {
                    try {
                        producer.getOutputStream().write(frame, 700_000, frame.length - 700_000);
                    } catch (IOException e) {
                        // closed: its answer will be missing
                    }
                });
                writer.start();
                writers.add(writer);
            }
            for (Socket producer : producers) {
                assertThat(response(producer).opaque()).isEqualTo(7);
            }
            for (Thread writer : writers) {
                writer.join();
            }
        } finally {
            for (Socket producer : producers) {
                producer.close();
            }
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
    }

    @Test
    void aFrameLargerThanEveryShareStillGetsThrough() throws Exception {
        RemotingServer server = bench.server(
                Bench.settings().withMaxFrameBytes(1 << 20).withMaxInFlightBytes(1 << 20, 1_200_000),
                HostilePeerTest::ok,
                ConnectionListener.NONE);
        try (Socket socket = connect(server)) {
            socket.getOutputStream()
                    .write(FrameEncoder.encode(Command.request(10)
                            .opaque(7)
                            .body(new byte[1_000_000])
                            .build()));
            assertThat(response(socket).opaque()).isEqualTo(7);
        }
    }

    @Test
    void slowReadersOfAnswersMadeInMemoryHoldNoMoreThanTheirShareTogether() throws Exception {
        int limit = 4 << 20;
        byte[] body = new byte[500_000];
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, limit),
                request -> request.reply(Command.response(0, null)
                        .body(request.code() == 11 ? body : new byte[0])
                        .build()),
                ConnectionListener.NONE);
        List<Socket> slow = new ArrayList<>();
        try {
            byte[] ask = FrameEncoder.encode(Command.request(11).build());
            for (int i = 0; i < 40; i++) {
                Socket socket = new Socket();
                socket.setReceiveBufferSize(4096);
                socket.connect(server.address());
                slow.add(socket);
                for (int k = 0; k < 40; k++) {
                    socket.getOutputStream().write(ask); // 20 MB each
                }
            }
            try (Socket honest = connect(server)) {
                for (int i = 0; i < 5; i++) {
                    honest.getOutputStream()
                            .write(FrameEncoder.encode(
                                    Command.request(10).opaque(i).build()));
                    assertThat(response(honest).opaque()).isEqualTo(i);
                }
                assertThat(server.unsentBytes()).isLessThanOrEqualTo(limit + 40 * 64 * 1024L);
                Awaitility.await().until(() -> {
                    honest.getOutputStream().write(ask);
                    return response(honest).code() == 0;
                });
            }
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
        Awaitility.await().untilAsserted(() -> assertThat(server.unsentBytes()).isZero());
    }

    @Test
    void mappedMessagesThatWaitForASlowReaderAreNoMemory() throws Exception {
        ByteBuffer mapped = ByteBuffer.allocateDirect(8 << 20);
        byte[] body = new byte[60_000];
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(1 << 20, 4 << 20),
                request -> {
                    if (request.code() == 11) {
                        request.reply(Command.response(0, null).build(), List.of(mapped.duplicate()), () -> {});
                    } else {
                        request.reply(Command.response(0, null).body(body).build());
                    }
                },
                ConnectionListener.NONE);
        try (Socket slow = connect(server)) {
            ByteArrayOutputStream requests = new ByteArrayOutputStream();
            for (int i = 0; i < 4; i++) {
                requests.writeBytes(FrameEncoder.encode(Command.request(10).build()));
            }
            requests.writeBytes(FrameEncoder.encode(Command.request(11).build()));
            slow.getOutputStream().write(requests.toByteArray());
            for (int i = 0; i < 4; i++) {
                assertThat(response(slow).code()).isZero();
            }
            // What is left is the mapped file, and its head at most.
            assertThat(slow.getInputStream().read()).isNotNegative();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.unsentBytes()).isLessThan(10_000));
        }
    }

    @Test
    void everyServerOfAProcessGivesAnAddressThreeQuartersOfItsOwnConnections() throws Exception {
        ServerSettings settings = Bench.settings().withMaxConnections(4);
        RemotingServer first = bench.server(settings, HostilePeerTest::ok, ConnectionListener.NONE);
        RemotingServer second = bench.server(settings, HostilePeerTest::ok, ConnectionListener.NONE);
        try (Socket one = connect(first);
                Socket two = connect(first);
                Socket three = connect(second);
                Socket four = connect(second)) {
            for (Socket socket : List.of(one, two, three, four)) {
                socket.getOutputStream()
                        .write(FrameEncoder.encode(Command.request(1).opaque(3).build()));
                assertThat(response(socket).opaque()).isEqualTo(3);
            }
        }
    }

    @Test
    void nothingStaysChargedAfterThousandsOfPeersThatLeaveInTheMiddle() throws Exception {
        BlockingQueue<Request> later = new LinkedBlockingQueue<>();
        AtomicInteger turn = new AtomicInteger();
        RemotingServer server = bench.server(
                Bench.settings().withMaxInFlightBytes(60_000, 1 << 20),
                request -> {
                    switch (turn.getAndIncrement() % 6) {
                        case 0 -> throw new IllegalStateException("a test");
                        case 1 -> request.refuse(2, "no");
                        case 2 -> {
                            request.hold(700);
                            later.add(request);
                        }
                        case 3 -> later.add(request);
                        case 4 ->
                            request.reply(
                                    Command.response(0, null).build(), List.of(ByteBuffer.allocate(90_000)), () -> {});
                        default -> ok(request);
                    }
                },
                ConnectionListener.NONE);
        byte[] small =
                FrameEncoder.encode(Command.request(1).body(new byte[100]).build());
        byte[] oneway = FrameEncoder.encode(
                Command.request(1).oneway().body(new byte[3_000]).build());
        byte[] large =
                FrameEncoder.encode(Command.request(1).body(new byte[50_000]).build());
        for (int i = 0; i < 3_000; i++) {
            try (Socket socket = connect(server)) {
                if (i % 3 == 0) {
                    socket.setSoLinger(true, 0); // a reset
                }
                for (byte[] frame : List.of(small, oneway, large, small, oneway)) {
                    socket.getOutputStream().write(frame, 0, frame.length);
                }
                socket.getOutputStream().write(large, 0, 1 + i * 37 % (large.length - 1));
            } catch (SocketException reset) {
                // it was quicker
            }
            if (i % 4 == 0) {
                for (Request request; (request = later.poll()) != null; ) {
                    ok(request);
                }
            }
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.connectionCount()).isZero());
        for (Request request; (request = later.poll()) != null; ) {
            ok(request);
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
        assertThat(server.unsentBytes()).isZero();
        // And one connection that lives through it all.
        AtomicBoolean over = new AtomicBoolean();
        Thread answers = new Thread(() -> {
            while (!over.get()) {
                try {
                    Request request = later.poll(1, TimeUnit.MILLISECONDS);
                    if (request != null) {
                        ok(request);
                    }
                } catch (InterruptedException e) {
                    return;
                }
            }
        });
        answers.start();
        try (Socket socket = connect(server)) {
            Thread reader = new Thread(() -> {
                try {
                    socket.getInputStream().transferTo(OutputStream.nullOutputStream());
                } catch (IOException e) {
                    // the end
                }
            });
            reader.start();
            int before = turn.get();
            for (int i = 0; i < 3_000; i++) {
                socket.getOutputStream().write(i % 5 == 0 ? large : i % 2 == 0 ? small : oneway);
            }
            Awaitility.await().until(() -> turn.get() == before + 3_000);
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.unsentBytes()).isZero());
            assertThat(server.connectionCount()).isEqualTo(1);
        } finally {
            over.set(true);
            answers.join();
        }
    }
}
