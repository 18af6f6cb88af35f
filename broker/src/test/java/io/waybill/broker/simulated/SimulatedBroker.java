/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.simulated;

import io.waybill.broker.admin.AskClients;
import io.waybill.broker.admin.BrokerAdminFeature;
import io.waybill.broker.admin.ConsumerProgress;
import io.waybill.broker.admin.GroupAdminFeature;
import io.waybill.broker.admin.GroupRequests;
import io.waybill.broker.admin.QuarantinedMessages;
import io.waybill.broker.admin.RuntimeFigures;
import io.waybill.broker.admin.TopicUses;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.GroupFeature;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.MembershipEnds;
import io.waybill.broker.group.MembershipListener;
import io.waybill.broker.offset.CommitFence;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.query.QueryFeature;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.retry.ClientRetryPublisher;
import io.waybill.broker.retry.ConsumeFailureHandler;
import io.waybill.broker.retry.SendBack;
import io.waybill.broker.retry.SendBackStoreAccess;
import io.waybill.broker.send.MessageStamp;
import io.waybill.broker.send.SendFeature;
import io.waybill.broker.send.SendReplies;
import io.waybill.broker.setaside.DeadLetterAdmin;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.broker.settings.TransactionSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.timer.RecallMessage;
import io.waybill.broker.timer.RecallSigner;
import io.waybill.broker.timer.TimerDispatcher;
import io.waybill.broker.timer.TimerFeature;
import io.waybill.broker.topic.TopicFeature;
import io.waybill.broker.topic.TopicPublisher;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessage;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.broker.transaction.TransactionChecks;
import io.waybill.broker.transaction.TransactionFeature;
import io.waybill.broker.transaction.TransactionResolver;
import io.waybill.broker.transaction.TransactionStoreAccess;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.ViewsBackend;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The features around the due index on a real store, on simulated files, time and threads. Nothing happens by itself: {@link #pass} lets time go
 * by, {@link #settle} only runs what is due.
 */
public final class SimulatedBroker implements AutoCloseable {
    public static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 10911);
    public static final String NAME = "broker-a";

    public final SimulatedClock clock = new SimulatedClock();
    public final Set<String> inOrderGroups = new HashSet<>();
    private final ViewsBackend views = ViewsBackend.memory();
    private final BrokerSettings settings;
    private SimulatedFiles files = new SimulatedFiles();
    private SimulatedDuties duties;
    private RequestHandler handler;
    private long connections;

    public Store store;
    public Topics topics;
    public Groups groups;
    public ClientRegistry members;
    public Offsets offsets;
    public DelayedMessageWriter delays;
    public HalfMessageWriter halves;
    public ClientRetryPublisher retries;

    public SimulatedBroker() {
        this(BrokerSettings.defaults());
    }

    public SimulatedBroker(BrokerSettings settings) {
        this.settings = settings;
        start();
    }

    private void start() {
        duties = new SimulatedDuties(clock);
        Platform platform = new Platform(clock, RandomSource.seeded(7), duties);
        try {
            store = Store.open(files, platform, StoreSettings.defaults().withSegmentBytes(1 << 20), views);
        } catch (StoreException e) {
            throw new AssertionError(e);
        }
        Executor blocking = duties.executor("reads", 1);
        topics = new Topics(
                store.queues(), store.timers(), store.catalog(), store.clock(), settings, TopicPublisher.NONE);
        groups = new Groups(store.catalog(), store.clock(), settings);
        members = new ClientRegistry(settings, clock);
        offsets = new Offsets(
                store.queues(),
                store.offsets(),
                store.clock(),
                settings,
                group -> members.consumerGroup(group) != null,
                CommitFence.NONE);
        TimerSettings timers = TimerSettings.defaults();
        RecallSigner signer = RecallSigner.of(store.catalog(), platform.random());
        delays = new DelayedMessageWriter(store.timers(), store.clock(), timers, NAME, signer, topics::readableQueue);
        TransactionSettings transactions = settings.transactions();
        TransactionResolver decisions =
                new TransactionResolver(store.transactions(), store.conflicts(), store.clock(), clock, delays);
        Wakeup timerWakeup = new Wakeup();
        TransactionChecks checks = new TransactionChecks(
                store.messages(), store.transactions(), decisions, clock, transactions, members, NAME, timerWakeup);
        members.addListener(new MembershipListener() {
            @Override
            public void producerJoined(String group, ClientChannelInfo member) {
                checks.producerRegistered(group, member);
            }

            @Override
            public void producerLeft(String group, String clientId) {
                checks.producerLeft(group, clientId);
            }
        });
        halves = new HalfMessageWriter(store.transactions(), clock, transactions, delays, members, checks);
        TimerDispatcher due = new TimerDispatcher(
                store.messages(),
                store.timers(),
                store.status(),
                store.clock(),
                clock,
                checks,
                topics::readableQueue,
                timerWakeup);
        store.timers().onDueEarlier(timerWakeup::wake);
        Stats stats = new Stats(clock);
        store.messages().onStored(stats::stored);
        Lanes lanes = new Lanes(lane -> blocking, clock);
        Routes routes = new Routes(lanes);
        TopicUses uses =
                new TopicUses(store.queues(), store.messages(), store.transactions(), store.timers(), members, offsets);
        new TopicFeature(topics, uses::of, uses::ofQueues, clock, lanes).routes(routes);
        new GroupFeature(groups, members, topics, lanes).routes(routes);
        new TimerFeature(
                        store.messages(),
                        store.transactions(),
                        store.timers(),
                        store.status(),
                        clock,
                        timers,
                        NAME,
                        lanes)
                .routes(routes);
        new RecallMessage(store.timers(), timers, NAME, signer, topic -> topics.find(topic) != null).routes(routes);
        new TransactionFeature(
                        new TransactionStoreAccess(
                                store.messages(),
                                store.transactions(),
                                store.conflicts(),
                                store.settlements(),
                                store.status(),
                                store.clock()),
                        topics,
                        checks,
                        clock,
                        decisions,
                        members::nameOf,
                        NAME,
                        lanes)
                .routes(routes);
        new SendBack(
                        new SendBackStoreAccess(store.messages(), store.transactions(), store.timers()),
                        topics,
                        groups,
                        timers.levels(),
                        clock,
                        platform.random(),
                        members::nameOf,
                        stats)
                .routes(routes);
        retries = new ClientRetryPublisher(
                groups, inOrderGroups::contains, members::nameOf, clock, ConsumeFailureHandler.DEAD_LETTER);
        MessageStamp stamp = new MessageStamp(settings, platform, store.clock(), HOST);
        SendReplies replies = new SendReplies(stamp, store.messages(), delays, stats, lanes);
        new SendFeature(store.messages(), topics, halves, delays, retries, members::connectionOf, stamp, replies)
                .routes(routes);
        new QueryFeature(store.queues(), store.messages(), members::subscription).routes(routes);
        new GroupAdminFeature(store.queues(), store.clock(), topics, groups, members, offsets, NAME).routes(routes);
        new GroupRequests(groups, offsets, QuarantinedMessages.NONE, lanes).routes(routes);
        new AskClients(store.messages(), topics, groups, members, NAME, lanes).routes(routes);
        new BrokerAdminFeature(store.queues(), store.status(), topics, offsets, stats, settings).routes(routes);
        new RuntimeFigures(
                        store.queues(),
                        store.transactions(),
                        store.timers(),
                        store.status(),
                        store.clock(),
                        stats,
                        members,
                        clock)
                .routes(routes);
        new ConsumerProgress(store.queues(), topics, groups, members, offsets, stats, NAME, "127.0.0.1:10911")
                .routes(routes);
        DeadLetterAdmin deadLetters = new DeadLetterAdmin(
                store.queues(),
                store.messages(),
                store.settlements(),
                topics,
                clock,
                platform.random(),
                settings.messages().maxBytes(),
                lanes);
        deadLetters.routes(routes);
        handler = routes.handler();
        BackgroundDuties background = new BackgroundDuties();
        deadLetters.duties(background);
        due.duties(background);
        background.start(duties);
        settle();
    }

    /** Ends in good order and starts again; clients are gone. */
    public void restart() {
        close();
        start();
    }

    /** The power is cut, as the seed decides what survives, and the broker starts again; clients are gone. */
    public void crash(long seed) {
        files = files.disk().crash(RandomSource.seeded(seed));
        ((MemoryBackend) views).crash();
        start();
    }

    @Override
    public void close() {
        try {
            store.close();
        } catch (StoreException e) {
            throw new AssertionError(e);
        }
        duties.close();
    }

    public SimulatedFiles files() {
        return files;
    }

    // ---- time

    public void settle() {
        duties.runUntilIdle();
    }

    /** Runs one thing that is due; false if there is none. */
    public boolean step() {
        return duties.step();
    }

    public void pass(long millis) {
        duties.advance(millis);
    }

    public long now() {
        return clock.wallMillis();
    }

    // ---- clients

    public FakeConnection connect() {
        return new FakeConnection(++connections);
    }

    public FakeConnection producer(String group) {
        FakeConnection connection = connect();
        heartbeat(connection, "client-" + connection.id(), group);
        return connection;
    }

    public void heartbeat(FakeConnection connection, String clientId, String producerGroup) {
        HeartbeatData heartbeat = new HeartbeatData(clientId, List.of(), List.of(producerGroup));
        request(
                connection,
                Command.request(RequestCode.HEART_BEAT).body(heartbeat.toJson()).build());
    }

    public void gone(FakeConnection connection) {
        connection.close();
        new MembershipEnds(members).closed(connection);
    }

    /** Hands a request over; what it starts runs with the next {@link #step} or {@link #settle}. */
    public FakeRequest submit(FakeConnection connection, Command command) {
        FakeRequest request = new FakeRequest(command, connection);
        handler.handle(request);
        return request;
    }

    /** Hands in a request and runs what is due; its reply may still be open. */
    public FakeRequest begin(FakeConnection connection, Command command) {
        FakeRequest request = new FakeRequest(command, connection);
        handler.handle(request);
        settle();
        return request;
    }

    /** The reply, null for none. */
    public Command request(FakeConnection connection, Command command) {
        FakeRequest request = new FakeRequest(command, connection);
        handler.handle(request);
        settle();
        return request.reply();
    }

    // ---- messages

    public void topic(String name, int queues) {
        topics.put(Topics.config(name, queues, 6), change -> {
            if (change.isRefused()) {
                throw new AssertionError(change.text());
            }
        });
        settle();
    }

    public static Map<String, String> properties(String uniqueKey, String... more) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, uniqueKey);
        properties.put(MessageProperties.WAIT, "true");
        for (int i = 0; i < more.length; i += 2) {
            properties.put(more[i], more[i + 1]);
        }
        return properties;
    }

    public MessageDraft.Builder draft(String topic, int queueId, String body) {
        return MessageDraft.builder()
                .topic(topic)
                .queueId(queueId)
                .flag(42)
                .bornTimestamp(now() - 3)
                .bornHost(new InetSocketAddress("127.0.0.1", 4711))
                .storeHost(HOST)
                .body(body.getBytes(StandardCharsets.UTF_8));
    }

    /** Stores a visible message. */
    public Stored put(String topic, int queueId, String body, Map<String, String> properties) {
        MessageDraft draft = draft(topic, queueId, body).properties(properties).build();
        return stored(done -> store.messages().append(draft, done));
    }

    /** A half message of somebody who is gone; its handle. */
    public long half(String producerGroup, String topic, int queueId, Map<String, String> properties) {
        FakeConnection nobody = connect();
        nobody.close();
        return half(nobody, producerGroup, topic, queueId, properties);
    }

    /** Sends a half message; its handle. */
    public long half(
            FakeConnection from, String producerGroup, String topic, int queueId, Map<String, String> properties) {
        properties.put(MessageProperties.TRAN_MSG, "true");
        properties.put(MessageProperties.PGROUP, producerGroup);
        MessageDraft.Builder draft = draft(topic, queueId, "half of " + properties.get(MessageProperties.UNIQ_KEY));
        HalfMessage half = halves.prepare(draft, 4, producerGroup, properties, from);
        return stored(done -> halves.append(half, null, done)).position();
    }

    /** Sends a delayed message; its recall handle. */
    public String delayed(String topic, int queueId, String body, Map<String, String> properties) {
        Delay delay = delays.delayOf(properties, now());
        if (!delay.isDue()) {
            throw new AssertionError(delay);
        }
        MessageDraft message = delays.prepare(delay, draft(topic, queueId, body), topic, queueId, properties);
        stored(done -> delays.append(null, message, delay.dueMillis(), done));
        return delays.recallHandle(topic, delay.dueMillis(), message.uniqueKey());
    }

    public interface Change {
        void apply(Completion done);
    }

    public Stored stored(Change change) {
        Outcome outcome = outcome(change);
        if (outcome instanceof Stored stored) {
            return stored;
        }
        throw new AssertionError(outcome);
    }

    public Outcome outcome(Change change) {
        AtomicReference<Outcome> outcome = new AtomicReference<>();
        change.apply(outcome::set);
        settle();
        return outcome.get();
    }

    /** What consumers can read of a queue. */
    public List<Message> visible(String topic, int queueId) {
        List<Message> messages = new ArrayList<>();
        long offset = store.queues().offsetRange(topic, queueId).minOffset();
        while (true) {
            ReadResult read = store.queues().readQueue(topic, queueId, offset, 1_000, 1 << 20, null, null);
            if (read.status() != ReadResult.Status.FOUND) {
                return messages;
            }
            for (ByteBuffer slice : read.slices()) {
                messages.addAll(Message.decodeAll(slice));
            }
            offset = read.nextOffset();
        }
    }

    /** Their unique keys. */
    public List<String> visibleKeys(String topic, int queueId) {
        return visible(topic, queueId).stream().map(Message::uniqueKey).toList();
    }
}
