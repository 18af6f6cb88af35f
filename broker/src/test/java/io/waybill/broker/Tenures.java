/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.MembershipEnds;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.view.ViewsBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A node with real files, RocksDB and threads, on which tenures begin and end, with topics, open half messages and pop states in its store. As a program it
 * prints how long a tenure takes to start: {@code verify/tenures}.
 */
final class Tenures implements AutoCloseable {
    private static final InetSocketAddress ADDRESS = new InetSocketAddress("127.0.0.1", 10911);
    private static final int GROUPS = 10;
    private static final int BATCH = 100;
    private static final int IN_FLIGHT = 1_000;

    final BrokerSettings settings = BrokerSettings.defaults();
    final Duties duties = Duties.real();
    final Platform platform = new Platform(Clock.system(), RandomSource.seeded(1), duties);
    final Lanes lanes = Lanes.of(duties, settings.reads().coldReadThreads(), platform.clock());
    final ClientRegistry members = new ClientRegistry(settings, platform.clock());
    final MembershipEnds memberships = new MembershipEnds(members);
    private final Path directory;
    Store store;

    Tenures(Path directory) throws Exception {
        this.directory = directory;
        open();
    }

    private void open() throws Exception {
        Files files = Files.real(directory);
        store = Store.open(files, platform, settings.store().withSegmentBytes(64 << 20), ViewsBackend.rocks(files));
    }

    /** As a start of the process: the store was closed, and nothing of it is in memory. */
    void reopen() throws Exception {
        store.close();
        open();
    }

    /** Writes topics, ten times as many open half messages of which nobody is asked yet, and ten times as many pop states. */
    void fill(int topics) throws Exception {
        byte[] body = "a body of an order, of the usual length ".repeat(5).getBytes(StandardCharsets.UTF_8);
        long later = platform.clock().wallMillis() + TimeUnit.HOURS.toMillis(1);
        all(
                topics,
                (i, done) -> store.catalog()
                        .putCatalog(
                                CatalogKind.TOPIC,
                                topic(i),
                                Topics.config(topic(i), 4, Perm.READ_WRITE).toJson(),
                                done));
        all(
                topics * 10,
                (i, done) -> store.transactions()
                        .appendHalf(
                                null,
                                MessageDraft.builder()
                                        .topic(topic(i % topics))
                                        .queueId(i % 4)
                                        .bornHost(ADDRESS)
                                        .storeHost(ADDRESS)
                                        .body(ByteBuffer.wrap(body))
                                        .build(),
                                "producers",
                                "client-" + i % 100,
                                later,
                                done));
        all(topics * 10 / BATCH, (batch, done) -> {
            List<PopDelta> some = new ArrayList<>();
            for (int i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
                PopKey key = new PopKey("group-" + i / topics % GROUPS, topic(i % topics), i % 4);
                some.add(new PopDelta(key, List.of(new PopChange.Start(i), new PopChange.Take(i, 1, later, 1))));
            }
            store.pops().recordPops(some, done);
        });
    }

    private static String topic(int i) {
        return "orders-of-branch-" + i;
    }

    private interface Submit {
        void submit(int i, Completion done);
    }

    private static void all(int count, Submit change) throws InterruptedException {
        Semaphore open = new Semaphore(IN_FLIGHT);
        for (int i = 0; i < count; i++) {
            open.acquire();
            int number = i;
            change.submit(i, outcome -> {
                if (!(outcome instanceof Stored)) {
                    throw new AssertionError(number + ": " + outcome);
                }
                open.release();
            });
        }
        open.acquire(IN_FLIGHT);
    }

    Features begin() {
        Features features = new Features(
                store,
                settings,
                platform,
                lanes,
                members,
                ADDRESS,
                (address, request, timeoutMillis) -> CompletableFuture.completedFuture(
                        Command.response(ResponseCode.SUCCESS, null).build()),
                sentence -> {});
        features.start();
        return features;
    }

    static void end(Features features) {
        features.leave().join();
        features.stop();
    }

    /** The reply to a request that is handed to these features, waited for. */
    static Command ask(Features features, FakeConnection connection, Command command) throws Exception {
        CompletableFuture<Command> reply = new CompletableFuture<>();
        features.handler().handle(new Waited(command, connection, reply::complete));
        return reply.get(1, TimeUnit.MINUTES);
    }

    static Command sending(String topic) {
        return Command.request(RequestCode.SEND_MESSAGE_V2)
                .header(new SendMessageHeader(
                        "producers", topic, "TBW102", 4, 0, 0, 1_000, 7, new byte[0], 0, false, -1, false, "broker-a"))
                .body("first".getBytes(StandardCharsets.UTF_8))
                .build();
    }

    private record Waited(Command command, FakeConnection connection, Consumer<Command> then) implements Request {
        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public void reply(Command response) {
            then.accept(response);
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            then.accept(head);
            released.run();
        }
    }

    @Override
    public void close() throws Exception {
        store.close();
        duties.close();
    }

    /** Arguments: an empty directory, the number of topics, the number of tenures. */
    public static void main(String[] arguments) throws Exception {
        int topics = Integer.parseInt(arguments[1]);
        try (Tenures node = new Tenures(Path.of(arguments[0]))) {
            node.fill(topics);
            System.out.printf(
                    "%,d topics, %,d half messages, %,d pop states%n",
                    topics,
                    node.store.transactions().openHalfCount(),
                    node.store.pops().popKeys().size());
            node.reopen();
            for (int i = 1; i <= Integer.parseInt(arguments[2]); i++) {
                long cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
                long from = System.nanoTime();
                Features features = node.begin();
                long begun = System.nanoTime();
                cpu = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpu;
                Command sent = ask(features, new FakeConnection(i), sending(topic(i)));
                long served = System.nanoTime();
                end(features);
                System.out.printf(
                        "tenure %2d: started after %4d ms (%4d ms of a processor), first send stored after %4d ms (code %d); ended in %d ms; load %s%n",
                        i,
                        (begun - from) / 1_000_000,
                        cpu / 1_000_000,
                        (served - from) / 1_000_000,
                        sent.code(),
                        (System.nanoTime() - served) / 1_000_000,
                        load());
            }
        }
    }

    private static String load() {
        try {
            return java.nio.file.Files.readString(Path.of("/proc/loadavg")).split(" ")[0];
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
