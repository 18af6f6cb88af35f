/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Filter;
import io.waybill.client.Groups;
import io.waybill.client.MessageHandler;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.message.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The push consumer: keeps one {@link AssignedQueue} for each queue of its share, each with one held pull, and hands messages to {@link Workers}.
 *
 * <p>Rebalancing is done by one thread at a time under {@code rebalancing}, which is taken before any queue's own lock. Pull answers arrive on I/O
 * threads and never block.
 */
final class PushConsumerCore implements PushConsumer, Member {
    private static final Logger LOG = LoggerFactory.getLogger(PushConsumerCore.class);
    private static final int PULL_MESSAGES = 32;
    private static final long FLOW_CONTROL_PAUSE_MILLIS = 20;
    private static final long EMPTY_ANSWER_PAUSE_MILLIS = 100;
    private static final int LOCAL_RETRY_FACTOR = 5;
    private static final int REJECT_LEVEL = -1;
    /** Groups that have no quarantine. */
    private static final int NEVER = Integer.MAX_VALUE;
    /** Looks for the retry topic's route quickly so often; then with the ordinary rhythm. */
    private static final int QUICK_RETRY_TOPIC_LOOKS = 30;

    private final ClientCore client;
    private final Settings settings;
    private final Membership.Consumer membership;
    private final String retryTopic;
    private final Workers workers;
    private final Map<MessageQueue, AssignedQueue> queues = new ConcurrentHashMap<>();
    private final Object rebalancing = new Object();
    private final Object assignmentSignal = new Object();
    private final AtomicInteger rebalanceWanted = new AtomicInteger();
    private final AtomicBoolean rebalanceSoon = new AtomicBoolean();
    private final AtomicBoolean closing = new AtomicBoolean();
    private final AtomicInteger retryTopicLooks = new AtomicInteger();
    private final Set<MessageQueue> olderThanThis =
            ConcurrentHashMap.newKeySet(); // queues that existed when it started
    private final List<Timers.Timer> rhythm = new ArrayList<>();
    private final Consumer<Route> routeListener = this::routeChanged;
    private final InFlight returns;
    private final Handling handling;
    private final LocalOffsets local; // null = the broker keeps the progress
    private final long startedMillis;
    private volatile boolean paused;
    private volatile int quarantineAfter = NEVER;

    PushConsumerCore(ClientCore client, Settings settings) {
        this.client = client;
        this.settings = settings;
        this.retryTopic = Names.retryTopic(settings.group);
        Map<String, WireFilter> subscriptions = new LinkedHashMap<>(settings.subscriptions);
        if (!settings.broadcast) {
            subscriptions.put(retryTopic, WireFilter.ALL);
        }
        this.membership = new Membership.Consumer(
                settings.group,
                ConsumerData.CONSUME_PASSIVELY,
                settings.broadcast,
                settings.start,
                subscriptions,
                client.clock().wallMillis());
        this.workers = new Workers(client.threads().listeners, settings.threads, client.threads().timers);
        this.returns = new InFlight("the consumer of group " + settings.group);
        this.handling = new Handling(settings.group, settings.handler, client.clock());
        this.local = !settings.broadcast
                ? null
                : settings.directory == null ? LocalOffsets.inMemory() : LocalOffsets.in(settings.directory);
        this.startedMillis = client.clock().wallMillis();
    }

