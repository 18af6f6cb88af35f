/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Servers and clients of one test on loopback, all closed at its end, the last made first. */
final class Bench implements AutoCloseable {
    static final long PATIENCE_SECONDS = 20;

    final EventLoops loops = EventLoops.create(2);
    private final Deque<AutoCloseable> made = new ArrayDeque<>();

    static ServerSettings settings() {
        return ServerSettings.defaults("127.0.0.1", 0);
    }

    RemotingServer server(RequestHandler handler) {
        return server(settings(), handler, ConnectionListener.NONE);
    }

    RemotingServer server(ServerSettings settings, RequestHandler handler, ConnectionListener listener) {
        try {
            return kept(RemotingServer.start(settings, loops, handler, listener));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    RemotingClient client() {
        return client(ClientSettings.defaults(), null);
    }

    RemotingClient client(ClientSettings settings, RequestHandler handler) {
        return kept(new RemotingClient(loops, settings, handler));
    }

    private <T extends AutoCloseable> T kept(T thing) {
        made.push(thing);
        return thing;
    }

    static Command get(CompletableFuture<Command> future) throws Exception {
        return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** What the future failed with. */
    static RemotingException failure(CompletableFuture<?> future) throws Exception {
        try {
            Throwable reason = future.handle((value, failure) -> failure).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (reason instanceof CompletionException) {
                reason = reason.getCause();
            }
            if (reason instanceof RemotingException) {
                return (RemotingException) reason;
            }
            throw new AssertionError("not a failed call: " + reason);
        } catch (TimeoutException e) {
            throw new AssertionError("neither a response nor a failure", e);
        }
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] copy = new byte[buffer.remaining()];
        buffer.duplicate().get(copy);
        return copy;
    }

    @Override
    public void close() throws Exception {
        while (!made.isEmpty()) {
            made.pop().close();
        }
        loops.close();
    }
}
