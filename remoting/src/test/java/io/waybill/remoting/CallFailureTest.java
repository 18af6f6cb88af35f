/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static io.waybill.remoting.RemotingException.CallFailure.CLOSED;
import static io.waybill.remoting.RemotingException.CallFailure.CONNECT_FAILED;
import static io.waybill.remoting.RemotingException.CallFailure.OVERLOADED;
import static io.waybill.remoting.RemotingException.CallFailure.TIMEOUT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.frame.Command;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CallFailureTest {
    private final Bench bench = new Bench();
    private final BlockingQueue<Request> held = new LinkedBlockingQueue<>();

    @AfterEach
    void close() throws Exception {
        bench.close();
    }

    private Request heldRequest() throws InterruptedException {
        Request request = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(request).isNotNull();
        return request;
    }

    @Test
    void aCallWithoutResponseTimesOutAndTheLateResponseIsDropped() throws Exception {
        String address = RoundTripTest.address(bench.server(held::add));
        RemotingClient client = bench.client();
        CompletableFuture<Command> longer =
                client.call(address, Command.request(1).build(), 20_000);
        CompletableFuture<Command> shorter =
                client.call(address, Command.request(2).build(), 30);
        RemotingException failure = Bench.failure(shorter);
        assertThat(failure.kind()).isEqualTo(TIMEOUT);
        assertThat(failure.maybeDelivered()).isTrue();
        assertThat(longer).isNotDone();
        Request first = heldRequest();
        heldRequest().reply(Command.response(2, null).build());
        first.reply(Command.response(1, null).build());
        assertThat(Bench.get(longer).code()).isEqualTo(1);
    }

    @Test
    void callsToNobodyFailWithoutDoubt() throws Exception {
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        RemotingClient client = bench.client();
        for (String address : List.of("127.0.0.1:" + port, "no port", "127.0.0.1:x", ":1")) {
            RemotingException failure =
                    Bench.failure(client.call(address, Command.request(1).build(), 15_000));
            assertThat(failure.kind()).isEqualTo(CONNECT_FAILED);
            assertThat(failure.maybeDelivered()).isFalse();
            assertThat(failure).hasMessageContaining(address);
        }
    }

    @Test
    void hostNamesAreResolved() throws Exception {
        RemotingServer server =
                bench.server(request -> request.reply(Command.response(0, null).build()));
        assertThat(Bench.get(bench.client()
                                .call(
                                        "localhost:" + server.address().getPort(),
                                        Command.request(1).build(),
                                        5_000))
                        .code())
                .isZero();
    }

    @Test
    void closingEitherEndFailsWhatIsPending() throws Exception {
        RemotingServer server = bench.server(held::add);
        String address = RoundTripTest.address(server);
        BlockingQueue<Request> atClient = new LinkedBlockingQueue<>();
        RemotingClient client = bench.client(ClientSettings.defaults(), atClient::add);

        CompletableFuture<Command> first =
                client.call(address, Command.request(1).build(), 20_000);
        Request request = heldRequest();
        CompletableFuture<Command> toClient =
                request.connection().call(Command.request(9).build(), 20_000);
        assertThat(atClient.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isNotNull();
        client.closeConnection(address);
        for (CompletableFuture<Command> call : List.of(first, toClient)) {
            RemotingException failure = Bench.failure(call);
            assertThat(failure.kind()).isEqualTo(CLOSED);
            assertThat(failure.maybeDelivered()).isTrue();
        }
        RemotingException late =
                Bench.failure(request.connection().call(Command.request(9).build(), 20_000));
        assertThat(late.kind()).isEqualTo(CLOSED);
        assertThat(late.maybeDelivered()).isFalse();

        CompletableFuture<Command> second =
                client.call(address, Command.request(2).build(), 20_000);
        heldRequest().connection().close();
        assertThat(Bench.failure(second).kind()).isEqualTo(CLOSED);

        CompletableFuture<Command> third =
                client.call(address, Command.request(3).build(), 20_000);
        assertThat(heldRequest().code()).isEqualTo(3);
        client.close();
        assertThat(Bench.failure(third).kind()).isEqualTo(CLOSED);
        RemotingException after =
                Bench.failure(client.call(address, Command.request(4).build(), 20_000));
        assertThat(after.kind()).isEqualTo(CLOSED);
        assertThat(after.maybeDelivered()).isFalse();
        Awaitility.await()
                .untilAsserted(() -> assertThat(server.inFlightBytes()).isZero());
    }

    @Test
    void anOrderlyCloseLetsPendingRepliesLeave() throws Exception {
        RemotingServer server = bench.server(held::add);
        String address = RoundTripTest.address(server);
        RemotingClient client = bench.client();
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            calls.add(client.call(address, Command.request(i).build(), 20_000));
        }
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            requests.add(heldRequest());
        }
        CompletableFuture<Void> closing = CompletableFuture.runAsync(server::close);
        Awaitility.await().until(() -> {
            try (ServerSocket free = new ServerSocket()) {
                free.setReuseAddress(true);
                free.bind(server.address());
                return true;
            } catch (IOException stillBound) {
                return false;
            }
        });
        requests.forEach(request -> request.reply(
                Command.response(request.code(), null).body(new byte[50_000]).build()));
        for (int i = 0; i < 20; i++) {
            assertThat(Bench.get(calls.get(i)).code()).isEqualTo(i);
        }
        closing.get(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(Bench.failure(client.call(address, Command.request(1).build(), 5_000))
                        .kind())
                .isIn(CONNECT_FAILED, CLOSED);
    }

    @Test
    void anOrderlyCloseEndsThoughAReplyNeverComes() throws Exception {
        RemotingServer server = bench.server(Bench.settings().withDrainMillis(50), held::add, ConnectionListener.NONE);
        CompletableFuture<Command> call = bench.client()
                .call(RoundTripTest.address(server), Command.request(1).build(), 20_000);
        heldRequest();
        server.close();
        assertThat(Bench.failure(call).kind()).isEqualTo(CLOSED);
    }

    @Test
    void tooManyCallsFailAtOnce() throws Exception {
        String address = RoundTripTest.address(bench.server(held::add));
        RemotingClient client = bench.client(new ClientSettings(1_000, 1 << 20, 10, 1 << 20, 120_000), null);
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int i = 0; i < 11; i++) {
            calls.add(client.call(address, Command.request(i).build(), 20_000));
        }
        RemotingException failure = Bench.failure(calls.get(10));
        assertThat(failure.kind()).isEqualTo(OVERLOADED);
        assertThat(failure.maybeDelivered()).isFalse();
        for (int i = 0; i < 10; i++) {
            heldRequest().reply(Command.response(0, null).build());
        }
        for (int i = 0; i < 10; i++) {
            assertThat(Bench.get(calls.get(i)).code()).isZero();
        }
    }

    @Test
    void closeActionsRunOnceAndAtOnceWhenLate() throws Exception {
        RemotingServer server = bench.server(held::add);
        RemotingClient client = bench.client();
        client.oneway(RoundTripTest.address(server), Command.request(1).oneway().build());
        Connection connection = heldRequest().connection();
        CountDownLatch closed = new CountDownLatch(2);
        connection.onClose(closed::countDown);
        connection.onClose(() -> {
            throw new IllegalStateException("one action must not stop the next");
        });
        connection.onClose(closed::countDown);
        client.close();
        assertThat(closed.await(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(connection.isOpen()).isFalse();
        CountDownLatch late = new CountDownLatch(1);
        Awaitility.await().until(() -> {
            connection.onClose(late::countDown);
            return late.getCount() == 0;
        });
    }

    @Test
    void aPortInUseIsNamed() {
        RemotingServer server = bench.server(held::add);
        ServerSettings taken =
                ServerSettings.defaults("127.0.0.1", server.address().getPort());
        assertThatThrownBy(() -> RemotingServer.start(taken, bench.loops, held::add, ConnectionListener.NONE))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:" + server.address().getPort());
    }
}
