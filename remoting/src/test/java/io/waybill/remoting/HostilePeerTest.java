/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.frame.Command;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
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
                    new byte[] {0x16, 3, 1, 2, 0, 1}, // a TLS hello
                    "GET / HTTP/1.1\r\n\r\n".getBytes(),
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
            good.getOutputStream().write(Command.request(1).opaque(77).build().encode());
            assertThat(response(good).opaque()).isEqualTo(77);
        }
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.connectionCount()).isZero());
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void aFrameCutOffByTheEndOfTheConnectionLeavesNothing() throws Exception {
        RemotingServer server = bench.server(HostilePeerTest::ok);
        byte[] frame = Command.request(10).body(new byte[100_000]).build().encode();
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
        byte[] frame = Command.request(10).opaque(5).body(new byte[40]).build().encode();
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
        Command refused = Bench.get(
                client.call(address, Command.request(2).body(new byte[6_000]).build(), 20_000));
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
                Socket second = connect(server)) {
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(2));
            try (Socket third = connect(server)) {
                assertThat(isClosed(third)).isTrue();
            }
            second.getOutputStream().write(Command.request(1).opaque(3).build().encode());
            assertThat(response(second).opaque()).isEqualTo(3);
            first.close();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(server.connectionCount()).isEqualTo(1));
        }
    }
}
