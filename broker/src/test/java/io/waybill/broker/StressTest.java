/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.MembershipEnds;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.header.UnregisterClientHeader;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import io.waybill.store.view.ViewsBackend;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** All features on real threads, many at once: nobody is forgotten, nobody is answered twice, nothing stays behind. */
class StressTest {
    private static final int PATIENCE_SECONDS = 60;
    private static final int THREADS = 4;

    private final Platform platform = Platform.real();
    private final AtomicLong ids = new AtomicLong();
    private Store store;
    private Features features;
    private MembershipEnds memberships;

    @BeforeEach
    void start() throws Exception {
        BrokerSettings settings = BrokerSettings.defaults()
                .with("namesrv", "")
                .with("flush", "async")
                .with("offsetFlushMillis", 10);
        store = Store.open(
                new SimulatedFiles(), platform, settings.store().withSegmentBytes(8 << 20), ViewsBackend.memory());
        ClientRegistry members = new ClientRegistry(settings, platform.clock());
        memberships = new MembershipEnds(members);
        features = new Features(
                store,
                settings,
                platform,
                Lanes.of(platform.duties(), 1, platform.clock()),
                members,
                TestBroker.ADDRESS,
                (address, request, millis) -> {
                    throw new IllegalStateException("there is no name server");
                },
                sentence -> {});
        features.start();
    }

    @AfterEach
    void stop() throws Exception {
        features.leave();
        features.stop();
        store.close();
        platform.duties().close();
    }

    /** A connection that only remembers whether it is open. */
    private final class Peer implements Connection {
        private final long id = ids.incrementAndGet();
        private volatile boolean open = true;

        @Override
        public InetSocketAddress remoteAddress() {
            return new InetSocketAddress("127.0.0.1", 1);
        }

        @Override
        public InetSocketAddress localAddress() {
            return remoteAddress();
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void send(Command oneway) {}

        @Override
        public CompletableFuture<Command> call(Command request, long timeoutMillis) {
            return new CompletableFuture<>();
        }

        @Override
        public void onClose(Runnable action) {}

        @Override
        public void close() {
            open = false;
            features.connectionClosed(this);
            memberships.closed(this);
        }

        @Override
        public Object attribute(String key) {
            return null;
        }

        @Override
        public void attribute(String key, Object value) {}

        @Override
        public long id() {
            return id;
        }
    }

    /** A request that counts its answers. */
    private static final class Counted implements Request {
        final CompletableFuture<Command> answer = new CompletableFuture<>();
        final AtomicInteger answers = new AtomicInteger();
        private final Command command;
        private final Connection connection;

        Counted(Command command, Connection connection) {
            this.command = command;
            this.connection = connection;
        }

        @Override
        public long arrivedNanos() {
            return 0;
        }

        @Override
        public Command command() {
            return command;
        }

        @Override
        public Connection connection() {
            return connection;
        }

        @Override
        public void reply(Command response) {
            answers.incrementAndGet();
            answer.complete(response);
        }

        @Override
        public void reply(Command head, List<ByteBuffer> body, Runnable released) {
            reply(head);
            released.run();
        }
    }

    private Counted begin(Connection connection, Command command) {
        Counted request = new Counted(command, connection);
        features.handler().handle(request);
        return request;
    }

    private Command ask(Connection connection, Command command) throws Exception {
        Counted request = begin(connection, command);
        Command answer = request.answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(request.answers).hasValue(1);
        return answer;
    }

    private static Command send(String topic, int queueId) {
        return Command.request(RequestCode.SEND_MESSAGE_V2)
                .header(new SendMessageHeader(
                        "producers", topic, "TBW102", 8, queueId, 0, 1, 0, new byte[0], 0, false, -1, false, null))
                .body(new byte[10])
                .build();
    }

    private static Command pull(String topic, int queueId, long offset, long holdMillis) {
        return Command.request(RequestCode.PULL_MESSAGE)
                .header(new PullHeader("readers", topic, queueId, offset, 32, 6, 0, holdMillis, "*", 0, null, -1, null))
                .build();
    }

