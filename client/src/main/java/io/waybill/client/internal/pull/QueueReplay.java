/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pull;

import io.waybill.client.MessageQueue;
import io.waybill.client.Replay;
import io.waybill.client.ReplayHandler;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayPreview.Slice;
import io.waybill.client.ReplayResult;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.consume.FetchLoop;
import io.waybill.client.internal.consume.PullApi;
import io.waybill.client.internal.consume.PullRequest;
import io.waybill.client.internal.consume.PullResult;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.platform.Clock;
import io.waybill.protocol.message.Message;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Reads slices of queues for a side group. The slices are fixed when it begins; nothing is subscribed, so no rebalance touches anybody. The side
 * group's offset in a queue is always behind the last message the handler has finished there.
 */
public final class QueueReplay implements Replay {
    private static final int PULL_MESSAGES = 32;
    private static final int READ_AHEAD = 32;
    private static final long COMMIT_NANOS = 1_000_000_000L;
    private static final int MAX_FAILURES_IN_A_ROW = 10;
    private static final long SHORTEST_PAUSE_NANOS = 1_000_000L;

    private final ClientRuntime runtime;
    private final Clock clock;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final GroupApi groups;
    private final OffsetApi offsets;
    private final PullApi pulls;
    private final String topic;
    private Instant from;
    private Instant to;
    private SubscriptionFilter filter = SubscriptionFilter.ALL;
    private String group;
    private double rate;
    private boolean restart;

    public QueueReplay(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            String topic) {
        ArgumentChecks.topic(topic);
        this.runtime = runtime;
        this.clock = runtime.clock();
        this.routes = routes;
        this.membership = membership;
        this.groups = new GroupApi(connections);
        this.offsets = new OffsetApi(connections);
        this.pulls = new PullApi(connections);
        this.topic = topic;
    }

    @Override
    public Replay from(Instant time) {
        from = time;
        return this;
    }

    @Override
    public Replay to(Instant time) {
        to = time;
        return this;
    }

    @Override
    public Replay tags(String expression) {
        filter = SubscriptionFilter.parse(expression);
        return this;
    }

    @Override
    public Replay into(String sideGroup) {
        ArgumentChecks.group(sideGroup);
        group = sideGroup;
        return this;
    }

    @Override
    public Replay rate(double messagesPerSecond) {
        if (!(messagesPerSecond > 0)) {
            throw ClientExceptions.invalid(
                    "rate must be above 0, but is " + messagesPerSecond, "leave it out for no limit");
        }
        rate = messagesPerSecond;
        return this;
    }

    @Override
    public Replay restart() {
        restart = true;
        return this;
    }

    @Override
    public ReplayPreview preview() {
        List<Slice> slices = slices();
        long count = 0;
        for (Slice slice : slices) {
            count += slice.count();
        }
        return new ReplayPreview(topic, slices, count, filter.tags().isEmpty());
    }

    private List<Slice> slices() {
        if (from != null && to != null && to.isBefore(from)) {
            throw ClientExceptions.invalid(
                    "the interval ends at " + to + ", before it begins at " + from, "exchange the two");
        }
        // Asked for anew: a queue that is younger than the cached route would be left out without a word.
        Route route = await(routes.refresh(topic), "finding topic " + topic);
        List<Slice> slices = new ArrayList<>();
        for (MessageQueue queue : route.readable()) {
            String address = masterOf(queue);
            String doing = "finding the interval in " + queue;
            long begin = await(
                    from == null
                            ? offsets.minOffset(address, queue)
                            : offsets.offsetAt(address, queue, from.toEpochMilli()),
                    doing);
            long end = await(
                    to == null
                            ? offsets.maxOffset(address, queue)
                            : offsets.offsetAt(address, queue, to.toEpochMilli()),
                    doing);
            slices.add(new Slice(queue, begin, Math.max(begin, end)));
        }
        return List.copyOf(slices);
    }

    private String masterOf(MessageQueue queue) {
        String address = routes.master(queue.broker());
        if (address == null) {
            throw ClientExceptions.refused("finding broker " + queue.broker(), 17, "its address is not known", false);
        }
        return address;
    }

    @Override
    public ReplayResult run(ReplayHandler handler) {
        ArgumentChecks.given("into", group);
        ArgumentChecks.given("handler", handler);
        List<Slice> slices = slices();
        membership.addConsumer(
                ConsumerGroup.pulling(group, StartFrom.FIRST, Map.of(topic, filter), clock.wallMillis()));
        try {
            Set<String> masters = new TreeSet<>();
            // A broker keeps progress only for a group that it knows.
            slices.forEach(slice -> masters.add(masterOf(slice.queue())));
            await(membership.announce(masters), "telling the brokers of group " + group);
            refuseLivingMembers(masters);
            ReplayRun run = new ReplayRun(handler);
            for (Slice slice : slices) {
                run.cursors.add(cursor(slice));
            }
            return run.go();
        } finally {
            membership.removeConsumer(group).join();
        }
    }

