/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.message.Message;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * A message taken by pop. What is done with it goes by its handle, which changes with every renewal; so these things are done one after the other, each
 * with the handle the one before has left.
 */
final class PoppedMessage extends InboundMessage {
    private final String wireTopic;
    private CompletableFuture<PopHandle> handle; // guarded by this; of the last step, finished or not
    private boolean settled; // guarded by this

    /** @param wireTopic the topic acknowledgements must name */
    PoppedMessage(Message stored, MessageQueue queue, String wireTopic, PopHandle handle) {
        super(stored, queue, 0);
        this.wireTopic = wireTopic;
        this.handle = CompletableFuture.completedFuture(handle);
    }

    String wireTopic() {
        return wireTopic;
    }

    /** Does something with the newest handle; its result is the handle from then on, or the old one if it fails. */
    CompletableFuture<PopHandle> next(Function<PopHandle, CompletableFuture<PopHandle>> step) {
        CompletableFuture<PopHandle> done = new CompletableFuture<>();
        CompletableFuture<PopHandle> before;
        synchronized (this) {
            before = handle;
            handle = done.handle((next, failure) -> next).thenCombine(before, (next, old) -> next == null ? old : next);
        }
        before.thenAccept(current -> {
            try {
                step.apply(current).whenComplete((next, failure) -> {
                    if (failure == null) {
                        done.complete(next);
                    } else {
                        done.completeExceptionally(ClientExceptions.unwrap(failure));
                    }
                });
            } catch (RuntimeException e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    /** True for the first caller: from now on it is not renewed any more. */
    synchronized boolean settle() {
        boolean first = !settled;
        settled = true;
        return first;
    }

    synchronized boolean isSettled() {
        return settled;
    }
}
