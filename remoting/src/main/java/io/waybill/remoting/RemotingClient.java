/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.resolver.NoopAddressResolverGroup;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Calls servers by address. There is at most one connection per address, opened by the first call and shared by all
 * threads; a failed one is opened anew by the next call. It uses the event loops it was given and does not close them.
 *
 * <p>Futures complete on event loops: never block in a continuation, use the {@code Async} methods. Failures are {@link
 * RemotingException}s.
 */
public final class RemotingClient implements AutoCloseable {
    private static final long MAX_IN_FLIGHT_BYTES = 16L << 20;
    private static final long MAX_IN_FLIGHT_BYTES_TOTAL = 64L << 20;
    private static final int SMALLEST_READ = 1024;
    private static final int FIRST_READ = 8 * 1024;
    private static final int LARGEST_READ = 64 * 1024;
    private static final RequestHandler NO_REQUESTS = request -> request.refuse(
            ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "request type " + request.code() + " not supported");

    private final EventLoops loops;
    private final ClientSettings settings;
    private final RequestHandler handler;
    private final ConnectionListener listener;
    private final ConnectionLimits limits;
    private final MemoryBudgets memory = MemoryBudgets.of(MAX_IN_FLIGHT_BYTES_TOTAL);
    private final ConcurrentHashMap<String, Endpoint> endpoints = new ConcurrentHashMap<>();
    private volatile boolean closed;

    public RemotingClient(EventLoops loops, ClientSettings settings, RequestHandler forRequestsFromTheServer) {
        this(loops, settings, forRequestsFromTheServer, ConnectionListener.NONE);
    }

    /**
     * As above, told of connections as they come and go.
     *
     * @param forRequestsFromTheServer null = every request is refused with code 3
     */
    public RemotingClient(
            EventLoops loops,
            ClientSettings settings,
            RequestHandler forRequestsFromTheServer,
            ConnectionListener listener) {
        this.loops = loops;
        this.settings = settings;
        this.handler = forRequestsFromTheServer == null ? NO_REQUESTS : forRequestsFromTheServer;
        this.listener = listener;
        this.limits = new ConnectionLimits(
                settings.maxFrameBytes(),
                MAX_IN_FLIGHT_BYTES,
                settings.maxUnsentBytes(),
                settings.idleMillis(),
                settings.maxPendingCalls());
    }

