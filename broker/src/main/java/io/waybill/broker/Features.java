/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.broker.admin.AskClients;
import io.waybill.broker.admin.BrokerAdminFeature;
import io.waybill.broker.admin.ConsumerProgress;
import io.waybill.broker.admin.GroupAdminFeature;
import io.waybill.broker.admin.GroupRequests;
import io.waybill.broker.admin.RuntimeFigures;
import io.waybill.broker.admin.TopicUses;
import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.GroupFeature;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.MembershipListener;
import io.waybill.broker.insight.GroupState;
import io.waybill.broker.insight.Insight;
import io.waybill.broker.insight.InsightStoreAccess;
import io.waybill.broker.insight.QuarantinedKeys;
import io.waybill.broker.lock.QueueLocks;
import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.longpoll.RuleChange;
import io.waybill.broker.offset.OffsetFeature;
import io.waybill.broker.offset.OffsetListener;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pop.AssignmentFeature;
import io.waybill.broker.pop.PopFeature;
import io.waybill.broker.pop.PopStoreAccess;
import io.waybill.broker.pull.DeliveryInterceptors;
import io.waybill.broker.pull.PullFeature;
import io.waybill.broker.pull.SubscriptionConflictFeature;
import io.waybill.broker.pull.SubscriptionConflictStoreAccess;
import io.waybill.broker.quarantine.Quarantine;
import io.waybill.broker.quarantine.QuarantineFeature;
import io.waybill.broker.quarantine.QuarantineStoreAccess;
import io.waybill.broker.query.QueryFeature;
import io.waybill.broker.request.AdminChanges;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.retry.ClientRetryPublisher;
import io.waybill.broker.retry.SendBack;
import io.waybill.broker.retry.SendBackStoreAccess;
import io.waybill.broker.route.NameServers;
import io.waybill.broker.route.PublicationQueue;
import io.waybill.broker.route.Registration;
import io.waybill.broker.send.MessageStamp;
import io.waybill.broker.send.SendFeature;
import io.waybill.broker.send.SendReplies;
import io.waybill.broker.setaside.DeadLetterAdmin;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.broker.settings.TransactionSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.timer.RecallMessage;
import io.waybill.broker.timer.RecallSigner;
import io.waybill.broker.timer.TimerDispatcher;
import io.waybill.broker.timer.TimerFeature;
import io.waybill.broker.topic.TopicFeature;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.broker.transaction.TransactionChecks;
import io.waybill.broker.transaction.TransactionFeature;
import io.waybill.broker.transaction.TransactionResolver;
import io.waybill.broker.transaction.TransactionStoreAccess;
import io.waybill.platform.Clock;
import io.waybill.platform.Platform;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Connection;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * All features of a broker on one store, without the sockets: what {@link Broker} serves, and what tests drive directly. One tenure: store, lanes and
 * members outlive it, and after {@link #stop} nothing of them knows it, and another one may begin. Composition only.
 */
final class Features {
    private final Platform platform;
    private final Store store;
    private final ClientRegistry members;
    private final MembershipListener membership;
    // Seen by tests, which ask them without a request.
    final Topics topics;
    final Offsets offsets;
    final DeliveryInterceptors interceptors = new DeliveryInterceptors();
    final PullFeature pulls;
    final PopFeature pops;
    private final Registration registration;
    private final QuarantineFeature quarantine;
    private final Departure departure;
    private final RequestHandler handler;
    private final List<Feature> features = new ArrayList<>();
    private final BackgroundDuties background = new BackgroundDuties();

    /**
     * @param lanes outlive them, as the store does
     * @param members who is connected; outlive them, too
     * @param address where clients reach this broker, resolved
     * @param nameConflictListener is notified that another living broker has this one's name, and with null when that is over
     */
    Features(
            Store store,
            BrokerSettings settings,
            Platform platform,
            Lanes lanes,
            ClientRegistry members,
            InetSocketAddress address,
            NameServers nameServers,
            Consumer<String> nameConflictListener) {
        this.platform = platform;
        this.store = store;
        this.members = members;
        Clock clock = platform.clock();
        String broker = settings.brokerName();
        Executor blocking = lanes.executor(Lane.BLOCKING);

        PublicationQueue publications = new PublicationQueue(settings.registration());
        topics = new Topics(store.queues(), store.timers(), store.catalog(), store.clock(), settings, publications);
        Groups groups = new Groups(store.catalog(), store.clock(), settings);
        QueueLocks locks = new QueueLocks(
                store.locks(),
                clock,
                settings.groups().lockExpiryMillis(),
                broker,
                queue -> topics.hasQueue(queue.topic(), queue.queueId()),
                members::clientId);
        offsets = new Offsets(
                store.queues(),
                store.offsets(),
                store.clock(),
                settings,
                group -> members.consumerGroup(group) != null,
                locks);
        DeliveryLog deliveries = new DeliveryLog(
                store.deliveries()::recordDeliveries,
                store.deliveries()::deliveriesOf,
                members::clientId,
                store.clock()::nowMillis);
        offsets.addListener(new OffsetListener() {
            @Override
            public void committed(
                    String group, String topic, int queueId, long before, long offset, Connection connection) {
                deliveries.committed(group, topic, queueId, before, offset, connection);
            }
        });
        Stats stats = new Stats(clock);
        store.messages().onStored(stats::stored);
        registration = new Registration(
                nameServers,
                publications,
                topics,
                settings,
                address.getAddress().getHostAddress() + ":" + address.getPort(),
                clock,
                nameConflictListener);

        TimerSettings timers = settings.timers();
        RecallSigner signer = RecallSigner.of(store.catalog(), platform.random());
        DelayedMessageWriter delays =
                new DelayedMessageWriter(store.timers(), store.clock(), timers, broker, signer, topics::readableQueue);
        TransactionSettings transactions = settings.transactions();
        TransactionResolver decisions =
                new TransactionResolver(store.transactions(), store.conflicts(), store.clock(), clock, delays);
        Wakeup timerWakeup = new Wakeup();
        TransactionChecks checks = new TransactionChecks(
                store.messages(), store.transactions(), decisions, clock, transactions, members, broker, timerWakeup);
        HalfMessageWriter halves =
                new HalfMessageWriter(store.transactions(), clock, transactions, delays, members, checks);
        TimerDispatcher dispatcher = new TimerDispatcher(
                store.messages(),
                store.timers(),
                store.status(),
                store.clock(),
                clock,
                checks,
                topics::readableQueue,
                timerWakeup);
        store.timers().onDueEarlier(timerWakeup::wake);
        Rules rules = new Rules();
        ReadRules readRules = new ReadRules(topics, groups, members, rules, clock);
        Deliveries delivered = new Deliveries(deliveries, stats);
        SubscriptionConflictFeature conflicts = new SubscriptionConflictFeature(
                new SubscriptionConflictStoreAccess(
                        store.queues(), store.messages(), store.timers(), store.pops(), store.clock()),
                topics,
                offsets,
                readRules,
                delivered,
                lanes,
                broker,
                clock);
        quarantine = new QuarantineFeature(
                new QuarantineStoreAccess(
                        store.queues(),
                        store.messages(),
                        store.catalog(),
                        store.pops(),
                        store.settlements(),
                        store.clock()),
                topics,
                offsets,
                group -> groups.find(group) != null,
                rules,
                clock,
                lanes);
        interceptors.add(conflicts.interceptor());
        interceptors.add(quarantine.interceptor());
        ClientRetryPublisher retries =
                new ClientRetryPublisher(groups, locks::isOrdered, members::nameOf, clock, quarantine.failures());

        pulls = new PullFeature(store.queues(), offsets, readRules, interceptors, delivered, lanes, settings, clock);
        pops = new PopFeature(
                new PopStoreAccess(store.queues(), store.offsets(), store.pops(), store.clock()),
                topics,
                offsets,
                readRules,
                delivered,
                lanes,
                settings,
                platform);
        store.queues().onVisible((topic, queueId, newMaxOffset) -> {
            pulls.longPolling().wake(topic, queueId);
            pops.longPolling().wake(topic, queueId);
        });
        topics.addListener(topic -> rulesChanged(rules, RuleChange.ofTopic(topic)));
        groups.addListener(group -> rulesChanged(rules, RuleChange.ofGroup(group)));
        membership = new MembershipListener() {
            @Override
            public void producerJoined(String group, ClientChannelInfo member) {
                checks.producerRegistered(group, member);
            }

            @Override
            public void producerLeft(String group, String clientId) {
                checks.producerLeft(group, clientId);
            }

            @Override
            public void subscriptionChanged(String group, Connection connection) {
                rulesChanged(rules, RuleChange.ofSubscription(group, connection));
            }

            @Override
            public void conflict(ConsumerGroup group) {
                conflicts.conflictFound(group);
            }

            @Override
            public boolean wantsNotices(String group) {
                return groups.wantsNotices(group);
            }
        };

        Routes routes = new Routes(lanes);
        MessageStamp stamp = new MessageStamp(settings, platform, store.clock(), address);
        SendReplies replies = new SendReplies(stamp, store.messages(), delays, stats, lanes);
        features.add(dispatcher);
        features.add(locks);
        features.add(new SendFeature(
                store.messages(), topics, halves, delays, retries, members::connectionOf, stamp, replies));
        features.add(pulls);
        features.add(conflicts);
        features.add(pops);
        features.add(new AssignmentFeature(store.catalog(), topics, members, nameServers, settings, clock));
        features.add(new GroupFeature(groups, members, topics, lanes));
        features.add(new OffsetFeature(store.queues(), offsets, topics, group -> groups.find(group) != null, lanes));
        TopicUses uses =
                new TopicUses(store.queues(), store.messages(), store.transactions(), store.timers(), members, offsets);
        features.add(new TopicFeature(topics, uses::of, uses::ofQueues, clock, lanes));
        TransactionFeature halfRequests = new TransactionFeature(
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
                broker,
                lanes);
        features.add(halfRequests);
        features.add(new TimerFeature(
                store.messages(), store.transactions(), store.timers(), store.status(), clock, timers, broker, lanes));
        features.add(new RecallMessage(store.timers(), timers, broker, signer, topic -> topics.find(topic) != null));
        features.add(new SendBack(
                new SendBackStoreAccess(store.messages(), store.transactions(), store.timers()),
                topics,
                groups,
                timers.levels(),
                clock,
                platform.random(),
                members::nameOf,
                stats));
        features.add(new QueryFeature(store.queues(), store.messages(), members::subscription));
        features.add(new GroupAdminFeature(store.queues(), store.clock(), topics, groups, members, offsets, broker));
        features.add(new GroupRequests(groups, offsets, quarantine::forget, lanes));
        features.add(new AskClients(store.messages(), topics, groups, members, broker, lanes));
        features.add(new BrokerAdminFeature(store.queues(), store.status(), topics, offsets, stats, settings));
        features.add(new RuntimeFigures(
                store.queues(),
                store.transactions(),
                store.timers(),
                store.status(),
                store.clock(),
                stats,
                members,
                clock));
        features.add(new ConsumerProgress(
                store.queues(),
                topics,
                groups,
                members,
                offsets,
                stats,
                broker,
                address.getAddress().getHostAddress() + ":" + address.getPort()));
        features.add(new DeadLetterAdmin(
                store.queues(),
                store.messages(),
                store.settlements(),
                topics,
                clock,
                platform.random(),
                settings.messages().maxBytes(),
                lanes));
        features.add(quarantine);
        InsightStoreAccess reads = new InsightStoreAccess(
                store.queues(),
                store.messages(),
                store.transactions(),
                store.conflicts(),
                store.timers(),
                store.pops(),
                store.settlements(),
                store.status(),
                store.clock());
        GroupState state =
                new GroupState(reads, topics, groups, members, offsets, deliveries, locks, this::quarantinedKey);
        features.add(new Insight(reads, state, halfRequests::rolledBack, broker));
        features.add(Feature.background(stats));
        features.add(Feature.background(deliveries));
        features.add(registration);
        departure = new Departure(
                store.status(), this::leave, clock, settings.registration().timeoutMillis());
        features.add(departure);
        for (Feature feature : features) {
            feature.routes(routes);
            feature.duties(background);
        }
        handler = routes.handler(new AdminChanges(
                new AdminLog(clock), (group, connection) -> members.memberOn(group, connection) != null));
        // Last: whoever is known to others is complete.
        members.addListener(membership);
    }

    private QuarantinedKeys.Since quarantinedKey(String group, String topic, String key) {
        Quarantine.Known known = quarantine.find(group, topic, key);
        return known == null ? null : new QuarantinedKeys.Since(known.sinceMillis(), known.reason());
    }

    /** The change is in force: what waits is decided anew. */
    private void rulesChanged(Rules rules, RuleChange change) {
        rules.changed();
        pulls.longPolling().decideAnew(change);
        pops.longPolling().decideAnew(change);
    }

    RequestHandler handler() {
        return handler;
    }

    /** Starts the background duties. */
    void start() {
        background.start(platform.duties());
    }

    void connectionClosed(Connection connection) {
        features.forEach(feature -> feature.closed(connection));
    }

    /** Completes when every name server knows this broker, or did not answer in time. */
    CompletableFuture<Void> registered() {
        return registration.registerNow();
    }

    /** The sentence about another living broker of this name; null when there is none. */
    String nameConflict() {
        return registration.conflict();
    }

    /** Takes the broker off the name servers and lets go of the pulls that wait. */
    CompletableFuture<Void> leave() {
        CompletableFuture<Void> gone = registration.unregister();
        pulls.longPolling().releaseAll();
        pops.longPolling().releaseAll();
        return gone;
    }

    /** Completes with the reason once the store froze and this broker has left because of it. */
    CompletableFuture<String> gone() {
        return departure.gone();
    }

    /** Ends the duties; what groups committed last is handed to the store. Neither the store nor the members know this tenure any more. */
    void stop() {
        members.removeListener(membership);
        store.queues().onVisible((topic, queueId, newMaxOffset) -> {});
        store.messages().onStored((topic, messages, bytes) -> {});
        store.timers().onDueEarlier(() -> {});
        store.status().onFrozen(() -> {});
        background.close();
        features.forEach(Feature::stop);
    }
}
