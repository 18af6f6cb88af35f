/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes queues for a push consumer and gives them up. An ordered queue is taken only with its lock; when one is given up its offset is committed first, then
 * it is unlocked, and both only after its handler has returned. Called by one thread at a time, which holds the lock of the {@link Rebalancer}.
 */
final class QueueAssignment {
    private static final Logger LOG = LoggerFactory.getLogger(QueueAssignment.class);

    private final PushSettings settings;
    private final Clock clock;
    private final RouteCache routes;
    private final OffsetApi offsets;
    private final ProcessQueues queues;
    private final OffsetCommitter committer;
    private final QueueFetcher fetcher;
    private final QueueLocks locks;
    private final String retryTopic;
    private final Set<MessageQueue> olderThanThis = ConcurrentHashMap.newKeySet();

    QueueAssignment(
            PushSettings settings,
            Clock clock,
            RouteCache routes,
            OffsetApi offsets,
            ProcessQueues queues,
            OffsetCommitter committer,
            QueueFetcher fetcher,
            QueueLocks locks) {
        this.settings = settings;
        this.clock = clock;
        this.routes = routes;
        this.offsets = offsets;
        this.queues = queues;
        this.committer = committer;
        this.fetcher = fetcher;
        this.locks = locks;
        this.retryTopic = Names.retryTopic(settings.group());
    }

    /** These queues existed when the consumer began. */
    void existAtStart(Collection<MessageQueue> existing) {
        olderThanThis.addAll(existing);
    }

    /** Gives up what is not in the share of a topic and takes what is new in it. True if the share is complete now. */
    boolean assign(String topic, List<MessageQueue> share) {
        Set<MessageQueue> wanted = new TreeSet<>(share);
        for (ProcessQueue queue : queues.all()) {
            if (queue.queue.topic().equals(topic) && !wanted.contains(queue.queue)) {
                giveUp(queue);
            }
        }
        List<MessageQueue> missing = new ArrayList<>();
        for (MessageQueue queue : wanted) {
            if (!queues.contains(queue)) {
                missing.add(queue);
            }
        }
        long lockNanos = clock.nanoTime();
        List<MessageQueue> usable = settings.ordered() ? locks.lock(missing) : missing;
        boolean complete = usable.size() == missing.size();
        for (MessageQueue queue : usable) {
            ProcessQueue taken;
            try {
                taken = begin(queue);
            } catch (RuntimeException e) {
                LOG.warn("{} does not start yet: {}", queue, e.getMessage());
                complete = false;
                continue;
            }
            taken.locked(lockNanos);
            queues.put(taken);
            LOG.info("group {} takes {} from offset {}", settings.group(), queue, taken.progress());
            fetcher.fetch(taken);
        }
        return complete;
    }

    /** At the group's committed offset, or else where a new group begins. */
    private ProcessQueue begin(MessageQueue queue) {
        String address = address(queue);
        OptionalLong committed = committer.committed(address, queue).join();
        if (committed.isPresent()) {
            return at(queue, committed.getAsLong());
        }
        // Everything in a queue that is younger than this consumer was sent "from now on"; and retries are never
        // skipped.
        boolean everything = settings.start().policy() == StartFrom.Policy.LAST && !olderThanThis.contains(queue)
                || queue.topic().equals(retryTopic);
        StartFrom start = everything ? StartFrom.FIRST : settings.start();
        ProcessQueue taken = at(queue, offsets.offsetOf(address, queue, start).join());
        committer.commit(taken); // so that a member that takes over soon does not begin anew, later
        return taken;
    }

    private ProcessQueue at(MessageQueue queue, long offset) {
        return new ProcessQueue(
                queue, offset, settings.ordered(), settings.maxCachedMessages(), settings.maxCachedBytes());
    }

    private String address(MessageQueue queue) {
        String address = routes.master(queue.broker());
        if (address == null) {
            throw ClientExceptions.refused("finding broker " + queue.broker(), 17, "its address is not known", false);
        }
        return address;
    }

    /** The share has moved on to another member. */
    void giveUp(ProcessQueue queue) {
        if (queues.remove(queue)) {
            LOG.info("group {} gives up {}", settings.group(), queue.queue);
            queue.drop(() -> release(queue));
        }
    }

    private CompletableFuture<Void> release(ProcessQueue queue) {
        CompletableFuture<Void> committed = committer.commit(queue);
        return settings.ordered() ? committed.thenCompose(done -> locks.unlock(queue.queue)) : committed;
    }

    /**
     * Gives up everything at the end; completes when the brokers have the offsets.
     *
     * @param idle false while a handler still runs: then locks stay until they expire, or two threads could meet
     */
    CompletableFuture<Void> close(boolean idle) {
        List<CompletableFuture<Void>> released = new ArrayList<>();
        for (ProcessQueue queue : queues.all()) {
            released.add(idle ? release(queue) : committer.commit(queue));
            queue.drop(() -> {});
        }
        queues.clear();
        committer.save();
        return CompletableFuture.allOf(released.toArray(CompletableFuture[]::new));
    }
}
