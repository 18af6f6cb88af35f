/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.group.GroupMember;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.group.RunningInfo;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.ClientTimeouts;
import io.waybill.client.internal.runtime.PendingCalls;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The push consumer that owns queues: those of its share of a group, or for a broadcast consumer all of them. It puts the parts together and starts and
 * stops them; the {@link Rebalancer} takes queues, the {@link QueueFetcher} fetches from them, a {@link DeliveryOrder} calls the handler, the
 * {@link OffsetCommitter} keeps how far it is.
 */
public final class QueuePushConsumer implements PushConsumer, GroupMember {
    private static final Logger LOG = LoggerFactory.getLogger(QueuePushConsumer.class);

    private final PushSettings settings;
    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final GroupApi groups;
    private final MemberRegistry registry;
    private final ConsumerGroup consumerGroup;
    private final RunningInfo info;
    private final ProcessQueues queues = new ProcessQueues();
    private final ConsumeExecutor executor;
    private final HandlerInvoker invoker;
    private final PendingCalls returns;
    private final OffsetCommitter committer;
    private final QueueFetcher fetcher;
    private final QueueLocks locks;
    private final QueueAssignment assignment;
    private final Rebalancer rebalancer;
    private final DeliveryOrder delivery;
    private final Consumer<Route> routeListener;
    private final List<Timers.Timer> rhythm = new ArrayList<>();

