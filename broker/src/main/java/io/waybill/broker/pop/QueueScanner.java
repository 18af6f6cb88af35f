/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.filter.Metered;
import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.ReadLanes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Scans single queues for pops, and leases what it finds. By the thread that works on the pop; one pop at a time scans
 * a queue, and the others that want to look meanwhile look when it is done.
 */
final class QueueScanner {
    /** Reads of one queue in one turn, so that a filter which takes little does not hold a thread. */
    private static final int MOST_READS = 4;

    private final QueueStore queues;
    private final PopQueues popQueues;
    private final PopChecks checks;
    private final Topics topics;
    private final Deliveries deliveries;
    private final InvisibilityClock invisibilities;
    private final LongPolling<Pop> held;
    private final ReadLanes<Pop> lanes;

    QueueScanner(
            QueueStore queues,
            PopQueues popQueues,
            PopChecks checks,
            Topics topics,
            Deliveries deliveries,
            InvisibilityClock invisibilities,
            LongPolling<Pop> held,
            ReadLanes<Pop> lanes) {
        this.queues = queues;
        this.popQueues = popQueues;
        this.checks = checks;
        this.topics = topics;
        this.deliveries = deliveries;
        this.invisibilities = invisibilities;
        this.held = held;
        this.lanes = lanes;
    }

    /** Before the first turn of a pop; see {@link PopQueues#settle(Pop)}. */
    void prepare(Pop pop) {
        popQueues.settle(pop);
    }

    /** Messages of a queue behind everything delivered so far. */
    long rest(Pop pop, int queueId) {
        return popQueues.of(pop.group(), pop.topic(), queueId).rest(queues.offsetRange(pop.topic(), queueId));
    }

    /** False when the rest is for a thread that may wait for the disk. */
    boolean scan(Pop pop, int queueId, boolean mayBlock) {
        PopQueue queue = popQueues.of(pop.group(), pop.topic(), queueId);
        if (!queue.enter(pop)) {
            pop.contended();
            return true;
        }
        List<DeliveredMessage> found = new ArrayList<>();
        boolean done;
        try {
            done = scan(pop, queue, found, mayBlock);
        } finally {
            List<Pop> next = queue.exit();
            queue.drain();
            invisibilities.watch(queue, pop.nowMillis());
            for (Pop other : next) {
                lanes.look(other);
            }
        }
        if (!found.isEmpty()) {
            pop.found(queueId, found);
            note(pop, queueId, found);
        }
        return done || !found.isEmpty(); // a queue has one place in the answer
    }

    private boolean scan(Pop pop, PopQueue queue, List<DeliveredMessage> found, boolean mayBlock) {
        boolean shared = checks.isShared(pop);
        boolean isOrdered = pop.parameters().order();
        int queueId = queue.key.queueId();
        for (int reads = 0; !isEnough(pop, found); reads++) {
            boolean isHeavy = pop.terms().filter().isHeavy();
            if (reads == MOST_READS && !mayBlock || reads > 0 && isHeavy && !held.isClosing()) {
                return false; // and others of that thread have a turn
            }
            QueueRange range = queues.offsetRange(pop.topic(), queueId);
            PopQueue.Scan scan = queue.scan(pop, range, shared, mayBlock);
            if (scan.status() == PopQueue.Scan.Status.COLD) {
                return false;
            }
            boolean moved = false;
            for (OffsetRange part : scan.ranges()) {
                if (isEnough(pop, found)) {
                    return true;
                }
                if (!mayBlock && !queues.isHot(pop.topic(), queueId, part.from())) {
                    return false;
                }
                RangeScan scanned = read(pop, queue, scan, part, shared, found);
                moved |= scanned.moved();
                if (scanned.stopped()) {
                    return true;
                }
                if (isOrdered && scanned.end() < part.to()) {
                    break; // in order nothing behind what was not read
                }
            }
            if (!moved || isOrdered && !found.isEmpty() || !pop.parameters().isLease()) {
                return true;
            }
        }
        return true;
    }

    private static boolean isEnough(Pop pop, List<DeliveredMessage> found) {
        if (pop.parameters().mode() == PopMode.NOTIFY && !found.isEmpty()) {
            return true;
        }
        return found.size() >= pop.roomForCount() || bytesOf(found) >= pop.roomForBytes();
    }

    private static int bytesOf(List<DeliveredMessage> found) {
        int bytes = 0;
        for (DeliveredMessage delivered : found) {
            bytes += delivered.message().remaining();
        }
        return bytes;
    }

    // ---- one range

    /** @param end up to where the range was scanned */
    private record RangeScan(long end, boolean moved, boolean stopped) {}