    private interface Work {
        void run(int number, RandomSource random) throws Exception;
    }

    private void together(int threads, Work work) throws Exception {
        ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
        List<Thread> running = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int number = i;
            running.add(platform.duties().thread("stress-" + i, () -> {
                try {
                    work.run(number, RandomSource.seeded(number));
                } catch (Throwable e) {
                    failures.add(e);
                }
            }));
        }
        running.forEach(Thread::start);
        for (Thread thread : running) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }

    @Test
    void noWakeUpIsLostBetweenParkingAndBecomingVisible() throws Exception {
        for (int queue = 0; queue < THREADS; queue++) {
            ask(new Peer(), send("orders", queue));
        }
        // Half of the threads write, half read with a hold so long that a lost wake-up fails the test.
        together(2 * THREADS, (number, random) -> {
            Peer peer = new Peer();
            int queue = number / 2;
            long offset = 0;
            for (int i = 0; i < 3_000; i++) {
                if (number % 2 == 0) {
                    assertThat(ask(peer, send("orders", queue)).code()).isZero();
                    continue;
                }
                if (offset > 3_000) {
                    return;
                }
                Command answer = ask(peer, pull("orders", queue, offset, 25_000));
                assertThat(answer.code()).isZero();
                offset = Long.parseLong(answer.fields().get("nextBeginOffset"));
            }
        });
        assertThat(features.pulls.longPolling().size()).isZero();
    }