    public QueuePushConsumer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            PushSettings settings) {
        this.settings = settings;
        this.runtime = runtime;
        this.routes = routes;
        this.membership = membership;
        this.groups = new GroupApi(connections);
        this.registry = registry;
        String group = settings.group();
        Map<String, SubscriptionFilter> subscriptions = new LinkedHashMap<>(settings.subscriptions());
        if (!settings.broadcast()) {
            subscriptions.put(Names.retryTopic(group), SubscriptionFilter.ALL);
        }
        long startedMillis = runtime.clock().wallMillis();
        this.consumerGroup = new ConsumerGroup(
                group,
                ConsumerData.CONSUME_PASSIVELY,
                settings.broadcast(),
                settings.start(),
                subscriptions,
                startedMillis);
        this.info = new RunningInfo(
                connections.nameServers(), consumerGroup, settings.ordered(), settings.threads(), startedMillis);
        this.executor = new ConsumeExecutor(runtime.listeners(), settings.threads(), runtime.timers());
        this.invoker = new HandlerInvoker(group, settings.handler(), runtime.clock());
        this.returns = new PendingCalls("the consumer of group " + group);
        OffsetApi offsets = new OffsetApi(connections);
        ConsumeApi api = new ConsumeApi(connections);
        this.committer = new OffsetCommitter(group, routes, offsets, localOffsets(settings));
        this.fetcher = new QueueFetcher(
                runtime, connections, routes, consumerGroup, queues, committer, invoker.metrics(), this::deliver);
        DeliveryParts parts = new DeliveryParts(settings, runtime, routes, api, executor, invoker, returns, fetcher);
        this.delivery = settings.ordered() ? new OrderedDelivery(parts) : new ConcurrentDelivery(parts);
        this.locks = new QueueLocks(group, runtime, routes, api);
        this.assignment =
                new QueueAssignment(settings, runtime.clock(), routes, offsets, queues, committer, fetcher, locks);
        this.rebalancer =
                new Rebalancer(settings, runtime, routes, membership, groups, consumerGroup, queues, assignment);
        this.routeListener = rebalancer::routeChanged;
    }

    private static LocalOffsets localOffsets(PushSettings settings) {
        if (!settings.broadcast()) {
            return null;
        }
        return settings.directory() == null ? LocalOffsets.inMemory() : LocalOffsets.in(settings.directory());
    }

    private void deliver(ProcessQueue queue, List<InboundMessage> messages) {
        delivery.deliver(queue, messages);
    }

    /** Joins the group and begins. Waits for the brokers. */
    public void start() {
        join();
        routes.onChange(routeListener);
        ClientTimeouts timeouts = runtime.timeouts();
        Timers timers = runtime.timers();
        rhythm.add(timers.every(timeouts.rebalance(), rebalancer::request));
        rhythm.add(timers.every(timeouts.commit(), this::commitAll));
        if (delivery instanceof OrderedDelivery ordered) {
            ordered.refresh();
            rhythm.add(timers.every(
                    timeouts.lockRenewal(),
                    () -> rebalancer.onControl(() -> {
                        ordered.refresh();
                        rebalancer.renewLocks(locks, ordered::run);
                    })));
        } else {
            long limitMillis = settings.handlerTimeoutMillis();
            rhythm.add(timers.every(
                    Math.max(1, Math.min(limitMillis / 4, timeouts.commit())),
                    () -> invoker.giveUpAfter(limitMillis * 1_000_000)));
        }
        rebalancer.rebalance();
    }

    private void join() {
        membership.addConsumer(consumerGroup);
        try {
            Set<String> masters = new TreeSet<>();
            for (String topic : settings.subscriptions().keySet()) {
                try {
                    Route route = ClientExceptions.await(routes.find(topic), "finding topic " + topic, false);
                    masters.addAll(routes.masters(route));
                    if (consumerGroup.subscriptions().get(topic).isSql()) {
                        groups.checkFilter(routes.masters(route), runtime.clientId(), consumerGroup, topic);
                    }
                    assignment.existAtStart(route.readable());
                } catch (WaybillException e) {
                    if (e.kind() != WaybillException.Kind.NOT_FOUND) {
                        throw e;
                    }
                    LOG.warn("topic {} does not exist yet; group {} waits for it", topic, settings.group());
                }
            }
            try {
                membership.announce(masters).join();
            } catch (RuntimeException e) {
                throw ClientExceptions.explained(e, "joining group " + settings.group());
            }
        } catch (RuntimeException e) {
            membership.removeConsumer(settings.group());
            throw e;
        }
    }

    @Override
    public String group() {
        return settings.group();
    }

    @Override
    public Set<MessageQueue> assignment() {
        return queues.names();
    }

    @Override
    public int cachedMessages() {
        return queues.all().stream().mapToInt(ProcessQueue::openMessages).sum();
    }

    @Override
    public boolean awaitAssignment(Duration timeout) {
        return rebalancer.await(timeout);
    }

    @Override
    public void pause() {
        queues.paused(true);
        executor.pause();
    }

    @Override
    public void resume() {
        queues.paused(false);
        executor.resume();
        queues.all().forEach(fetcher::fetch);
    }

    private void commitAll() {
        queues.all().forEach(committer::commit);
        if (committer.isLocal()) {
            rebalancer.onControl(committer::save);
        }
    }

    // ---- what a broker asks

    @Override
    public void membersChanged() {
        rebalancer.request();
    }

    @Override
    public void reset(Map<MessageQueue, Long> offsets) {
        offsets.forEach((name, offset) -> {
            ProcessQueue queue = queues.get(name);
            if (queue != null) {
                fetcher.moveTo(queue, offset);
            }
        });
    }

    @Override
    public Map<MessageQueue, Long> positions(String topic) {
        Map<MessageQueue, Long> positions = new TreeMap<>();
        queues.forEach((name, queue) -> {
            if (name.topic().equals(topic)) {
                positions.put(name, queue.progress());
            }
        });
        return positions;
    }

    @Override
    public ConsumerRunningInfo runningInfo(String stacks) {
        Map<io.waybill.protocol.body.MessageQueue, ConsumerRunningInfo.QueueInfo> held = new LinkedHashMap<>();
        long nowNanos = runtime.clock().nanoTime();
        long nowMillis = runtime.clock().wallMillis();
        long lockLife = runtime.timeouts().lockLife();
        queues.forEach((name, queue) -> held.put(
                WireQueues.toWire(name),
                queue.info(settings.ordered() && queue.isLockFresh(nowNanos, lockLife), nowNanos, nowMillis)));
        return info.with(held, Map.of(), invoker.metrics().snapshot(), stacks);
    }

    @Override
    public ConsumeDirectlyResult consumeOnce(InboundMessage message) {
        return invoker.once(message, settings.ordered());
    }

    @Override
    public void close() {
        if (!queues.beginClose()) {
            return;
        }
        rhythm.forEach(Timers.Timer::cancel);
        routes.removeListener(routeListener);
        boolean idle = executor.close(runtime.timeouts().closeWait(), runtime.clock());
        if (!idle) {
            LOG.warn("a handler of group {} still runs; its message will come again", settings.group());
        }
        returns.close(runtime.timeouts().callTimeout(), runtime.clock());
        rebalancer.close(idle);
        ClientExceptions.await(membership.removeConsumer(settings.group()), "leaving group " + settings.group(), false);
        registry.forgetConsumer(this);
    }
}