    void start() {
        client.membership().addConsumer(membership);
        try {
            Set<String> masters = new TreeSet<>();
            for (String topic : settings.subscriptions.keySet()) {
                try {
                    Route route = Failures.await(client.routes().find(topic), "finding topic " + topic, false);
                    masters.addAll(client.routes().masters(route));
                    if (membership.subscriptions().get(topic).isSql()) {
                        client.calls()
                                .checkFilters(client.routes().masters(route), client.clientId(), membership, topic);
                    }
                    olderThanThis.addAll(route.readable());
                } catch (WaybillException e) {
                    if (e.kind() != WaybillException.Kind.NOT_FOUND) {
                        throw e;
                    }
                    LOG.warn("topic {} does not exist yet; group {} waits for it", topic, settings.group);
                }
            }
            try {
                client.membership().announce(masters).join();
            } catch (RuntimeException e) {
                throw Calls.explained(e, "joining group " + settings.group);
            }
        } catch (RuntimeException e) {
            client.membership().removeConsumer(settings.group);
            throw e;
        }
        client.routes().onChange(routeListener);
        Timings timings = client.timings();
        Timers timers = client.threads().timers;
        rhythm.add(timers.every(timings.rebalance(), this::requestRebalance));
        rhythm.add(timers.every(timings.commit(), this::commitAll));
        if (settings.ordered) {
            readQuarantine();
            rhythm.add(timers.every(timings.lockRenewal(), () -> onControl(this::renewLocks)));
        } else {
            long limitNanos = settings.handlerTimeoutMillis * 1_000_000;
            rhythm.add(timers.every(
                    Math.max(1, Math.min(settings.handlerTimeoutMillis / 4, timings.commit())),
                    () -> handling.giveUpAfter(limitNanos)));
        }
        rebalance();
    }

    @Override
    public String group() {
        return settings.group;
    }

    @Override
    public Set<MessageQueue> assignment() {
        return new TreeSet<>(queues.keySet());
    }

    @Override
    public int cachedMessages() {
        return queues.values().stream().mapToInt(AssignedQueue::openMessages).sum();
    }

