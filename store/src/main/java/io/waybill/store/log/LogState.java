/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether the log takes changes. Goes from open to frozen or closed, and never back. */
final class LogState {
    private static final Logger LOG = LoggerFactory.getLogger(LogState.class);

    private final AtomicReference<StoreState> state = new AtomicReference<>(StoreState.OPEN);
    private final AtomicBoolean closing = new AtomicBoolean();
    private volatile Runnable frozen = () -> {};

    StoreState get() {
        StoreState now = state.get();
        return closing.get() && now.isOpen() ? StoreState.CLOSED : now;
    }

    /** For new changes. */
    boolean isOpen() {
        return !closing.get() && state.get().isOpen();
    }

    /** For changes that were taken before the closing began. */
    boolean isOpenForRole() {
        return state.get().isOpen();
    }

    /** Once a write or force failed nobody knows what is on disk: the same pages are never tried again. */
    void freeze(String reason) {
        if (state.compareAndSet(StoreState.OPEN, new StoreState(StoreState.StoreMode.FROZEN, reason))) {
            LOG.error(
                    "the store is frozen: {}. Confirmed data can still be read; restart when the disk is well", reason);
            frozen.run();
        }
    }

    /** The answer for a change when the log is frozen. */
    void failFrozen(LogWrite change, boolean maybeStored) {
        change.fail(
                Failed.FailureCause.FROZEN,
                maybeStored,
                "the store is frozen until it is opened again: " + get().reason());
    }

    /** Run, by the thread that met the failure, when the log is frozen; at once if it is. Must not block. */
    void onFrozen(Runnable told) {
        frozen = told;
        if (state.get().kind() == StoreState.StoreMode.FROZEN) {
            told.run();
        }
    }

    /** False if it was closing already. */
    boolean beginClosing() {
        return closing.compareAndSet(false, true);
    }

    void closed() {
        state.compareAndSet(StoreState.OPEN, StoreState.CLOSED);
    }
}