    @Test
    void wakingTimingOutResettingAndClosingAtOnceAnswersOnceAndKeepsNothing() throws Exception {
        ask(new Peer(), send("orders", 0));
        ConcurrentLinkedQueue<Counted> asked = new ConcurrentLinkedQueue<>();
        together(2 * THREADS, (number, random) -> {
            Peer peer = new Peer();
            ask(peer, heartbeat("c" + number, "readers"));
            for (int i = 0; i < 2_000; i++) {
                switch (number < 2 ? 3 : random.nextInt(3)) {
                    case 0 ->
                        asked.add(begin(
                                peer,
                                pull(
                                        "orders",
                                        0,
                                        store.queues().offsetRange("orders", 0).maxOffset(),
                                        1)));
                    case 1 ->
                        asked.add(begin(
                                peer,
                                pull(
                                        "orders",
                                        0,
                                        store.queues().offsetRange("orders", 0).maxOffset(),
                                        25_000)));
                    case 2 -> {
                        if (random.nextInt(20) == 0) {
                            peer.close();
                            peer = new Peer();
                            ask(peer, heartbeat("c" + number, "readers"));
                        }
                    }
                    default -> {
                        assertThat(ask(peer, send("orders", 0)).code()).isZero();
                        if (random.nextInt(20) == 0) {
                            assertThat(ask(peer, reset(random.nextInt(10))).code())
                                    .isZero();
                        }
                    }
                }
            }
        });
        // Each of those still waiting stands behind the end or was overtaken by nothing: one more message wakes all.
        ask(new Peer(), send("orders", 0));
        for (Counted request : asked) {
            if (request.connection().isOpen()) {
                request.answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
            assertThat(request.answers.get()).isLessThanOrEqualTo(1);
        }
        assertThat(features.pulls.longPolling().size()).isZero();
    }

    @Test
    void membersComeAndGoAndNobodyStays() throws Exception {
        together(THREADS, (number, random) -> {
            Peer peer = new Peer();
            for (int i = 0; i < 3_000; i++) {
                String group = "g" + random.nextInt(5);
                String client = "c" + number + "-" + random.nextInt(3);
                switch (random.nextInt(4)) {
                    case 0, 1 ->
                        assertThat(ask(peer, heartbeat(client, group)).code()).isZero();
                    case 2 ->
                        ask(
                                peer,
                                Command.request(RequestCode.UNREGISTER_CLIENT)
                                        .header(new UnregisterClientHeader(client, "p", group))
                                        .build());
                    default -> {
                        if (random.nextInt(5) == 0) {
                            // A heartbeat may arrive while its connection ends.
                            peer.open = false;
                            begin(peer, heartbeat(client, group));
                            peer.close();
                            peer = new Peer();
                        }
                    }
                }
            }
            peer.close();
        });
        for (int i = 0; i < 5; i++) {
            Command list = ask(
                    new Peer(),
                    Command.request(RequestCode.GET_CONSUMER_LIST_BY_GROUP)
                            .field("consumerGroup", "g" + i)
                            .build());
            assertThat(list.code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        }
        assertThat(ask(new Peer(), producers("p")).code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
    }

    @Test
    void aResetWinsOverCommitsWhateverTheirOrder() throws Exception {
        for (int i = 0; i < 50; i++) {
            ask(new Peer(), send("orders", 0));
        }
        Peer member = new Peer();
        ask(member, heartbeat("c", "readers"));
        for (int round = 0; round < 200; round++) {
            long target = round % 40;
            together(3, (number, random) -> {
                if (number == 0) {
                    assertThat(ask(member, reset(target)).code()).isZero();
                } else {
                    for (int i = 0; i < 10; i++) {
                        ask(member, commit(41 + random.nextInt(9)));
                    }
                }
            });
            assertThat(ask(member, query()).fields().get("offset")).isEqualTo(Long.toString(target));
            Command told = ask(member, pull("orders", 0, 50, 0));
            assertThat(told.code()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
            assertThat(told.fields().get("nextBeginOffset")).isEqualTo(Long.toString(target));
            assertThat(ask(member, commit(50)).remark()).isNull();
        }
        features.stop();
        assertThat(store.offsets().committedOffset("readers", "orders", 0)).isEqualTo(50);
    }

    @Test
    void aQueueNeverHasTwoHolders() throws Exception {
        ask(new Peer(), send("orders", 3));
        AtomicInteger[] holders = {new AtomicInteger(), new AtomicInteger(), new AtomicInteger()};
        together(THREADS, (number, random) -> {
            Peer peer = new Peer();
            for (int i = 0; i < 3_000; i++) {
                int queue = random.nextInt(holders.length);
                byte[] body = new LockBatchBody(
                                "readers", "c" + number, Set.of(new MessageQueue("orders", "broker-a", queue)), false)
                        .toJson();
                Command locked = ask(
                        peer,
                        Command.request(RequestCode.LOCK_BATCH_MQ).body(body).build());
                if (LockBatchReply.parse(locked.body()).lockOKMQSet().isEmpty()) {
                    continue;
                }
                assertThat(holders[queue].incrementAndGet()).isEqualTo(1);
                holders[queue].decrementAndGet();
                ask(
                        peer,
                        Command.request(RequestCode.UNLOCK_BATCH_MQ).body(body).build());
            }
        });
    }

    private static Command heartbeat(String client, String group) {
        HeartbeatData data = new HeartbeatData(
                client,
                List.of(new ConsumerData(
                        group,
                        ConsumerData.CONSUME_PASSIVELY,
                        ConsumerData.CLUSTERING,
                        ConsumerData.FROM_LAST_OFFSET,
                        List.of(SubscriptionData.of("orders", "*")),
                        false)),
                List.of("p"));
        return Command.request(RequestCode.HEART_BEAT).body(data.toJson()).build();
    }

    private static Command producers(String group) {
        return Command.request(RequestCode.GET_PRODUCER_CONNECTION_LIST)
                .field("producerGroup", group)
                .build();
    }

    private static Command reset(long offset) {
        return Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                .header(new ResetOffsetHeader("orders", "readers", 0, true, 0, offset))
                .build();
    }

    private static Command commit(long offset) {
        return Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                .field("consumerGroup", "readers")
                .field("topic", "orders")
                .field("queueId", 0)
                .field("commitOffset", offset)
                .build();
    }

    private static Command query() {
        return Command.request(RequestCode.QUERY_CONSUMER_OFFSET)
                .field("consumerGroup", "readers")
                .field("topic", "orders")
                .field("queueId", 0)
                .build();
    }
}