    private RangeScan read(
            Pop pop,
            PopQueue queue,
            PopQueue.Scan scan,
            OffsetRange part,
            boolean shared,
            List<DeliveredMessage> found) {
        int queueId = queue.key.queueId();
        int room = pop.roomForBytes() - bytesOf(found);
        Filter filter = pop.terms().filter();
        Metered metered = Metered.of(filter, !filter.isHeavy());
        Set<Long> leftAlone = new HashSet<>();
        long fromNanos = deliveries.nanos();
        ReadResult read = queues.readQueueUpTo(
                pop.topic(),
                queueId,
                part.from(),
                part.to(),
                pop.roomForCount() - found.size(),
                room,
                shared ? null : metered,
                shared ? (buffer, at) -> takes(pop, filter, buffer, at, leftAlone) : metered);
        deliveries.readSince(fromNanos);
        if (checks.number() != pop.decidedAt()) {
            pop.outdated(); // what it read it may not be allowed, or may not want any more: it leases and passes
            // nothing
            return new RangeScan(part.from(), false, true);
        }
        if (read.status() == ReadResult.Status.DAMAGED) {
            pop.damaged();
        }
        long end = Math.min(part.to(), Math.max(part.from(), read.nextOffset()));
        boolean isFirst = pop.count() + found.size() == 0;
        List<StoredSlice> messages = messages(read.slices(), isFirst ? Integer.MAX_VALUE : room);
        if (messages.size() < read.count()) {
            end = messages.isEmpty()
                    ? part.from()
                    : messages.get(messages.size() - 1).offset() + 1;
        }
        List<OffsetRange> finished = finished(part.from(), end, messages, leftAlone);
        if (!leftAlone.isEmpty()) {
            pop.scannedTo(queueId, Math.max(pop.scannedTo(queueId), end));
        }
        PopQueue.LeaseResult result = queue.lease(pop, scan, new PopQueue.ScanResult(messages, finished));
        found.addAll(result.delivered());
        for (int i = 0; i < result.deadLetters(); i++) {
            deliveries.deadLettered(pop.group(), pop.topic());
        }
        if (result.deadLetters() > 0) {
            // Only tools need the topic's settings; the dead letters themselves can be stored before they are.
            topics.ensure(Names.deadLetterTopic(pop.group()), 1, change -> {});
        }
        boolean stopped = result.stopped() && pop.parameters().order() || read.status() == ReadResult.Status.DAMAGED;
        return new RangeScan(end, result.moved(), stopped);
    }

    private boolean takes(Pop pop, Filter filter, ByteBuffer buffer, int at, Set<Long> leftAlone) {
        if (filter.matches(buffer, at)) {
            return true;
        }
        if (checks.isTakenByAnyMember(pop, buffer, at)) {
            leftAlone.add(StoredMessage.queueOffset(buffer, at));
        }
        return false;
    }

    private static List<StoredSlice> messages(List<ByteBuffer> slices, int mostBytes) {
        List<StoredSlice> messages = new ArrayList<>();
        int bytes = 0;
        for (ByteBuffer slice : slices) {
            for (int at = slice.position(); at < slice.limit(); ) {
                int size = StoredMessage.totalSize(slice, at);
                bytes += size;
                if (bytes > mostBytes) {
                    return messages;
                }
                messages.add(new StoredSlice(StoredMessage.queueOffset(slice, at), slice.slice(at, size)));
                at += size;
            }
        }
        return messages;
    }

    /** What lies between the messages and is taken by no filter, or is no more. */
    private static List<OffsetRange> finished(long from, long to, List<StoredSlice> messages, Set<Long> leftAlone) {
        TreeSet<Long> stops = new TreeSet<>(leftAlone);
        messages.forEach(message -> stops.add(message.offset()));
        List<OffsetRange> finished = new ArrayList<>();
        long at = from;
        for (long stop : stops.headSet(to)) {
            if (at < stop) {
                finished.add(new OffsetRange(at, stop));
            }
            at = stop + 1;
        }
        if (at < to) {
            finished.add(new OffsetRange(at, to));
        }
        return finished;
    }

    /** Notes messages in a row as one delivery. */
    private void note(Pop pop, int queueId, List<DeliveredMessage> found) {
        if (!pop.parameters().isLease()) {
            return;
        }
        long from = found.get(0).offset();
        long to = from;
        for (DeliveredMessage delivered : found) {
            if (delivered.offset() != to) {
                note(pop, queueId, from, to);
                from = delivered.offset();
            }
            to = delivered.offset() + 1;
        }
        note(pop, queueId, from, to);
    }

    private void note(Pop pop, int queueId, long from, long to) {
        deliveries.popped(
                pop.group(), pop.topic(), queueId, from, to, pop.request().connection());
    }
}
