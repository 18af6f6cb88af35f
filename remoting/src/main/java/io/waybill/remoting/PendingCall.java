/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.util.concurrent.CompletableFuture;

/** A request that waits for its response: first on the way out, then in its connection's table under its opaque. */
final class PendingCall extends Outgoing {
    final CompletableFuture<Command> future = new CompletableFuture<>();
    final long deadlineNanos;
    private final Command command;
    private int opaque;

    PendingCall(Command command, long deadlineNanos) {
        this.command = command;
        this.deadlineNanos = deadlineNanos;
    }

    @Override
    Command outgoing() {
        return command;
    }

    @Override
    int opaque(SocketConnection connection) {
        opaque = connection.nextOpaque();
        return opaque;
    }

    @Override
    boolean wanted() {
        return !future.isDone();
    }

    @Override
    void encoded(SocketConnection connection) {
        connection.await(opaque, this);
    }

    @Override
    void dropped(SocketConnection connection, RuntimeException reason) {
        future.completeExceptionally(reason);
    }
}
