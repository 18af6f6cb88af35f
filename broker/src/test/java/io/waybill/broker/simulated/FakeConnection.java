/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.simulated;

import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A client's end of a connection that keeps what it is sent. */
public final class FakeConnection implements Connection {
    private final long id;
    private final InetSocketAddress remote;
    private final Map<String, Object> attributes = new HashMap<>();
    private final List<Runnable> onClose = new ArrayList<>();
    private final List<Command> received = new ArrayList<>();
    private final Deque<CompletableFuture<Command>> calls = new ArrayDeque<>();
    private boolean open = true;
    private boolean diesOnSend;

    public FakeConnection(long id) {
        this.id = id;
        this.remote = new InetSocketAddress("127.0.0.1", (int) (50_000 + id));
    }

    /** What the broker sent, taken. */
    public List<Command> take() {
        List<Command> taken = List.copyOf(received);
        received.clear();
        return taken;
    }

    /** The next write finds out that the peer is gone. */
    public void dieOnSend() {
        diesOnSend = true;
    }

    /** Answers the oldest question of the broker that is still open. */
    public void answer(Command response) {
        calls.remove().complete(response);
    }

    /** Fails the oldest question of the broker that is still open. */
    public void fail(Throwable failure) {
        calls.remove().completeExceptionally(failure);
    }

    @Override
    public long id() {
        return id;
    }

    @Override
    public InetSocketAddress remoteAddress() {
        return remote;
    }

    @Override
    public InetSocketAddress localAddress() {
        return new InetSocketAddress("127.0.0.1", 10911);
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void send(Command oneway) {
        if (diesOnSend) {
            close();
        } else if (open) {
            received.add(oneway);
        }
    }

    @Override
    public CompletableFuture<Command> call(Command request, long timeoutMillis) {
        received.add(request);
        CompletableFuture<Command> answer = new CompletableFuture<>();
        calls.add(answer);
        return answer;
    }

    @Override
    public void onClose(Runnable action) {
        onClose.add(action);
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            onClose.forEach(Runnable::run);
        }
    }

    @Override
    public Object attribute(String key) {
        return attributes.get(key);
    }

    @Override
    public void attribute(String key, Object value) {
        attributes.put(key, value);
    }
}
