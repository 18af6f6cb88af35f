/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens on one address. Once started it accepts until closed; a connection that breaks the frame rules costs only
 * itself. It uses the event loops it was given and does not close them.
 */
public final class RemotingServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RemotingServer.class);
    private static final int BACKLOG = 1024;
    private static final int MAX_CALLS_TO_ONE_PEER = 1024;
    private static final int SMALLEST_READ = 1024;
    private static final int FIRST_READ = 8 * 1024;
    private static final int LARGEST_READ = 64 * 1024;

    private final ServerSettings settings;
    private final EventLoops loops;
    private final RequestHandler handler;
    private final ConnectionListener listener;
    private final SocketConnection.Limits limits;
    private final Budget budget;
    private final ChannelGroup connections;
    private Channel listening;
    private volatile boolean closing;

    private RemotingServer(
            ServerSettings settings, EventLoops loops, RequestHandler handler, ConnectionListener listener) {
        this.settings = settings;
        this.loops = loops;
        this.handler = handler;
        this.listener = listener;
        this.limits = new SocketConnection.Limits(
                settings.maxFrameBytes(),
                settings.maxInFlightBytesPerConnection(),
                settings.maxUnsentBytes(),
                settings.idleMillis(),
                MAX_CALLS_TO_ONE_PEER);
        this.budget = new Budget(settings.maxInFlightBytesTotal());
        this.connections = new DefaultChannelGroup(loops.group().next());
    }

    /**
     * Binds and accepts at once.
     *
     * @throws IOException names the address when it cannot be bound
     */
    public static RemotingServer start(
            ServerSettings settings, EventLoops loops, RequestHandler handler, ConnectionListener listener)
            throws IOException {
        RemotingServer server = new RemotingServer(settings, loops, handler, listener);
        server.bind();
        return server;
    }

    /** Where it listens, with the real port. */
    public InetSocketAddress address() {
        return (InetSocketAddress) listening.localAddress();
    }

    /** Bytes of requests that were read and are not answered, all connections together. */
    public long inFlightBytes() {
        return budget.used();
    }

    /** Connections open now. */
    public int connectionCount() {
        return connections.size();
    }

    /**
     * Stops accepting and reading, lets replies that are pending leave for up to the drain time, then closes what is
     * left. Does not wait when called on an event loop. Idempotent.
     */
    @Override
    public void close() {
        closing = true;
        boolean mayWait = !loops.isLoopThread();
        ChannelFuture stopped = listening.close();
        if (mayWait) {
            stopped.awaitUninterruptibly();
        }
        for (Channel each : connections) {
            SocketConnection connection = each.pipeline().get(SocketConnection.class);
            if (connection != null) {
                connection.closeWhenAnswered();
            }
        }
        if (mayWait
                && !connections.newCloseFuture().awaitUninterruptibly(settings.drainMillis(), TimeUnit.MILLISECONDS)) {
            LOG.info("{} connections still open after {} ms are closed", connections.size(), settings.drainMillis());
            connections.close().awaitUninterruptibly(1, TimeUnit.SECONDS);
        }
    }

    private void bind() throws IOException {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loops.group())
                .channel(loops.serverChannel())
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(
                        ChannelOption.WRITE_BUFFER_WATER_MARK,
                        new WriteBufferWaterMark(limits.lowWaterMark(), limits.highWaterMark()))
                .childOption(
                        ChannelOption.RECVBUF_ALLOCATOR,
                        new AdaptiveRecvByteBufAllocator(SMALLEST_READ, FIRST_READ, LARGEST_READ))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        accept(channel);
                    }
                });
        InetSocketAddress wanted = new InetSocketAddress(settings.host(), settings.port());
        if (wanted.isUnresolved()) {
            throw new IOException("cannot listen on " + settings.host() + ": unknown host");
        }
        ChannelFuture bound = bootstrap.bind(wanted).awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot listen on " + settings.host() + ":" + settings.port() + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        listening = bound.channel();
    }

    private void accept(Channel channel) {
        if (connections.size() >= settings.maxConnections()) {
            String more = loops.peerLines().admit(PeerLines.Kind.TOO_MANY_CONNECTIONS);
            if (more != null) {
                LOG.warn(
                        "refusing {}: {} connections are open, the limit{}",
                        channel.remoteAddress(),
                        connections.size(),
                        more);
            }
            channel.close();
            return;
        }
        channel.pipeline()
                .addLast(new SocketConnection(
                        true, limits, budget, loops.clock(), loops.peerLines(), handler, listener));
        connections.add(channel);
        if (closing) {
            channel.close();
        }
    }
}
