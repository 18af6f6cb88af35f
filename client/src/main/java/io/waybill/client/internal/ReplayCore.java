/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.client.Replay;
import io.waybill.client.ReplayHandler;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayPreview.Slice;
import io.waybill.client.ReplayResult;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.ResponseCode;
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
final class ReplayCore implements Replay {
    private static final int PULL_MESSAGES = 32;
    private static final int READ_AHEAD = 32;
    private static final long COMMIT_NANOS = 1_000_000_000L;
    private static final int MAX_FAILURES_IN_A_ROW = 10;
    private static final long SHORTEST_PAUSE_NANOS = 1_000_000L;

    private final ClientCore client;
    private final String topic;
    private Instant from;
    private Instant to;
    private WireFilter filter = WireFilter.ALL;
    private String group;
    private double rate;
    private boolean restart;

    ReplayCore(ClientCore client, String topic) {
        MessageChecks.topic(topic);
        this.client = client;
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
        filter = WireFilter.parse(expression);
        return this;
    }

    @Override
    public Replay into(String sideGroup) {
        MessageChecks.group(sideGroup);
        group = sideGroup;
        return this;
    }

    @Override
    public Replay rate(double messagesPerSecond) {
        if (!(messagesPerSecond > 0)) {
            throw Failures.invalid("rate must be above 0, but is " + messagesPerSecond, "leave it out for no limit");
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
            throw Failures.invalid("the interval ends at " + to + ", before it begins at " + from, "exchange the two");
        }
        Route route = await(client.routes().refresh(topic), "finding topic " + topic);
        List<Slice> slices = new ArrayList<>();
        for (MessageQueue queue : route.readable()) {
            String address = address(queue);
            String doing = "finding the interval in " + queue;
            long begin = await(
                    from == null
                            ? client.calls().minOffset(address, queue)
                            : client.calls().offsetAt(address, queue, from.toEpochMilli()),
                    doing);
            long end = await(
                    to == null
                            ? client.calls().maxOffset(address, queue)
                            : client.calls().offsetAt(address, queue, to.toEpochMilli()),
                    doing);
            slices.add(new Slice(queue, begin, Math.max(begin, end)));
        }
        return List.copyOf(slices);
    }

    private String address(MessageQueue queue) {
        String address = client.routes().master(queue.broker());
        if (address == null) {
            throw Failures.refused("finding broker " + queue.broker(), 17, "its address is not known", false);
        }
        return address;
    }

    @Override
    public ReplayResult run(ReplayHandler handler) {
        Checks.given("into", group);
        Checks.given("handler", handler);
        List<Slice> slices = slices();
        client.membership()
                .addConsumer(new Membership.Consumer(
                        group,
                        true,
                        StartFrom.FIRST,
                        Map.of(topic, filter),
                        client.clock().wallMillis()));
        try {
            Set<String> masters = new TreeSet<>();
            slices.forEach(slice -> masters.add(address(slice.queue())));
            await(client.membership().announce(masters), "telling the brokers of group " + group);
            refuseLivingMembers(masters);
            Run run = new Run(handler);
            for (Slice slice : slices) {
                run.cursors.add(cursor(slice));
            }
            return run.go();
        } finally {
            client.membership().removeConsumer(group).join();
        }
    }

    private void refuseLivingMembers(Set<String> masters) {
        for (String address : masters) {
            List<String> members = await(client.calls().members(address, group), "asking for the members of " + group);
            for (String member : members) {
                if (!member.equals(client.clientId())) {
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
                    client.calls().committed(address(slice.queue()), group, slice.queue()),
                    "asking for the progress of " + group);
            if (done.isPresent() && done.getAsLong() > begin && done.getAsLong() <= slice.toOffset()) {
                begin = done.getAsLong();
            }
        }
        return new Cursor(slice, begin);
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return Failures.await(future, doing, false);
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
        CompletableFuture<Calls.Pulled> pull; // under way, or null

        Cursor(Slice slice, long begin) {
            this.slice = slice;
            this.begin = begin;
            this.fetchedTo = begin;
            this.done = begin;
        }

        boolean isFetched() {
            return fetchedTo >= slice.toOffset();
        }
    }

    /** One run. */
    private final class Run {
        private final ReplayHandler handler;
        private final List<Cursor> cursors = new ArrayList<>();
        private long handled;
        private long nextPermitNanos = client.clock().nanoTime();
        private long lastCommitNanos = client.clock().nanoTime();

        Run(ReplayHandler handler) {
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
                if (client.clock().nanoTime() - lastCommitNanos >= COMMIT_NANOS) {
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
            if (cursor.pull == null && !cursor.isFetched() && cursor.buffer.size() < READ_AHEAD) {
                long left = cursor.slice.toOffset() - cursor.fetchedTo;
                cursor.pull = client.calls()
                        .pull(
                                address(cursor.slice.queue()),
                                new Calls.PullOrder(
                                        group,
                                        cursor.slice.queue(),
                                        cursor.fetchedTo,
                                        (int) Math.min(PULL_MESSAGES, left),
                                        0,
                                        filter,
                                        0,
                                        -1,
                                        true));
            }
        }

        private void take(Cursor cursor) throws InterruptedException {
            Calls.Pulled pulled;
            try {
                pulled = cursor.pull.get();
                cursor.failures = 0;
            } catch (ExecutionException e) {
                cursor.pull = null;
                if (++cursor.failures > MAX_FAILURES_IN_A_ROW) {
                    throw Calls.explained(e, "replaying " + cursor.slice.queue());
                }
                client.routes().refresh(topic);
                sleep(client.timings().retryDelay() * 1_000_000);
                return;
            }
            taken(cursor, pulled);
        }

        private void taken(Cursor cursor, Calls.Pulled pulled) {
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
            if (pulled.code() != ResponseCode.PULL_OFFSET_MOVED) {
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
            long now = client.clock().nanoTime();
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
                client.threads().timers.delay(nanos).get();
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            }
        }

        private void commit() {
            lastCommitNanos = client.clock().nanoTime();
            List<CompletableFuture<Void>> sent = new ArrayList<>();
            for (Cursor cursor : cursors) {
                long offset = cursor.done;
                if (offset != cursor.committed) {
                    sent.add(client.calls()
                            .commit(address(cursor.slice.queue()), group, cursor.slice.queue(), offset)
                            .thenAccept(ok -> cursor.committed = offset));
                }
            }
            boolean interrupted = Thread.interrupted();
            try {
                CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)).join();
            } catch (RuntimeException e) {
                throw Calls.explained(e, "committing the progress of " + group);
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
