/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Whose turn it is to work on a request that may wait.
 *
 * <p>What always holds: one thread at a time works on it, and it is answered at most once. Whoever wants something of
 * it notes a reason with {@link #begin}; if another thread works on it right now, that thread sees the reason when it
 * ends its turn. So nobody ever waits for anybody, and no reason is lost. A superclass and not a part, so that a pull
 * stays one object.
 */
abstract class DrainLoop {
    private static final int BUSY = 1 << 30;
    private static final int ANSWERED = 1 << 29;
    /** Every other bit is a reason of the subclass. */
    private static final int REASONS = ANSWERED - 1;

    private final AtomicInteger state = new AtomicInteger();

    /** Notes reasons; true when the caller is to work on it now, until {@link #goesOn} says no. Any thread. */
    public final boolean begin(int reasons) {
        int before = state.getAndAccumulate(reasons | BUSY, (s, more) -> s | more);
        return (before & (BUSY | ANSWERED)) == 0;
    }

    /** Notes a reason for another turn of the one who works on it. */
    public final void note(int reason) {
        state.getAndAccumulate(reason, (s, more) -> s | more);
    }

    /** The reasons noted so far, taken. */
    public final int takeReasons() {
        return state.getAndUpdate(s -> s & ~REASONS) & REASONS;
    }

    /** Ends the turn; true when reasons came meanwhile and the same thread has another one. */
    public final boolean goesOn() {
        while (true) {
            int now = state.get();
            if ((now & ANSWERED) != 0) {
                return false;
            }
            if ((now & REASONS) != 0) {
                return true;
            }
            if (state.compareAndSet(now, now & ~BUSY)) {
                return false;
            }
        }
    }

    public final boolean isAnswered() {
        return (state.get() & ANSWERED) != 0;
    }

    public final void answered() {
        note(ANSWERED);
    }
}
