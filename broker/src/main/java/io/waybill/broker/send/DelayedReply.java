/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import java.util.function.BiConsumer;

/**
 * Brings together what the reply of a delayed send needs: the outcome, which may come first or second and from another
 * thread, and the handle that recalls the message.
 */
final class DelayedReply implements Completion {
    private final BiConsumer<Outcome, String> reply;
    private Outcome outcome;
    private String handle;
    private boolean hasHandle;

    DelayedReply(BiConsumer<Outcome, String> reply) {
        this.reply = reply;
    }

    @Override
    public void done(Outcome result) {
        synchronized (this) {
            outcome = result;
            if (!hasHandle) {
                return;
            }
        }
        reply.accept(outcome, handle);
    }

    /** Gives the handle; null when there is none. */
    void handle(String recallHandle) {
        synchronized (this) {
            handle = recallHandle;
            hasHandle = true;
            if (outcome == null) {
                return;
            }
        }
        reply.accept(outcome, handle);
    }
}