    /** Calls {@code host:port}; an IPv6 address stands in brackets. The time includes connecting. Never throws. */
    public CompletableFuture<Command> call(String address, Command request, long timeoutMillis) {
        PendingCall call =
                new PendingCall(request, loops.clock().nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis));
        submit(address, call);
        return call.future;
    }

    public CompletableFuture<Command> call(InetSocketAddress address, Command request, long timeoutMillis) {
        return call(Addresses.text(address), request, timeoutMillis);
    }

    /** Sends a request that gets no answer; lost without notice when there is no connection or the peer is slow. */
    public void oneway(String address, Command request) {
        submit(address, new OnewaySend(request));
    }

    public void oneway(InetSocketAddress address, Command request) {
        oneway(Addresses.text(address), request);
    }

    /** The open connection to the address, or null. */
    public Connection connection(String address) {
        Endpoint endpoint = endpoints.get(address);
        SocketConnection connection = endpoint == null ? null : endpoint.connection;
        return connection != null && connection.isOpen() ? connection : null;
    }

    /** Closes the connection to the address, if there is one; its pending calls fail. The next call opens a new one. */
    public void closeConnection(String address) {
        Endpoint endpoint = endpoints.remove(address);
        if (endpoint != null) {
            endpoint.close();
        }
    }

    /** Closes all connections; calls that are pending or come later fail as closed. Idempotent. */
    @Override
    public void close() {
        closed = true;
        for (String address : List.copyOf(endpoints.keySet())) {
            closeConnection(address);
        }
    }

    private void submit(String address, Outgoing item) {
        if (closed) {
            item.dropped(null, closedClient());
            return;
        }
        Endpoint endpoint = endpoints.get(address);
        if (endpoint == null) {
            endpoint = endpoints.computeIfAbsent(address, Endpoint::new);
        }
        SocketConnection connection = endpoint.connection;
        if (connection != null && connection.isOpen()) {
            connection.push(item);
        } else {
            endpoint.submitConnecting(item);
        }
    }

    private static RemotingException closedClient() {
        return new RemotingException(RemotingException.CallFailure.CLOSED, false, "this client is closed");
    }

    /** One address, its connection, and what waits for it. */
    private final class Endpoint {
        private final String address;
        private volatile SocketConnection connection;
        private ArrayDeque<QueuedCall> waiting = new ArrayDeque<>(); // under this
        private boolean connecting; // under this
        private boolean abandoned; // under this

        Endpoint(String address) {
            this.address = address;
        }

        void submitConnecting(Outgoing item) {
            RemotingException refusal = null;
            synchronized (this) {
                SocketConnection known = connection;
                if (abandoned) {
                    refusal = abandonment();
                } else if (known != null && known.isOpen()) {
                    known.push(item);
                    return;
                } else if (waiting.size() >= settings.maxPendingCalls()) {
                    refusal = new RemotingException(
                            RemotingException.CallFailure.OVERLOADED,
                            false,
                            waiting.size() + " calls already wait for a connection to " + address);
                } else {
                    waiting.add(new QueuedCall(item, item instanceof PendingCall ? timer((PendingCall) item) : null));
                    if (connecting) {
                        return;
                    }
                    connecting = true;
                }
            }
            if (refusal != null) {
                item.dropped(null, refusal);
            } else {
                connect();
            }
        }

        private Future<?> timer(PendingCall call) {
            Runnable expire = () -> call.future.completeExceptionally(new RemotingException(
                    RemotingException.CallFailure.TIMEOUT,
                    false,
                    "no connection to " + address + " within the time given"));
            try {
                return loops.group()
                        .next()
                        .schedule(
                                expire,
                                Math.max(0, call.deadlineNanos - loops.clock().nanoTime()),
                                TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException | IllegalStateException loopsClosed) {
                return null; // and connecting fails for the same reason
            }
        }

        private void connect() {
            try {
                InetSocketAddress target = Addresses.parse(address);
                if (!target.isUnresolved()) {
                    open(target);
                } else {
                    loops.resolver()
                            .execute(() -> open(new InetSocketAddress(target.getHostString(), target.getPort())));
                }
            } catch (RuntimeException e) {
                finish(null, e);
            }
        }

        private void open(InetSocketAddress target) {
            if (target.isUnresolved()) {
                finish(null, new IllegalArgumentException("unknown host"));
                return;
            }
            try {
                SocketConnection fresh = new SocketConnection(
                        false, limits, memory, null, loops.clock(), loops.peerLogLimits(), handler, listener);
                ChannelFuture connected = bootstrap(fresh).connect(target);
                connected.addListener(done -> {
                    if (done.isSuccess()) {
                        fresh.activate();
                    }
                    finish(done.isSuccess() ? fresh : null, done.cause());
                });
            } catch (RuntimeException e) {
                finish(null, e);
            }
        }

        private Bootstrap bootstrap(SocketConnection fresh) {
            return new Bootstrap()
                    .group(loops.group())
                    .channel(loops.clientChannel())
                    .resolver(NoopAddressResolverGroup.INSTANCE)
                    .option(ChannelOption.TCP_NODELAY, true)
                    .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) settings.connectTimeoutMillis())
                    .option(
                            ChannelOption.WRITE_BUFFER_WATER_MARK,
                            new WriteBufferWaterMark(limits.lowWaterMark(), limits.highWaterMark()))
                    .option(
                            ChannelOption.RECVBUF_ALLOCATOR,
                            new AdaptiveRecvByteBufAllocator(SMALLEST_READ, FIRST_READ, LARGEST_READ))
                    .handler(new ChannelInitializer<>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            channel.pipeline().addLast(fresh);
                        }
                    });
        }

        /** An exception without a message says by its name what happened. */
        private static String reason(Throwable failure) {
            String message = failure.getMessage();
            return message == null || message.isBlank() || message.startsWith("null")
                    ? failure.getClass().getSimpleName()
                    : message;
        }

        private void finish(SocketConnection opened, Throwable failure) {
            RuntimeException reason = null;
            ArrayDeque<QueuedCall> served;
            synchronized (this) {
                connecting = false;
                served = waiting;
                waiting = new ArrayDeque<>();
                if (abandoned) {
                    reason = abandonment();
                } else if (opened == null) {
                    reason = new RemotingException(
                            RemotingException.CallFailure.CONNECT_FAILED,
                            false,
                            "no connection to " + address + ": " + reason(failure),
                            failure);
                } else {
                    // Handed over before later calls can see the connection: the order of calls is kept.
                    for (QueuedCall each : served) {
                        each.stopTimer();
                        opened.push(each.item);
                    }
                    connection = opened;
                    return;
                }
            }
            if (opened != null) {
                opened.close();
            }
            for (QueuedCall each : served) {
                each.stopTimer();
                each.item.dropped(null, reason);
            }
        }

        private RemotingException abandonment() {
            return closed
                    ? closedClient()
                    : new RemotingException(
                            RemotingException.CallFailure.CLOSED,
                            false,
                            "the connection to " + address + " was closed");
        }

        void close() {
            SocketConnection open;
            synchronized (this) {
                abandoned = true;
                open = connection;
            }
            if (open != null) {
                open.close();
            }
        }
    }

    private record QueuedCall(Outgoing item, Future<?> timer) {
        void stopTimer() {
            if (timer != null) {
                timer.cancel(false);
            }
        }
    }
}
