/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.Names;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the queues of a push consumer equal to its share. One thread at a time under {@code rebalancing}, which is taken before any queue's own lock; wishes
 * that come meanwhile are one further round, and what did not work is tried again soon.
 */
final class Rebalancer {
    private static final Logger LOG = LoggerFactory.getLogger(Rebalancer.class);
    /** Looks for the retry topic's route quickly so often; then with the ordinary rhythm. */
    private static final int QUICK_RETRY_TOPIC_LOOKS = 30;

    private final PushSettings settings;
    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final GroupApi groups;
    private final ConsumerGroup consumerGroup;
    private final ProcessQueues queues;
    private final QueueAssignment assignment;
    private final String retryTopic;
    private final Object rebalancing = new Object();
    private final Object assignmentSignal = new Object();
    private final AtomicInteger wanted = new AtomicInteger();
    private final AtomicBoolean wantedSoon = new AtomicBoolean();
    private final AtomicInteger retryTopicLooks = new AtomicInteger();

    Rebalancer(
            PushSettings settings,
            ClientRuntime runtime,
            RouteCache routes,
            GroupMembership membership,
            GroupApi groups,
            ConsumerGroup consumerGroup,
            ProcessQueues queues,
            QueueAssignment assignment) {
        this.settings = settings;
        this.runtime = runtime;
        this.routes = routes;
        this.membership = membership;
        this.groups = groups;
        this.consumerGroup = consumerGroup;
        this.queues = queues;
        this.assignment = assignment;
        this.retryTopic = Names.retryTopic(settings.group());
    }

    /** A route has changed. */
    void routeChanged(Route route) {
        if (consumerGroup.subscriptions().containsKey(route.topic())) {
            request();
        }
    }

    /** Rebalances soon, on a control thread. Any thread; also called when the broker says that the members have changed. */
    void request() {
        if (!queues.isClosing() && wanted.getAndIncrement() == 0) {
            onControl(() -> {
                int seen;
                do {
                    seen = wanted.get();
                    rebalance();
                } while (!wanted.compareAndSet(seen, 0));
            });
        }
    }

    /** Runs a step that may block. */
    void onControl(Runnable step) {
        try {
            runtime.control().execute(step);
        } catch (RejectedExecutionException e) {
            LOG.debug("no control thread for group {}: the client is closing", settings.group());
        }
    }

    private void requestSoon() {
        if (!queues.isClosing() && wantedSoon.compareAndSet(false, true)) {
            runtime.timers().after(runtime.timeouts().retryDelay(), () -> {
                wantedSoon.set(false);
                request();
            });
        }
    }

    /** Rebalances now. Blocks. */
    void rebalance() {
        boolean settled = true;
        synchronized (rebalancing) {
            if (queues.isClosing()) {
                return;
            }
            for (String topic : consumerGroup.subscriptions().keySet()) {
                try {
                    settled &= rebalance(topic);
                } catch (RuntimeException e) {
                    LOG.warn(
                            "rebalancing {} of group {} failed; trying again: {}",
                            topic,
                            settings.group(),
                            e.getMessage());
                    settled = false;
                }
            }
        }
        synchronized (assignmentSignal) {
            assignmentSignal.notifyAll();
        }
        if (!settled) {
            requestSoon();
        }
    }

    /** True if the share of this topic is as it should be. */
    private boolean rebalance(String topic) {
        Route route;
        try {
            route = ClientExceptions.await(routes.find(topic), "finding topic " + topic, false);
        } catch (WaybillException e) {
            if (e.kind() != WaybillException.Kind.NOT_FOUND) {
                throw e;
            }
            return topic.equals(retryTopic) && retryTopicLooks.incrementAndGet() > QUICK_RETRY_TOPIC_LOOKS;
        }
        if (route.readable().isEmpty()) {
            return false;
        }
        if (settings.broadcast()) {
            membership.announce(routes.masters(route)).join();
            return assignment.assign(topic, route.readable());
        }
        List<String> members = members(route);
        if (members == null) {
            return false;
        }
        return assignment.assign(topic, QueueAllocation.average(route.readable(), members, runtime.clientId()));
    }

    /** The members as the first broker that answers knows them, or null if it does not know us. */
    private List<String> members(Route route) {
        for (String address : routes.masters(route)) {
            try {
                membership.announce(address).join();
                List<String> members = groups.members(address, settings.group()).join();
                if (!members.contains(runtime.clientId())) {
                    membership.heartbeat(address).join();
                    members = groups.members(address, settings.group()).join();
                }
                if (members.contains(runtime.clientId())) {
                    return members;
                }
            } catch (RuntimeException e) {
                LOG.debug("{} does not tell the members of {}: {}", address, settings.group(), e.getMessage());
            }
        }
        return null;
    }

    /** Waits until there are queues of each topic; false if that did not happen in time. */
    boolean await(Duration timeout) {
        long end = runtime.clock().nanoTime() + timeout.toNanos();
        synchronized (assignmentSignal) {
            while (!queues.hasEach(settings.subscriptions().keySet())) {
                long left = (end - runtime.clock().nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return false;
                }
                try {
                    assignmentSignal.wait(left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * Renews the locks of an ordered consumer and gives up queues whose lock is lost. Blocks.
     *
     * @param held hears of each queue whose lock is renewed
     */
    void renewLocks(QueueLocks locks, Consumer<ProcessQueue> held) {
        synchronized (rebalancing) {
            if (queues.isClosing() || queues.isEmpty()) {
                return;
            }
            long nanos = runtime.clock().nanoTime();
            Set<MessageQueue> locked = new HashSet<>(locks.lock(List.copyOf(queues.names())));
            for (ProcessQueue queue : queues.all()) {
                if (locked.contains(queue.queue)) {
                    queue.locked(nanos);
                    held.accept(queue);
                } else if (!queue.isLockFresh(
                        runtime.clock().nanoTime(), runtime.timeouts().lockLife())) {
                    LOG.warn("group {} has lost the lock of {}", settings.group(), queue.queue);
                    assignment.giveUp(queue);
                    requestSoon();
                }
            }
        }
    }

    /**
     * Gives up all queues and waits until the brokers have their offsets.
     *
     * @param idle whether no handler runs any more
     */
    void close(boolean idle) {
        synchronized (rebalancing) {
            ClientExceptions.await(
                    assignment.close(idle), "committing the progress of group " + settings.group(), false);
        }
    }
}