    @Override
    public boolean awaitAssignment(Duration timeout) {
        long end = client.clock().nanoTime() + timeout.toNanos();
        synchronized (assignmentSignal) {
            while (!hasQueuesOfEachTopic()) {
                long left = (end - client.clock().nanoTime()) / 1_000_000;
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

    private boolean hasQueuesOfEachTopic() {
        Set<String> topics = new HashSet<>();
        queues.keySet().forEach(queue -> topics.add(queue.topic()));
        return topics.containsAll(settings.subscriptions.keySet());
    }

    @Override
    public void pause() {
        paused = true;
        workers.pause();
    }

    @Override
    public void resume() {
        paused = false;
        workers.resume();
        queues.values().forEach(this::pull);
    }

    // ---- rebalance

    private void routeChanged(Route route) {
        if (membership.subscriptions().containsKey(route.topic())) {
            requestRebalance();
        }
    }

    /** Rebalances soon, on a control thread. Any thread; also called when the broker says that the members have changed. */
    void requestRebalance() {
        if (!closing.get() && rebalanceWanted.getAndIncrement() == 0) {
            onControl(() -> {
                int seen;
                do {
                    seen = rebalanceWanted.get();
                    rebalance();
                } while (!rebalanceWanted.compareAndSet(seen, 0));
            });
        }
    }

    private void onControl(Runnable step) {
        try {
            client.threads().control.execute(step);
        } catch (RejectedExecutionException e) {
            LOG.debug("no control thread for group {}: the client is closing", settings.group);
        }
    }

    private void rebalanceSoon() {
        if (!closing.get() && rebalanceSoon.compareAndSet(false, true)) {
            client.threads().timers.after(client.timings().retryDelay(), () -> {
                rebalanceSoon.set(false);
                requestRebalance();
            });
        }
    }

    private void rebalance() {
        boolean settled = true;
        synchronized (rebalancing) {
            if (closing.get()) {
                return;
            }
            for (String topic : membership.subscriptions().keySet()) {
                try {
                    settled &= rebalance(topic);
                } catch (RuntimeException e) {
                    LOG.warn(
                            "rebalancing {} of group {} failed; trying again: {}",
                            topic,
                            settings.group,
                            e.getMessage());
                    settled = false;
                }
            }
        }
        synchronized (assignmentSignal) {
            assignmentSignal.notifyAll();
        }
        if (!settled) {
            rebalanceSoon();
        }
    }

    /** True if the share of this topic is as it should be. */
    private boolean rebalance(String topic) {
        Route route;
        try {
            route = Failures.await(client.routes().find(topic), "finding topic " + topic, false);
        } catch (WaybillException e) {
            if (e.kind() != WaybillException.Kind.NOT_FOUND) {
                throw e;
            }
            return topic.equals(retryTopic) && retryTopicLooks.incrementAndGet() > QUICK_RETRY_TOPIC_LOOKS;
        }
        if (route.readable().isEmpty()) {
            return false;
        }
        if (settings.broadcast) {
            client.membership().announce(client.routes().masters(route)).join();
            return assign(topic, route.readable());
        }
        List<String> members = members(route);
        if (members == null) {
            return false;
        }
        return assign(topic, Allocation.average(route.readable(), members, client.clientId()));
    }

    /** The members as the first broker that answers knows them, or null if it does not know us. */
    private List<String> members(Route route) {
        for (String address : client.routes().masters(route)) {
            try {
                client.membership().announce(address).join();
                List<String> members =
                        client.calls().members(address, settings.group).join();
                if (!members.contains(client.clientId())) {
                    client.membership().heartbeat(address).join();
                    members = client.calls().members(address, settings.group).join();
                }
                if (members.contains(client.clientId())) {
                    return members;
                }
            } catch (RuntimeException e) {
                LOG.debug("{} does not tell the members of {}: {}", address, settings.group, e.getMessage());
            }
        }
        return null;
    }

    private boolean assign(String topic, List<MessageQueue> share) {
        Set<MessageQueue> wanted = new TreeSet<>(share);
        for (AssignedQueue queue : List.copyOf(queues.values())) {
            if (queue.queue.topic().equals(topic) && !wanted.contains(queue.queue)) {
                giveUp(queue);
            }
        }
        List<MessageQueue> missing = new ArrayList<>();
        for (MessageQueue queue : wanted) {
            if (!queues.containsKey(queue)) {
                missing.add(queue);
            }
        }
        boolean complete = true;
        long lockNanos = client.clock().nanoTime();
        List<MessageQueue> usable = settings.ordered ? lock(missing) : missing;
        complete &= usable.size() == missing.size();
        for (MessageQueue queue : usable) {
            AssignedQueue assigned;
            try {
                assigned = begin(queue);
            } catch (RuntimeException e) {
                LOG.warn("{} does not start yet: {}", queue, e.getMessage());
                complete = false;
                continue;
            }
            assigned.locked(lockNanos);
            queues.put(queue, assigned);
            LOG.info("group {} takes {} from offset {}", settings.group, queue, assigned.progress());
            pull(assigned);
        }
        return complete;
    }

    /** The group's progress, or else where a new group begins. */
    private AssignedQueue begin(MessageQueue queue) {
        String address = address(queue);
        OptionalLong committed = local != null
                ? local.find(queue)
                : client.calls().committed(address, settings.group, queue).join();
        if (committed.isPresent()) {
            return new AssignedQueue(queue, committed.getAsLong(), settings.maxCachedMessages, settings.maxCachedBytes);
        }
        // Everything in a queue that is younger than this consumer was sent "from now on"; and retries are never
        // skipped.
        boolean everything = settings.start.policy() == StartFrom.Policy.LAST && !olderThanThis.contains(queue)
                || queue.topic().equals(retryTopic);
        StartFrom start = everything ? StartFrom.FIRST : settings.start;
        AssignedQueue assigned = new AssignedQueue(
                queue,
                client.calls().offsetOf(address, queue, start).join(),
                settings.maxCachedMessages,
                settings.maxCachedBytes);
        commit(assigned); // so that a member that takes over soon does not begin anew, later
        return assigned;
    }

    private String address(MessageQueue queue) {
        String address = client.routes().master(queue.broker());
        if (address == null) {
            throw Failures.refused("finding broker " + queue.broker(), 17, "its address is not known", false);
        }
        return address;
    }

    /** The share has moved on to another member. Its progress goes first, then its lock. */
    private void giveUp(AssignedQueue queue) {
        if (queues.remove(queue.queue, queue)) {
            LOG.info("group {} gives up {}", settings.group, queue.queue);
            queue.drop(() -> release(queue));
        }
    }

    private CompletableFuture<Void> release(AssignedQueue queue) {
        CompletableFuture<Void> committed = commit(queue);
        if (!settings.ordered) {
            return committed;
        }
        return committed.thenCompose(done -> {
            String address = client.routes().master(queue.queue.broker());
            return address == null
                    ? CompletableFuture.<Void>completedFuture(null)
                    : client.calls()
                            .unlock(address, client.clientId(), settings.group, List.of(queue.queue))
                            .exceptionally(failure -> {
                                LOG.warn("{} stays locked for a minute: {}", queue.queue, failure.getMessage());
                                return null;
                            });
        });
    }

    // ---- locks

    private List<MessageQueue> lock(List<MessageQueue> wanted) {
        Map<String, List<MessageQueue>> byBroker = new TreeMap<>();
        wanted.forEach(queue -> byBroker.computeIfAbsent(queue.broker(), name -> new ArrayList<>())
                .add(queue));
        List<MessageQueue> locked = new ArrayList<>();
        byBroker.forEach((broker, list) -> {
            try {
                locked.addAll(client.calls()
                        .lock(address(list.get(0)), client.clientId(), settings.group, list)
                        .join());
            } catch (RuntimeException e) {
                LOG.warn("locking queues of {} failed: {}", broker, e.getMessage());
            }
        });
        locked.retainAll(wanted);
        return locked;
    }

    /** After how many failures a key is quarantined; asked anew now and then, since an operator may change it. */
    private void readQuarantine() {
        try {
            Route route = client.routes()
                    .find(settings.subscriptions.keySet().iterator().next())
                    .join();
            for (String address : client.routes().masters(route)) {
                String text = client.calls()
                        .groupConfig(address, settings.group)
                        .join()
                        .attributes()
                        .get(Groups.QUARANTINE_AFTER);
                quarantineAfter = text == null || text.isBlank() ? NEVER : Math.max(1, Integer.parseInt(text.strip()));
                return;
            }
        } catch (RuntimeException e) {
            LOG.debug("the quarantine setting of group {} is not known: {}", settings.group, e.getMessage());
        }
    }

    private void renewLocks() {
        readQuarantine();
        synchronized (rebalancing) {
            if (closing.get() || queues.isEmpty()) {
                return;
            }
            long nanos = client.clock().nanoTime();
            Set<MessageQueue> locked = new HashSet<>(lock(List.copyOf(queues.keySet())));
            for (AssignedQueue queue : List.copyOf(queues.values())) {
                if (locked.contains(queue.queue)) {
                    queue.locked(nanos);
                    run(queue);
                } else if (!lockIsFresh(queue)) {
                    LOG.warn("group {} has lost the lock of {}", settings.group, queue.queue);
                    giveUp(queue);
                    rebalanceSoon();
                }
            }
        }
    }

    private boolean lockIsFresh(AssignedQueue queue) {
        return queue.isLockFresh(client.clock().nanoTime(), client.timings().lockLife());
    }

    // ---- fetching

    private void pull(AssignedQueue queue) {
        if (paused || closing.get()) {
            return;
        }
        long offset = queue.beginPull();
        if (offset < 0) {
            return;
        }
        String address = client.routes().readAddress(queue.queue.broker(), queue.suggestedBroker());
        if (address == null) {
            pullFailed(queue, new IllegalStateException("the address of broker " + queue.queue.broker() + " is gone"));
            return;
        }
        long begin = client.clock().nanoTime();
        queue.pullsAt(begin);
        client.calls()
                .pull(
                        address,
                        new Calls.PullOrder(
                                settings.group,
                                queue.queue,
                                offset,
                                PULL_MESSAGES,
                                client.timings().pullHold(),
                                filter(queue.queue),
                                membership.version(),
                                local == null ? queue.uncommitted() : -1))
                .whenComplete((pulled, failure) -> {
                    try {
                        if (failure != null) {
                            pullFailed(queue, Failures.unwrap(failure));
                        } else {
                            pulled(queue, offset, pulled, client.clock().nanoTime() - begin);
                        }
                    } catch (RuntimeException e) {
                        pullFailed(queue, e);
                    }
                });
    }

    private WireFilter filter(MessageQueue queue) {
        return membership.subscriptions().get(queue.topic());
    }

    private void pullFailed(AssignedQueue queue, Throwable failure) {
        queue.pullFailed();
        if (closing.get() || queue.isDropped()) {
            return;
        }
        long pause = client.timings().retryDelay();
        if (failure instanceof Refusal refusal) {
            if (refusal.code() == ResponseCode.FLOW_CONTROL) {
                pause = FLOW_CONTROL_PAUSE_MILLIS;
            } else {
                LOG.warn("pulling {} was refused with {}: {}", queue.queue, refusal.code(), refusal.getMessage());
                client.routes().refresh(queue.queue.topic());
            }
        } else {
            LOG.info("pulling {} failed: {}", queue.queue, failure.getMessage());
        }
        client.threads().timers.after(pause, () -> pull(queue));
    }

    private void pulled(AssignedQueue queue, long asked, Calls.Pulled pulled, long tookNanos) {
        if (pulled.code() == ResponseCode.PULL_OFFSET_MOVED) {
            moved(queue, pulled.nextOffset());
            return;
        }
        handling.figures.pulled(queue.queue.topic(), pulled.messages().size(), tookNanos);
        WireFilter filter = filter(queue.queue);
        List<InboundMessage> matching = new ArrayList<>(pulled.messages().size());
        for (Message stored : pulled.messages()) {
            if (filter.matches(stored.tags())) {
                matching.add(new InboundMessage(stored, queue.queue, 0));
            }
        }
        if (!queue.pulled(matching, pulled.nextOffset(), pulled.suggestedBroker(), settings.ordered)) {
            return;
        }
        if (settings.ordered) {
            run(queue);
        } else {
            for (InboundMessage message : matching) {
                workers.submit(() -> handle(queue, message));
            }
        }
        boolean nothing = pulled.nextOffset() <= asked;
        if (nothing && tookNanos < EMPTY_ANSWER_PAUSE_MILLIS * 1_000_000) {
            // A broker that does not hold pulls must not be asked in a busy loop.
            client.threads().timers.after(EMPTY_ANSWER_PAUSE_MILLIS, () -> pull(queue));
        } else {
            pull(queue);
        }
    }

    /** The broker has moved the group, by a reset or because the offset is gone: go on there. */
    private void moved(AssignedQueue queue, long offset) {
        queue.pullFailed();
        LOG.info("group {} moves to offset {} in {}", settings.group, offset, queue.queue);
        AssignedQueue next =
                new AssignedQueue(queue.queue, offset, settings.maxCachedMessages, settings.maxCachedBytes);
        next.lockedLike(queue);
        if (queues.replace(queue.queue, queue, next)) {
            queue.drop(() -> {
                if (queues.get(next.queue) == next) {
                    commit(next);
                    pull(next);
                }
            });
        }
    }

    // ---- concurrent handling

    private void handle(AssignedQueue queue, InboundMessage message) {
        if (queue.isDropped()) {
            return;
        }
        ConsumeResult result = handling.invoke(message, () -> settle(queue, message, ConsumeResult.RETRY_LATER));
        if (result != null) {
            settle(queue, message, result);
        }
    }

    private void settle(AssignedQueue queue, InboundMessage message, ConsumeResult result) {
        switch (result.kind()) {
            case DONE -> {
                queue.doneAt(client.clock().nanoTime());
                Questions.reply(client, settings.group, message, result);
                done(queue, message);
            }
            case RETRY -> {
                if (local != null) {
                    againHere(queue, message, result.delay());
                } else {
                    giveBack(queue, message, Retries.level(result.delay()));
                }
            }
            case REJECTED -> {
                if (local != null) {
                    drop(queue, message, "rejected");
                } else {
                    giveBack(queue, message, REJECT_LEVEL);
                }
            }
        }
    }

    /** Broadcast: nobody else is to get it again. */
    private void againHere(AssignedQueue queue, InboundMessage message, Duration delay) {
        if (message.attempt() >= settings.maxAttempts) {
            drop(queue, message, "tried " + message.attempt() + " times");
            return;
        }
        client.threads()
                .timers
                .after(
                        delay == null ? client.timings().retryDelay() : delay.toMillis(),
                        () -> workers.submit(() -> handle(queue, message.again())));
    }

    private void drop(AssignedQueue queue, InboundMessage message, String why) {
        LOG.warn("group {} drops message {}: {}", settings.group, message.messageId(), why);
        done(queue, message);
    }

    private void done(AssignedQueue queue, InboundMessage message) {
        if (queue.done(message)) {
            pull(queue);
        }
    }

    /** Back to the broker, which delivers it again later; if that fails as a new message to the retry topic; if that fails too again from here. */
    private void giveBack(AssignedQueue queue, InboundMessage message, int delayLevel) {
        returns.begin();
        String address = client.routes().master(message.queue().broker());
        CompletableFuture<Void> back = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : client.calls().sendBack(address, settings.group, message, delayLevel, settings.maxRetries());
        back.handle((ok, failure) -> {
                    if (failure == null || address == null) {
                        return back;
                    }
                    LOG.warn("giving message {} back failed: {}", message.messageId(), failure.getMessage());
                    return client.calls()
                            .resend(
                                    address,
                                    settings.group,
                                    new MessageQueue(retryTopic, message.queue().broker(), 0),
                                    Retries.resend(message, retryTopic),
                                    message.stored().reconsumeTimes() + 1,
                                    settings.maxRetries());
                })
                .thenCompose(step -> step)
                .whenComplete((ok, failure) -> {
                    returns.end();
                    if (failure == null) {
                        done(queue, message);
                    } else if (!queue.isDropped()) {
                        client.threads()
                                .timers
                                .after(
                                        client.timings().retryDelay() * LOCAL_RETRY_FACTOR,
                                        () -> workers.submit(() -> handle(queue, message.again())));
                    }
                });
    }

    // ---- ordered handling

    private void run(AssignedQueue queue) {
        if (queue.beginRun()) {
            workers.submit(() -> step(queue));
        }
    }

    /** Handles the head of the line; the run goes on with the next step, or ends. */
    private void step(AssignedQueue queue) {
        InboundMessage head = lockIsFresh(queue) ? queue.head() : null;
        if (head == null) {
            endRun(queue);
            return;
        }
        ConsumeResult result = handling.invoke(head);
        if (result.isDone()) {
            queue.doneAt(client.clock().nanoTime());
            Questions.reply(client, settings.group, head, result);
            if (queue.headDone(head)) {
                pull(queue);
            }
            workers.submit(() -> step(queue));
        } else if (result.kind() == ConsumeResult.Kind.REJECTED || head.attempt() >= settings.maxAttempts) {
            toDeadLetters(queue, head);
        } else if (head.attempt() >= quarantineAfter && keyOf(head) != null) {
            quarantine(queue, head);
        } else {
            rest(queue, head, result.delay());
        }
    }

    private void endRun(AssignedQueue queue) {
        Runnable waiting = queue.endRun();
        if (waiting != null) {
            waiting.run();
        } else if (lockIsFresh(queue)) {
            run(queue); // something may have come between the look and the end
        }
    }

    private void rest(AssignedQueue queue, InboundMessage head, Duration delay) {
        queue.headAgain(head);
        long millis = delay == null ? settings.suspendMillis : delay.toMillis();
        client.threads().timers.after(millis, () -> workers.submit(() -> step(queue)));
    }

    private static String keyOf(InboundMessage message) {
        String key = message.orderingKey();
        return key != null
                ? key
                : message.keys().isEmpty() ? null : message.keys().get(0);
    }

    /** The key of a message that keeps failing is put aside by the broker; the queue goes on from here without it. */
    private void quarantine(AssignedQueue queue, InboundMessage head) {
        String key = keyOf(head);
        String address = client.routes().master(queue.queue.broker());
        CompletableFuture<Void> quarantined = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : client.calls().quarantine(address, settings.group, head, key, client.clientId());
        quarantined.whenComplete((ok, failure) -> {
            if (failure != null) {
                LOG.warn("key {} of group {} is not quarantined: {}", key, settings.group, failure.getMessage());
                rest(queue, head, null);
                return;
            }
            LOG.warn(
                    "group {} has quarantined key {} of {} after {} failures",
                    settings.group,
                    key,
                    queue.queue,
                    head.attempt());
            // What was fetched may hold more of the key. Fetched again it does not.
            moved(queue, head.offset());
            endRun(queue);
        });
    }

    private void toDeadLetters(AssignedQueue queue, InboundMessage head) {
        returns.begin();
        String address = client.routes().master(queue.queue.broker());
        CompletableFuture<Void> sent = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : client.calls().sendBack(address, settings.group, head, -1, settings.maxRetries());
        sent.whenComplete((ok, failure) -> {
            returns.end();
            if (failure != null) {
                LOG.warn("message {} cannot go to the dead letters: {}", head.messageId(), failure.getMessage());
                rest(queue, head, null);
                return;
            }
            if (queue.headDone(head)) {
                pull(queue);
            }
            workers.submit(() -> step(queue));
        });
    }

    // ---- progress

    private void commitAll() {
        queues.values().forEach(this::commit);
        if (local != null) {
            onControl(this::saveLocal);
        }
    }

    private void saveLocal() {
        try {
            local.save();
        } catch (IOException e) {
            LOG.warn("the progress of broadcast group {} is not saved: {}", settings.group, e.getMessage());
        }
    }

    /** Keeps the progress at the broker if it has changed; never fails. */
    private CompletableFuture<Void> commit(AssignedQueue queue) {
        long offset = queue.uncommitted();
        if (local != null) {
            if (offset >= 0) {
                local.put(queue.queue, offset);
                queue.committed(offset);
            }
            return CompletableFuture.completedFuture(null);
        }
        String address = client.routes().master(queue.queue.broker());
        if (offset < 0 || address == null) {
            return CompletableFuture.completedFuture(null);
        }
        return client.calls()
                .commit(address, settings.group, queue.queue, offset)
                .thenAccept(done -> queue.committed(offset))
                .exceptionally(failure -> {
                    LOG.info("committing {} of {} failed: {}", offset, queue.queue, failure.getMessage());
                    return null;
                });
    }

    // ---- what a broker asks

    @Override
    public void membersChanged() {
        requestRebalance();
    }

    @Override
    public void reset(Map<MessageQueue, Long> offsets) {
        offsets.forEach((name, offset) -> {
            AssignedQueue queue = queues.get(name);
            if (queue != null) {
                moved(queue, offset);
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
        long nowNanos = client.clock().nanoTime();
        long nowMillis = client.clock().wallMillis();
        new TreeMap<>(queues)
                .forEach((name, queue) -> held.put(
                        new io.waybill.protocol.body.MessageQueue(name.topic(), name.broker(), name.id()),
                        queue.info(settings.ordered && lockIsFresh(queue), nowNanos, nowMillis)));
        return new ConsumerRunningInfo(
                client.properties(membership, settings.ordered, settings.threads, startedMillis),
                membership.wireSubscriptions(),
                held,
                Map.of(),
                handling.figures.snapshot(),
                Map.of(),
                stacks);
    }

    @Override
    public ConsumeDirectlyResult consumeOnce(InboundMessage message) {
        return handling.once(message, settings.ordered);
    }

    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        rhythm.forEach(Timers.Timer::cancel);
        client.routes().removeListener(routeListener);
        boolean idle = workers.close(client.timings().closeWait(), client.clock());
        if (!idle) {
            LOG.warn("a handler of group {} still runs; its message will come again", settings.group);
        }
        returns.close(client.timings().callTimeout(), client.clock());
        synchronized (rebalancing) {
            List<CompletableFuture<Void>> released = new ArrayList<>();
            for (AssignedQueue queue : queues.values()) {
                // With a handler still at work the lock must stay until it expires, or two threads could meet.
                released.add(idle ? release(queue) : commit(queue));
                queue.drop(() -> {});
            }
            queues.clear();
            if (local != null) {
                saveLocal();
            }
            Failures.await(
                    CompletableFuture.allOf(released.toArray(CompletableFuture[]::new)),
                    "committing the progress of group " + settings.group,
                    false);
        }
        Failures.await(client.membership().removeConsumer(settings.group), "leaving group " + settings.group, false);
        client.forgetConsumer(this);
    }

    /** Settings until {@link #start()}. */
    static final class Settings implements Builder {
        private static final int BROADCAST_MAX_ATTEMPTS = 3;

        private final ClientCore client;
        private final String group;
        private final Map<String, WireFilter> subscriptions = new LinkedHashMap<>();
        private int threads = 8;
        private StartFrom start = StartFrom.LAST;
        private MessageHandler handler;
        private boolean ordered;
        private int maxAttempts = -1;
        private long suspendMillis = 1_000;
        private int maxCachedMessages = 1_000;
        private long maxCachedBytes = 16 << 20;
        private long handlerTimeoutMillis = Duration.ofMinutes(15).toMillis();
        private boolean broadcast;
        private Path directory;
        private boolean pop;
        private long invisibleMillis = PopCalls.DEFAULT_INVISIBLE_MILLIS;

        Settings(ClientCore client, String group) {
            MessageChecks.group(group);
            this.client = client;
            this.group = group;
        }

        @Override
        public Builder subscribe(String topic, String tags) {
            MessageChecks.topic(topic);
            subscriptions.put(topic, WireFilter.parse(tags));
            return this;
        }

        @Override
        public Builder subscribe(String topic, Filter filter) {
            MessageChecks.topic(topic);
            subscriptions.put(topic, WireFilter.of(Checks.given("filter", filter)));
            return this;
        }

        @Override
        public Builder handlerTimeout(Duration limit) {
            handlerTimeoutMillis = Checks.millis("handlerTimeout", limit);
            return this;
        }

        @Override
        public Builder broadcast() {
            broadcast = true;
            return this;
        }

        @Override
        public Builder broadcast(Path place) {
            directory = Checks.given("directory", place);
            return broadcast();
        }

        @Override
        public Builder byPop() {
            pop = true;
            return this;
        }

        @Override
        public Builder invisibleFor(Duration time) {
            invisibleMillis = PopCalls.invisibleMillis(time);
            return this;
        }

        @Override
        public Builder threads(int value) {
            threads = Math.min(Checks.positive("threads", value), SharedThreads.MAX_LISTENER_THREADS);
            return this;
        }

        @Override
        public Builder from(StartFrom place) {
            start = Checks.given("from", place);
            return this;
        }

        @Override
        public Builder onMessage(MessageHandler value) {
            return handler(value, false);
        }

        @Override
        public Builder onMessageInOrder(MessageHandler value) {
            return handler(value, true);
        }

        private Builder handler(MessageHandler value, boolean inOrder) {
            if (handler != null) {
                throw Failures.invalid("this consumer has a handler already", "give one handler only");
            }
            handler = Checks.given("handler", value);
            ordered = inOrder;
            return this;
        }

        @Override
        public Builder maxAttempts(int attempts) {
            maxAttempts = Checks.positive("maxAttempts", attempts);
            return this;
        }

        @Override
        public Builder suspend(Duration pause) {
            suspendMillis = Checks.millis("suspend", pause);
            return this;
        }

        @Override
        public Builder maxCachedMessages(int perQueue) {
            maxCachedMessages = Checks.positive("maxCachedMessages", perQueue);
            return this;
        }

        @Override
        public Builder maxCachedBytes(long perQueue) {
            maxCachedBytes = Math.max(1, perQueue);
            return this;
        }

        /** Retries the broker is told to allow; negative where the group's settings decide. */
        private int maxRetries() {
            return maxAttempts == Integer.MAX_VALUE && !ordered ? -1 : maxAttempts - 1;
        }

        @Override
        public PushConsumer start() {
            Checks.given("onMessage or onMessageInOrder", handler);
            if (subscriptions.isEmpty()) {
                throw Failures.invalid("the consumer subscribes to nothing", "call subscribe(topic) before start");
            }
            if (broadcast && ordered || pop && (ordered || broadcast)) {
                throw Failures.invalid(
                        "of onMessageInOrder, broadcast and byPop only one is possible", "leave the others out");
            }
            if (maxAttempts < 0) {
                maxAttempts = broadcast ? BROADCAST_MAX_ATTEMPTS : Integer.MAX_VALUE; // else the broker counts
            }
            if (pop) {
                PopPushCore consumer = new PopPushCore(
                        client,
                        new PopPushCore.Order(
                                group, subscriptions, start, threads, maxAttempts, maxCachedMessages, invisibleMillis),
                        handler);
                return client.keepConsumer(consumer, consumer::start);
            }
            PushConsumerCore consumer = new PushConsumerCore(client, this);
            return client.keepConsumer(consumer, consumer::start);
        }
    }
}
