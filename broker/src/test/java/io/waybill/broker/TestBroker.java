/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.MembershipEnds;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.Store;
import io.waybill.store.log.StoreException;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.ViewsBackend;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A whole broker without sockets: every feature on a real store, on simulated files, time and threads. */
final class TestBroker implements AutoCloseable {
    static final InetSocketAddress ADDRESS = new InetSocketAddress("127.0.0.1", 10911);

    final SimulatedClock clock = new SimulatedClock();
    SimulatedFiles files = new SimulatedFiles();
    /** Requests to the name server, in order. */
    final List<Command> registrations = new ArrayList<>();
    /** How a call to the name server ends; answered at once unless a test says otherwise. */
    CompletableFuture<Command> nameServerAnswer = CompletableFuture.completedFuture(
            Command.response(ResponseCode.SUCCESS, null).build());

    private final BrokerSettings settings;
    final MemoryBackend backend = ViewsBackend.memory();
    SimulatedDuties duties;
    Store store;
    ClientRegistry members;
    private MembershipEnds memberships;
    Features features;
    private BackgroundDuties background;
    /** What was notified about another broker of this name; null when that was over. */
    final List<String> nameConflicts = new ArrayList<>();

    private long connections;

    TestBroker() {
        this(BrokerSettings.defaults());
    }

    TestBroker(BrokerSettings settings) {
        this.settings = settings;
        open();
    }

    private void open() {
        openIdle();
        features.start();
        background.start(duties);
        settle();
    }

    /** As {@link #kill}, but nothing has run since: no duty is started. Returns how often the features asked the views for a value meanwhile. */
    long killIdle() {
        files = files.disk().kill();
        backend.crash();
        return openIdle();
    }

    private long openIdle() {
        duties = new SimulatedDuties(clock);
        Platform platform = new Platform(clock, RandomSource.seeded(11), duties);
        try {
            store = Store.open(files, platform, settings.store().withSegmentBytes(1 << 20), backend);
        } catch (StoreException e) {
            throw new AssertionError(e);
        }
        members = new ClientRegistry(settings, clock);
        background = new BackgroundDuties();
        memberships = new MembershipEnds(members);
        background.add(memberships);
        long before = backend.inUse().reads();
        features = new Features(
                store,
                settings,
                platform,
                Lanes.of(duties, settings.reads().coldReadThreads(), clock),
                members,
                ADDRESS,
                (address, request, timeoutMillis) -> {
                    registrations.add(request);
                    return nameServerAnswer;
                },
                nameConflicts::add);
        return backend.inUse().reads() - before;
    }

    void restart() {
        close();
        open();
    }

    /** Everything that was not forced is lost, as the seed decides. */
    void crash(long seed) {
        files = files.disk().crash(RandomSource.seeded(seed));
        backend.crash();
        open();
    }

    /** As kill -9: what was written stays, nothing else does. */
    void kill() {
        files = files.disk().kill();
        backend.crash();
        open();
    }

    @Override
    public void close() {
        features.leave();
        background.close();
        features.stop();
        try {
            store.close();
        } catch (StoreException e) {
            throw new AssertionError(e);
        }
        duties.close();
    }

    void settle() {
        duties.runUntilIdle();
    }

    void pass(long millis) {
        duties.advance(millis);
    }

    FakeConnection connect() {
        return new FakeConnection(++connections);
    }

    void gone(FakeConnection connection) {
        connection.close();
        features.connectionClosed(connection);
        memberships.closed(connection);
    }

    // ---- requests

    /** Hands in a request and runs what is due; the reply may still be open. */
    Asked ask(FakeConnection connection, Command command) {
        Asked asked = begin(connection, command);
        settle();
        return asked;
    }

    /** Hands in a request and runs nothing else. */
    Asked begin(FakeConnection connection, Command command) {
        Asked asked = new Asked(command, connection);
        features.handler().handle(asked);
        asked.handlerReturned();
        return asked;
    }

    Asked ask(Command command) {
        return ask(connect(), command);
    }

    // ---- sending

    static SendMessageHeader sendHeader(String topic, int queueId, byte[] properties) {
        return new SendMessageHeader(
                "producers", topic, "TBW102", 4, queueId, 0, 1_000, 7, properties, 0, false, -1, false, "broker-a");
    }

    static byte[] properties(String... namesAndValues) {
        Map<String, String> properties = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            properties.put(namesAndValues[i], namesAndValues[i + 1]);
        }
        return MessageProperties.encode(properties);
    }

    static Command sending(SendMessageHeader header, String body) {
        return Command.request(RequestCode.SEND_MESSAGE_V2)
                .header(header)
                .body(body.getBytes(StandardCharsets.UTF_8))
                .build();
    }

    /** Sends and expects success. */
    Asked send(String topic, int queueId, String body, String... namesAndValues) {
        Asked sent = ask(sending(sendHeader(topic, queueId, properties(namesAndValues)), body));
        assertThat(sent.result()).as(sent.remark()).isEqualTo(ResponseCode.SUCCESS);
        return sent;
    }

    // ---- consuming

    static final int SUSPEND = 2;
    static final int SUBSCRIPTION = 4;
    static final int COMMIT = 1;

    static Command pulling(String group, String topic, int queueId, long offset, int sysFlag, String expression) {
        return pulling(new PullHeader(
                group, topic, queueId, offset, 32, sysFlag, 0, 15_000, expression, 0, "TAG", 0, "broker-a"));
    }

    static Command pulling(PullHeader header) {
        return Command.request(RequestCode.PULL_MESSAGE).header(header).build();
    }

    /** Pulls with the subscription in the request, without waiting. */
    Asked pull(String topic, int queueId, long offset, String expression) {
        return ask(pulling("readers", topic, queueId, offset, SUBSCRIPTION, expression));
    }

    static Command heartbeat(String clientId, String group, SubscriptionData... subscriptions) {
        return heartbeat(new HeartbeatData(
                clientId,
                List.of(new ConsumerData(
                        group,
                        ConsumerData.CONSUME_PASSIVELY,
                        ConsumerData.CLUSTERING,
                        ConsumerData.FROM_LAST_OFFSET,
                        List.of(subscriptions),
                        false)),
                List.of()));
    }

    static Command heartbeat(HeartbeatData data) {
        return Command.request(RequestCode.HEART_BEAT).body(data.toJson()).build();
    }

    /** The messages in the body of a pull reply. */
    static List<Message> messages(Asked pulled) {
        return Message.decodeAll(ByteBuffer.wrap(pulled.reply().bodyBytes()));
    }

    static List<String> bodies(Asked pulled) {
        return messages(pulled).stream()
                .map(m -> new String(m.body(), StandardCharsets.UTF_8))
                .toList();
    }
}
