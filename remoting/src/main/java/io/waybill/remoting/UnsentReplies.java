/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;

/**
 * Counts what was written and the peer has not taken, as memory. It is counted after each flush, and again and again as long as there is some: a
 * peer that reads nothing causes no event that would tell. Of the connection's event loop.
 */
final class UnsentReplies {
    private static final long COUNT_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final SocketConnection connection;
    private final boolean accepted;
    private final SocketOutput output;
    private final ConnectionCharges charges;
    private final EventLoop loop;
    private boolean isScheduled;

    UnsentReplies(
            SocketConnection connection,
            boolean accepted,
            SocketOutput output,
            ConnectionCharges charges,
            EventLoop loop) {
        this.connection = connection;
        this.accepted = accepted;
        this.output = output;
        this.charges = charges;
        this.loop = loop;
    }

    void count() {
        long held = output.heldBytes();
        if (held != charges.unsent.bytes() && !connection.isClosed()) {
            charges.unsent.add(held - charges.unsent.bytes());
            charges.unsent.settle();
            charges.settleHeld();
        }
        if (accepted && held > 0 && charges.areUnsentExceeded()) {
            connection.closeHeaviestUnread(); // since small replies are never refused
        }
        if (held > 0 && !isScheduled && !connection.isClosed()) {
            isScheduled = true;
            loop.schedule(this::countAgain, COUNT_AGAIN_NANOS, TimeUnit.NANOSECONDS);
        }
    }

    private void countAgain() {
        isScheduled = false;
        count();
    }
}
