/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.util.ArrayDeque;
import java.util.List;
import java.util.TreeMap;

/**
 * A queue a push consumer works on: what was fetched and is not done yet.
 *
 * <p>Always: {@link #progress()} is the smallest offset that is not done, so what is committed has been handled or did not match; at most one pull is
 * under way; for an ordered queue at most one handler. All state is guarded by this object; nothing is called while it is held.
 */
final class ProcessQueue {
    final MessageQueue queue;
    private final boolean ordered;
    private final int maxMessages;
    private final long maxBytes;
    private final TreeMap<Long, InboundMessage> open = new TreeMap<>();
    private final ArrayDeque<InboundMessage> line = new ArrayDeque<>(); // ordered only: open messages in order
    private long bytes;
    private long nextOffset;
    private boolean pulling;
    private boolean stalled;
    private boolean running;
    private boolean suspended; // the run waits for a thread or for the time of the next attempt, and no handler runs
    private boolean dropped;
    private Runnable whenIdle;
    private long committed = -1;
    private long suggestedBroker;
    private long lockedNanos;
    private boolean hasPulled;
    private long pullNanos;
    private boolean hasDone;
    private long doneNanos;

    ProcessQueue(MessageQueue queue, long offset, boolean ordered, int maxMessages, long maxBytes) {
        this.queue = queue;
        this.nextOffset = offset;
        this.ordered = ordered;
        this.maxMessages = maxMessages;
        this.maxBytes = maxBytes;
    }

    /** The same queue, with the same lock, from another offset on. */
    ProcessQueue at(long offset) {
        ProcessQueue next = new ProcessQueue(queue, offset, ordered, maxMessages, maxBytes);
        synchronized (this) {
            next.lockedNanos = lockedNanos;
        }
        return next;
    }

    // ---- fetching

    /** The offset to pull from, or -1 if there must be no pull now: one is under way, the queue is full or given up. */
    synchronized long beginPull(long nowNanos) {
        if (dropped || pulling) {
            return -1;
        }
        if (open.size() >= maxMessages || bytes >= maxBytes) {
            stalled = true;
            return -1;
        }
        pulling = true;
        pullNanos = nowNanos;
        hasPulled = true;
        return nextOffset;
    }

    /** The pull under way has failed. */
    synchronized void pullFailed() {
        pulling = false;
    }

    /**
     * The pull under way has brought messages, or only a new offset.
     *
     * @param matching the messages to handle
     * @param next behind everything the broker has looked at
     * @return false if the queue was given up meanwhile
     */
    synchronized boolean pulled(List<InboundMessage> matching, long next, long broker) {
        pulling = false;
        if (dropped) {
            return false;
        }
        for (InboundMessage message : matching) {
            if (open.putIfAbsent(message.offset(), message) == null) {
                bytes += message.stored().storeSize();
                if (ordered) {
                    line.add(message);
                }
            }
        }
        nextOffset = next;
        suggestedBroker = broker;
        return true;
    }

    synchronized long suggestedBroker() {
        return suggestedBroker;
    }

    /** A message is done. True if that made room a pull waits for. */
    synchronized boolean done(InboundMessage message) {
        if (open.remove(message.offset()) != null) {
            bytes -= message.stored().storeSize();
        }
        if (stalled && open.size() < maxMessages && bytes < maxBytes) {
            stalled = false;
            return true;
        }
        return false;
    }

    synchronized int openMessages() {
        return open.size();
    }

    // ---- progress

    /** Everything below is done. */
    synchronized long progress() {
        return open.isEmpty() ? nextOffset : open.firstKey();
    }

    /** The progress if the broker does not have it yet, else -1. */
    synchronized long uncommitted() {
        long progress = progress();
        return progress == committed ? -1 : progress;
    }

    synchronized void committed(long offset) {
        committed = offset;
    }

    // ---- ordered handling

    /** True if the caller must now hand a step to a thread, which calls {@link #resumeRun}: there is a message and nobody runs. */
    synchronized boolean beginRun() {
        if (running || dropped || line.isEmpty()) {
            return false;
        }
        running = true;
        suspended = true;
        return true;
    }

    /** The message to handle next, or null if the run must end. */
    synchronized InboundMessage head() {
        return dropped ? null : line.peek();
    }

    /** The head is done. True if that made room a pull waits for. */
    synchronized boolean headDone(InboundMessage head) {
        if (line.peek() != null && line.peek().offset() == head.offset()) {
            line.poll();
        }
        return done(head);
    }

    /**
     * The run goes on with another step, by {@link #resumeRun}. Until a thread begins that step, which a paused consumer puts off, giving the queue up
     * waits for nothing. False if the queue was given up meanwhile: then the run must end.
     */
    synchronized boolean rest() {
        suspended = !dropped;
        return suspended;
    }

    /** The head will be tried again later, by {@link #resumeRun}. False if the queue was given up meanwhile: then the run must end. */
    synchronized boolean suspendRun(InboundMessage head) {
        if (line.peek() == head) {
            line.poll();
            line.addFirst(head.triedOnceMore());
        }
        return rest();
    }

    /** True if the suspended run goes on with the caller; false if the queue was given up meanwhile, and the run with it. */
    synchronized boolean resumeRun() {
        boolean goesOn = suspended;
        suspended = false;
        return goesOn;
    }

    /** The run has ended; gives what waited for it, or null. */
    synchronized Runnable endRun() {
        running = false;
        Runnable action = whenIdle;
        whenIdle = null;
        return action;
    }

    // ---- telling

    /** A message is done now. */
    synchronized void doneAt(long nanos) {
        doneNanos = nanos;
        hasDone = true;
    }

    /** How it stands; times of nothing yet are 0. */
    synchronized ConsumerRunningInfo.QueueInfo info(boolean locked, long nowNanos, long nowMillis) {
        return new ConsumerRunningInfo.QueueInfo(
                progress(),
                open.isEmpty() ? 0 : open.firstKey(),
                open.isEmpty() ? 0 : open.lastKey(),
                open.size(),
                (int) (bytes >> 20),
                locked,
                locked ? nowMillis - (nowNanos - lockedNanos) / 1_000_000 : 0,
                dropped,
                hasPulled ? nowMillis - (nowNanos - pullNanos) / 1_000_000 : 0,
                hasDone ? nowMillis - (nowNanos - doneNanos) / 1_000_000 : 0);
    }

    // ---- giving up

    synchronized boolean isDropped() {
        return dropped;
    }

    /**
     * Gives the queue up: nothing more is fetched or begun. False if it was given up before.
     *
     * @param idle runs when no handler runs any more; at once if none does
     */
    boolean drop(Runnable idle) {
        synchronized (this) {
            if (dropped) {
                return false;
            }
            dropped = true;
            if (running && !suspended) {
                whenIdle = idle;
                return true;
            }
            running = false;
            suspended = false;
        }
        idle.run();
        return true;
    }

    // ---- lock

    synchronized void locked(long nanos) {
        lockedNanos = nanos;
    }

    synchronized boolean isLockFresh(long nowNanos, long lifeMillis) {
        return nowNanos - lockedNanos < lifeMillis * 1_000_000;
    }

    @Override
    public String toString() {
        return queue.toString();
    }
}
