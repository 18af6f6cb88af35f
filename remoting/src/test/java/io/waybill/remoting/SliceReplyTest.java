/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.RandomSource;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import java.io.DataInputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SliceReplyTest {
    private final Bench bench = new Bench();
    private final AtomicInteger released = new AtomicInteger();

    @AfterEach
    void close() throws Exception {
        bench.close();
    }

    private static List<ByteBuffer> slices(RandomSource random, int count, int largest) {
        List<ByteBuffer> slices = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] bytes = new byte[random.nextInt(largest + 1)];
            random.nextBytes(bytes);
            ByteBuffer slice = random.nextInt(2) == 0
                    ? ByteBuffer.wrap(bytes)
                    : ByteBuffer.allocateDirect(bytes.length + 3)
                            .position(3)
                            .put(bytes)
                            .flip()
                            .position(3);
            slices.add(random.nextInt(2) == 0 ? slice.asReadOnlyBuffer() : slice);
        }
        return slices;
    }

    private static byte[] joined(List<ByteBuffer> slices) {
        ByteBuffer all = ByteBuffer.allocate(
                slices.stream().mapToInt(ByteBuffer::remaining).sum());
        slices.forEach(slice -> all.put(slice.duplicate()));
        return all.array();
    }

    @Test
    void slicesOfAnySizeArriveAsOneBodyAndAreReleasedOnce() throws Exception {
        BlockingQueue<List<ByteBuffer>> prepared = new LinkedBlockingQueue<>();
        RemotingServer server = bench.server(request -> request.reply(
                Command.response(0, "FOUND").field("n", 1).build(), prepared.remove(), released::incrementAndGet));
        RemotingClient client = bench.client();
        RandomSource random = RandomSource.seeded(3);
        int[][] shapes = {
            {0, 0}, {1, 0}, {3, 0}, {1, 10}, {32, 300}, {32, 1_300}, {5, 30_000}, {1, 900_000}, {40, 90_000}
        };
        int count = 0;
        for (int[] shape : shapes) {
            for (int i = 0; i < 5; i++) {
                List<ByteBuffer> slices = slices(random, shape[0], shape[1]);
                List<Integer> positions =
                        slices.stream().map(ByteBuffer::position).toList();
                prepared.add(slices);
                Command response = Bench.get(client.call(
                        RoundTripTest.address(server), Command.request(11).build(), 20_000));
                assertThat(Bench.bytes(response.body())).isEqualTo(joined(slices));
                assertThat(response.remark()).isEqualTo("FOUND");
                assertThat(slices.stream().map(ByteBuffer::position).toList()).isEqualTo(positions);
                count++;
            }
        }
        int expected = count;
        Awaitility.await().untilAsserted(() -> assertThat(released).hasValue(expected));
    }

    @Test
    void repliesFromOtherThreadsKeepTheirSlicesApart() throws Exception {
        RemotingServer server = bench.server(request -> CompletableFuture.runAsync(() -> request.reply(
                Command.response(0, null).build(),
                slices(RandomSource.seeded(request.command().opaque()), 8, 3_000),
                released::incrementAndGet)));
        RemotingClient client = bench.client();
        List<CompletableFuture<Command>> calls = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            calls.add(client.call(
                    RoundTripTest.address(server), Command.request(11).build(), 20_000));
        }
        for (CompletableFuture<Command> call : calls) {
            Command response = Bench.get(call);
            assertThat(Bench.bytes(response.body()))
                    .isEqualTo(joined(slices(RandomSource.seeded(response.opaque()), 8, 3_000)));
        }
        Awaitility.await().untilAsserted(() -> assertThat(released).hasValue(400));
    }

    @Test
    void aReplyAfterTheConnectionClosedIsReleased() throws Exception {
        BlockingQueue<Request> held = new LinkedBlockingQueue<>();
        CountDownLatch closed = new CountDownLatch(1);
        RemotingServer server = bench.server(Bench.settings(), held::add, new ConnectionListener() {
            @Override
            public void closed(Connection connection) {
                closed.countDown();
            }
        });
        RemotingClient client = bench.client();
        client.call(RoundTripTest.address(server), Command.request(11).build(), 20_000);
        Request request = held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS);
        client.close();
        assertThat(closed.await(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
        request.reply(
                Command.response(0, null).build(), List.of(ByteBuffer.allocate(9_000)), released::incrementAndGet);
        Awaitility.await().untilAsserted(() -> assertThat(released).hasValue(1));
        assertThat(server.inFlightBytes()).isZero();
    }

    @Test
    void aPeerThatDoesNotReadIsClosedAndItsSlicesAreReleased() throws Exception {
        BlockingQueue<Request> held = new LinkedBlockingQueue<>();
        CountDownLatch closed = new CountDownLatch(1);
        RemotingServer server =
                bench.server(Bench.settings().withMaxUnsentBytes(1 << 20), held::add, new ConnectionListener() {
                    @Override
                    public void closed(Connection connection) {
                        closed.countDown();
                    }
                });
        try (Socket socket =
                new Socket(server.address().getAddress(), server.address().getPort())) {
            OutputStream out = socket.getOutputStream();
            int count = 40;
            for (int i = 0; i < count; i++) {
                out.write(FrameEncoder.encode(Command.request(11).opaque(i).build()));
            }
            List<Request> requests = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                requests.add(held.poll(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS));
            }
            ByteBuffer megabyte = ByteBuffer.allocateDirect(1 << 20);
            for (Request request : requests) {
                request.reply(Command.response(0, null).build(), List.of(megabyte), released::incrementAndGet);
            }
            assertThat(closed.await(Bench.PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
            Awaitility.await().untilAsserted(() -> assertThat(released).hasValue(count));
            assertThat(server.inFlightBytes()).isZero();
        }
    }

    @Test
    void aPeerThatReadsSlowlyGetsEverythingWhileItsRequestsWait() throws Exception {
        AtomicInteger handled = new AtomicInteger();
        ByteBuffer body = ByteBuffer.allocateDirect(200_000);
        RemotingServer server = bench.server(
                Bench.settings().withMaxUnsentBytes(4 << 20),
                request -> {
                    handled.incrementAndGet();
                    request.reply(Command.response(0, null).build(), List.of(body), released::incrementAndGet);
                },
                ConnectionListener.NONE);
        try (Socket socket =
                new Socket(server.address().getAddress(), server.address().getPort())) {
            int count = 300;
            for (int i = 0; i < count; i++) {
                socket.getOutputStream()
                        .write(FrameEncoder.encode(Command.request(11).opaque(i).build()));
            }
            // 60 MB of replies: far beyond the bound and what the kernel holds, so the handler has to be held back.
            Awaitility.await().untilAsserted(() -> assertThat(handled).hasPositiveValue());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            for (int i = 0; i < count; i++) {
                int length = in.readInt();
                byte[] frame = in.readNBytes(length);
                assertThat(Command.decode(ByteBuffer.wrap(frame)).opaque()).isEqualTo(i);
            }
        }
        Awaitility.await().untilAsserted(() -> assertThat(released).hasValue(300));
    }
}
