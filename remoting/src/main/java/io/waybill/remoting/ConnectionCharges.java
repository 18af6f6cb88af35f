/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.util.function.ToDoubleFunction;

/**
 * What one connection holds of each of the {@link MemoryBudgets}. A request is charged once, in hand or, from when it waits for a message, as
 * waiting, until it is answered; at the end of each burst the sums know all of it. The connection stands among those that may be closed for memory
 * exactly while its peer makes it hold more than {@link Charge#FLOOR_BYTES} (docs/adr/0023). After {@link #clear} it holds nothing and never
 * again. Of the connection's event loop, except {@link #mayWait}.
 */
final class ConnectionCharges {
    // What a request occupies beside its bytes, so that a flood of tiny ones is bounded too.
    private static final int REQUEST_OVERHEAD_BYTES = 512;

    /** Frames whose end has not come, and bytes that wait while reading is paused. */
    final Charge arriving;

    /** Replies that the peer has not read. */
    final Charge unsent;

    private final Charge inHand;
    private final Charge waiting;
    private final MemoryBudgets memory;
    private final SocketConnection connection;
    private final long maxInHandBytes;
    private int unanswered;
    private boolean isHolding;
    private boolean isFinishing;
    private boolean isCleared;

    /** @param share of the peer's address; null = it is not shared out by address */
    ConnectionCharges(
            SocketConnection connection, MemoryBudgets memory, MemoryBudgets.AddressShare share, long maxInHandBytes) {
        this.connection = connection;
        this.memory = memory;
        this.maxInHandBytes = maxInHandBytes;
        this.arriving = new Charge(memory.arriving, share == null ? null : share.arriving);
        this.unsent = new Charge(memory.unsent, share == null ? null : share.unsent);
        this.inHand = new Charge(memory.inHand, share == null ? null : share.inHand);
        this.waiting = new Charge(memory.waiting, share == null ? null : share.waiting);
    }

    // ---- requests

    static int ofRequest(int frameBytes) {
        return frameBytes + REQUEST_OVERHEAD_BYTES;
    }

    /** Counts a request; false when there is no share left for it, and it has to be refused. */
    boolean begin(int charge) {
        boolean fits = inHand.admits(charge);
        inHand.add(charge);
        unanswered++;
        return fits;
    }

    /** The request is answered, or never will be. */
    void end(IncomingRequest request) {
        inHand.add(-request.charge);
        waiting.add(-request.waitingCharge);
        request.charge = 0;
        request.waitingCharge = 0;
        unanswered--;
    }

    /** Whether one more request may wait for a message. Any thread. */
    boolean mayWait(long bytes) {
        return waiting.admits(bytes + REQUEST_OVERHEAD_BYTES);
    }

    /** The request waits from now on and holds only so much meanwhile; false when it is answered already, or waits. */
    boolean beginWait(IncomingRequest request, long bytes) {
        if (request.charge <= 0 || request.waitingCharge != 0) {
            return false;
        }
        inHand.add(-request.charge);
        request.charge = 0;
        request.waitingCharge = bytes + REQUEST_OVERHEAD_BYTES;
        waiting.add(request.waitingCharge);
        return true;
    }

    int unanswered() {
        return unanswered;
    }

    /** True when reading is to stop. */
    boolean hasMuchInHand() {
        return inHand.bytes() > mostInHand();
    }

    /** True when reading may go on after it stopped. */
    boolean hasLittleInHand() {
        return inHand.bytes() <= mostInHand() / 2;
    }

    /** Where reading stops by itself: the more all others have in hand, the less this one takes. */
    private long mostInHand() {
        return Math.min(maxInHandBytes, inHand.comfortableBytes());
    }

    /** For refusals: which limit it was. */
    String limitInHand() {
        return inHand.limit();
    }

    void settleRequests() {
        inHand.settle();
        waiting.settle();
    }

    // ---- what the peer makes it hold

    /** Tells the sums what a burst changed of what arrives, and whether the connection holds memory for its peer. */
    void settleHeld() {
        arriving.settle();
        boolean holds = arriving.bytes() > Charge.FLOOR_BYTES || unsent.bytes() > Charge.FLOOR_BYTES;
        if (holds != isHolding && !isCleared) {
            isHolding = holds;
            if (holds) {
                memory.holds(connection);
            } else {
                memory.holdsNothing(connection);
            }
        }
    }

    /** True when the sum of unread replies is beyond its limit: small ones are never refused. */
    boolean areUnsentExceeded() {
        return memory.unsent.freeBytes() < 0;
    }

    /** Whether the frame that is arriving may take what it needs although there is no share left. */
    boolean mayFinish() {
        isFinishing = memory.mayFinish(connection);
        return isFinishing;
    }

    /** A frame has arrived whole. */
    void frameRead() {
        if (isFinishing) {
            isFinishing = false;
            memory.finished(connection);
        }
    }

    /**
     * The other connection that has the greatest weight gives way, if one has any.
     *
     * @param weight see {@link MemoryBudgets#heaviest}
     */
    void closeHeaviest(long nowNanos, ToDoubleFunction<SocketConnection> weight, String reason) {
        SocketConnection heaviest =
                memory.heaviest(nowNanos, each -> each == connection ? 0 : weight.applyAsDouble(each));
        if (heaviest != null) {
            heaviest.giveWay(reason);
        }
    }

    /** Gives back all. */
    void clear() {
        isCleared = true;
        arriving.clear();
        unsent.clear();
        inHand.clear();
        waiting.clear();
        memory.holdsNothing(connection);
        memory.finished(connection);
        unanswered = 0;
    }
}
