/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.store.TimerStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import java.util.List;

/**
 * Cancels every delayed message with one unique key: a producer that retried a send may have stored several. One after the other, so that the first failure
 * ends it. Thread-safe, without state of its own.
 */
public final class TimerCancellation {
    private final TimerStore store;

    public TimerCancellation(TimerStore store) {
        this.store = store;
    }

    /** Gets the end of it, once. */
    @FunctionalInterface
    public interface CancellationCallback {
        /** @param last the record of the last cancellation; null if none was pending; or the failure that ended it, no {@code Stored} */
        void done(int cancelled, Outcome last);
    }

    /** May block on the disk. */
    public void cancel(String topic, String uniqueKey, String by, CancellationCallback answer) {
        cancel(store.handlesByUniqueKey(topic, uniqueKey), 0, by, 0, null, answer);
    }

    private void cancel(
            List<Long> handles, int next, String by, int cancelled, Stored last, CancellationCallback answer) {
        if (next == handles.size()) {
            answer.done(cancelled, last);
            return;
        }
        store.cancel(handles.get(next), by, outcome -> {
            if (outcome instanceof Stored stored) {
                cancel(handles, next + 1, by, cancelled + 1, stored, answer);
            } else if (outcome instanceof Refused) { // it was delivered or cancelled meanwhile
                cancel(handles, next + 1, by, cancelled, last, answer);
            } else {
                answer.done(cancelled, outcome);
            }
        });
    }
}
