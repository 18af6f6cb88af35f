/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;

/** One open or closed socket between two processes. Both sides may send requests on it. All methods are thread-safe. */
public interface Connection {
    /** Unique within the process, never reused. */
    long id();

    InetSocketAddress remoteAddress();

    InetSocketAddress localAddress();

    boolean isOpen();

    /** Sends a request that gets no answer; lost without notice when the connection is closed or its peer reads too slowly. */
    void send(Command oneway);

    /**
     * Sends a request to the peer and completes with its response, or exceptionally with a {@link RemotingException},
     * or with IllegalArgumentException when the request exceeds what a frame can carry.
     * The future completes on an event loop: continue with the {@code Async} methods when the next step may block. Its
     * body stays valid for as long as it is referenced.
     */
    CompletableFuture<Command> call(Command request, long timeoutMillis);

    /** Runs the action once when the connection has closed; at once if it has already. It must not block. */
    void onClose(Runnable action);

    /** Closes at once; what is unsent is lost, and pending calls fail. */
    void close();

    /** What was stored under the key, or null. */
    Object attribute(String key);

    /** Stores a value under the key for the life of the connection; null removes it. */
    void attribute(String key, Object value);
}
