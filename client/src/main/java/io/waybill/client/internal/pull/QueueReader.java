/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pull;

import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.message.InboundMessage;
import java.util.ArrayDeque;

/** One queue of a pull consumer. Guarded by the consumer's monitor. */
final class QueueReader {
    /** Fetches ahead while fewer messages than this are buffered. */
    private static final int READ_AHEAD = 32;

    final MessageQueue queue;
    final ArrayDeque<InboundMessage> buffer = new ArrayDeque<>();
    long position; // of the next message to hand out
    long fetchedTo; // of the next pull
    long committed = -1;
    long suggestedBroker;
    int round;
    boolean pulling;
    boolean resting;
    long lastPullMillis;
    WaybillException trouble; // of the last pull, or null

    QueueReader(MessageQueue queue, long position) {
        this.queue = queue;
        moveTo(position);
    }

    /** Begins a new round: answers to pulls of an older one are dropped. */
    void moveTo(long offset) {
        position = offset;
        fetchedTo = offset;
        buffer.clear();
        pulling = false;
        round++;
    }

    /** Where reading goes on: behind what was handed out, and behind what did not match. */
    long progress() {
        return buffer.isEmpty() ? fetchedTo : position;
    }

    boolean wantsPull() {
        return !pulling && !resting && buffer.size() < READ_AHEAD;
    }

    @Override
    public String toString() {
        return queue.toString();
    }
}