    /** The replay keeps its progress as that of the group; a member at work would move the same offsets. */
    private void refuseLivingMembers(Set<String> masters) {
        for (String address : masters) {
            List<String> members = await(groups.members(address, group), "asking for the members of " + group);
            for (String member : members) {
                if (!member.equals(runtime.clientId())) {
                    throw new WaybillException(
                            WaybillException.Kind.REFUSED,
                            -1,
                            false,
                            "group " + group + " has a living member: " + member,
                            "replay into a group that nobody consumes with",
                            null);
                }
            }
        }
    }

    private Cursor cursor(Slice slice) {
        long begin = slice.fromOffset();
        if (!restart) {
            OptionalLong done = await(
                    offsets.committed(masterOf(slice.queue()), group, slice.queue()),
                    "asking for the progress of " + group);
            // Progress outside the interval is that of another replay into this group.
            if (done.isPresent() && done.getAsLong() > begin && done.getAsLong() <= slice.toOffset()) {
                begin = done.getAsLong();
            }
        }
        return new Cursor(slice, begin);
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return ClientExceptions.await(future, doing, false);
    }

    /** The reading of one slice. Used by the running thread only. */
    private static final class Cursor {
        final Slice slice;
        final ArrayDeque<InboundMessage> buffer = new ArrayDeque<>();
        final long begin;
        long fetchedTo;
        long done; // behind the last handled message, or behind everything fetched if nothing is buffered
        long committed = -1;
        int failures;
        CompletableFuture<PullResult> pull; // under way, or null

        Cursor(Slice slice, long begin) {
            this.slice = slice;
            this.begin = begin;
            this.fetchedTo = begin;
            this.done = begin;
        }

        @Override
        public String toString() {
            return slice.queue().toString();
        }

        boolean isFetched() {
            return fetchedTo >= slice.toOffset();
        }
    }

    /** A pull of a slice, and where its answer goes. */
    private record CursorPull(PullRequest request, CompletableFuture<PullResult> answer) {}

    /** Fetches for a run: the answer of a pull waits in its cursor until the running thread takes it. */
    private final class CursorFetcher extends FetchLoop<Cursor, CursorPull, PullResult> {
        CursorFetcher() {
            super(clock, runtime.timers());
        }

        @Override
        protected CursorPull begin(Cursor cursor) {
            if (cursor.pull != null || cursor.isFetched() || cursor.buffer.size() >= READ_AHEAD) {
                return null;
            }
            long left = cursor.slice.toOffset() - cursor.fetchedTo;
            masterOf(cursor.slice.queue()); // or the run cannot go on
            PullRequest request = new PullRequest(
                    group,
                    cursor.slice.queue(),
                    cursor.fetchedTo,
                    (int) Math.min(PULL_MESSAGES, left),
                    0,
                    filter,
                    0,
                    -1,
                    true);
            cursor.pull = new CompletableFuture<>();
            return new CursorPull(request, cursor.pull);
        }

        @Override
        protected String address(Cursor cursor, CursorPull pull) {
            return routes.master(cursor.slice.queue().broker());
        }

        @Override
        protected CompletableFuture<PullResult> ask(String address, CursorPull pull) {
            return pulls.pull(address, pull.request());
        }

        @Override
        protected Runnable fetched(Cursor cursor, CursorPull pull, PullResult result, long tookNanos) {
            pull.answer().complete(result);
            return null; // the running thread fetches on
        }

        @Override
        protected void failed(Cursor cursor, CursorPull pull, Throwable failure) {
            pull.answer().completeExceptionally(failure);
        }
    }

    /** One run. */
    private final class ReplayRun {
        private final ReplayHandler handler;
        private final List<Cursor> cursors = new ArrayList<>();
        private final CursorFetcher fetcher = new CursorFetcher();
        private long handled;
        private long nextPermitNanos = clock.nanoTime();
        private long lastCommitNanos = clock.nanoTime();

        ReplayRun(ReplayHandler handler) {
            this.handler = handler;
        }

        ReplayResult go() {
            boolean complete = false;
            try {
                complete = readAll();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (RuntimeException | Error e) {
                try {
                    commit();
                } catch (RuntimeException second) {
                    e.addSuppressed(second);
                }
                throw e;
            }
            commit();
            long skipped = 0;
            for (Cursor cursor : cursors) {
                skipped += cursor.begin - cursor.slice.fromOffset();
            }
            return new ReplayResult(handled, skipped, complete);
        }

        private boolean readAll() throws InterruptedException {
            while (true) {
                Cursor next = earliest();
                if (next == null) {
                    return true;
                }
                InboundMessage message = next.buffer.peek();
                permit();
                try {
                    handler.handle(message);
                } catch (InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    throw new WaybillException(
                            WaybillException.Kind.HANDLER,
                            -1,
                            false,
                            "the handler failed at message " + message.messageId() + " (" + message.queue() + " offset "
                                    + message.offset() + "): " + e,
                            "correct the cause and run the replay again; it goes on with this message",
                            e);
                }
                handled++;
                next.buffer.poll();
                next.done = next.buffer.isEmpty() ? next.fetchedTo : message.offset() + 1;
                if (clock.nanoTime() - lastCommitNanos >= COMMIT_NANOS) {
                    commit();
                }
            }
        }

        /** The cursor with the earliest message; every unfinished slice has one buffered then. Null at the end. */
        private Cursor earliest() throws InterruptedException {
            for (Cursor cursor : cursors) {
                fetchAhead(cursor);
            }
            Cursor earliest = null;
            for (Cursor cursor : cursors) {
                while (cursor.buffer.isEmpty() && !cursor.isFetched()) {
                    fetchAhead(cursor);
                    if (cursor.buffer.isEmpty() && cursor.pull != null) {
                        take(cursor);
                    }
                }
                if (!cursor.buffer.isEmpty()
                        && (earliest == null
                                || cursor.buffer.peek().stored().storeTimestamp()
                                        < earliest.buffer.peek().stored().storeTimestamp())) {
                    earliest = cursor;
                }
            }
            return earliest;
        }

        private void fetchAhead(Cursor cursor) {
            if (cursor.pull != null && cursor.pull.isDone() && !cursor.pull.isCompletedExceptionally()) {
                taken(cursor, cursor.pull.join());
            }
            fetcher.fetch(cursor);
        }

        private void take(Cursor cursor) throws InterruptedException {
            PullResult pulled;
            try {
                pulled = cursor.pull.get();
                cursor.failures = 0;
            } catch (ExecutionException e) {
                cursor.pull = null;
                if (++cursor.failures > MAX_FAILURES_IN_A_ROW) {
                    throw ClientExceptions.explained(e, "replaying " + cursor.slice.queue());
                }
                routes.refresh(topic);
                sleep(runtime.timeouts().retryDelay() * 1_000_000);
                return;
            }
            taken(cursor, pulled);
        }

        private void taken(Cursor cursor, PullResult pulled) {
            cursor.pull = null;
            if (pulled.nextOffset() <= cursor.fetchedTo) {
                throw new WaybillException(
                        WaybillException.Kind.REFUSED,
                        pulled.code(),
                        false,
                        "the broker gives nothing at offset " + cursor.fetchedTo + " of " + cursor.slice.queue()
                                + ", which ends at " + cursor.slice.toOffset(),
                        "run the replay again; if it stays so look at the broker's log",
                        null);
            }
            if (!pulled.isMoved()) {
                for (Message stored : pulled.messages()) {
                    if (stored.queueOffset() < cursor.slice.toOffset() && filter.matches(stored.tags())) {
                        cursor.buffer.add(new InboundMessage(stored, cursor.slice.queue(), 0));
                    }
                }
            }
            // An offset that has moved on means that retention has removed the rest before it.
            cursor.fetchedTo = Math.min(pulled.nextOffset(), cursor.slice.toOffset());
            if (cursor.buffer.isEmpty()) {
                cursor.done = cursor.fetchedTo;
            }
        }

        private void permit() throws InterruptedException {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            if (rate <= 0) {
                return;
            }
            long now = clock.nanoTime();
            long wait = nextPermitNanos - now;
            if (wait > SHORTEST_PAUSE_NANOS) {
                sleep(wait);
            } else if (wait < -COMMIT_NANOS) {
                nextPermitNanos = now; // time lost is not made up by a burst of more than a second
            }
            nextPermitNanos += (long) (1_000_000_000L / rate);
        }

        private void sleep(long nanos) throws InterruptedException {
            try {
                runtime.timers().delay(nanos).get();
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            }
        }

        private void commit() {
            lastCommitNanos = clock.nanoTime();
            List<CompletableFuture<Void>> sent = new ArrayList<>();
            for (Cursor cursor : cursors) {
                long offset = cursor.done;
                if (offset != cursor.committed) {
                    sent.add(offsets.commit(masterOf(cursor.slice.queue()), group, cursor.slice.queue(), offset)
                            .thenAccept(ok -> cursor.committed = offset));
                }
            }
            boolean interrupted = Thread.interrupted();
            try {
                CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)).join();
            } catch (RuntimeException e) {
                throw ClientExceptions.explained(e, "committing the progress of " + group);
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
