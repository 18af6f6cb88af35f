/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.waybill.platform.Descriptors;
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
    private static final long ACCEPT_PAUSE_MILLIS = 100;
    private static final int MOST_OF_PROCESS = Descriptors.forPeers();
    private static final int MAX_CALLS_TO_ONE_PEER = 1024;
    private static final int SMALLEST_READ = 1024;
    private static final int FIRST_READ = 8 * 1024;
    private static final int LARGEST_READ = 64 * 1024;

    private final ServerSettings settings;
    private final EventLoops loops;
    private final RequestHandler handler;
    private final ConnectionListener listener;
    private final ConnectionLimits limits;
    private final MemoryBudgets memory;
    private final ChannelGroup connections;
    /** Three quarters of all, so that whoever comes from elsewhere, or through another proxy, always finds room. */
    private final int mostFromOneAddress;

    private Channel listening;
    private Channel alsoListening; // null = nowhere else
    private volatile boolean closing;

    private RemotingServer(
            ServerSettings settings, EventLoops loops, RequestHandler handler, ConnectionListener listener) {
        this.settings = settings;
        this.loops = loops;
        this.handler = handler;
        this.listener = listener;
        this.limits = new ConnectionLimits(
                settings.maxFrameBytes(),
                settings.maxInFlightBytesPerConnection(),
                settings.maxUnsentBytes(),
                settings.idleMillis(),
                MAX_CALLS_TO_ONE_PEER);
        this.memory = settings.maxInFlightBytesTotal() == 0
                ? loops.memory()
                : MemoryBudgets.of(settings.maxInFlightBytesTotal());
        // Below the whole, so that one address never keeps all others out; well above its half, because a proxy or a
        // machine full of clients is one address too.
        this.mostFromOneAddress = Math.max(1, (int) (settings.maxConnections() * 3L / 4));
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
        server.listening = server.bind(settings.port());
        return server;
    }

    /**
     * Listens on one more port of the same host as well; once, before anybody closes this.
     *
     * @throws IOException names the address when it cannot be bound
     */
    public void listenAlsoOn(int port) throws IOException {
        alsoListening = bind(port);
    }

    /** Where it listens, with the real port. */
    public InetSocketAddress address() {
        return (InetSocketAddress) listening.localAddress();
    }

    /** Bytes of requests that arrive, are worked on or wait, of all servers that share this one's memory. */
    public long inFlightBytes() {
        return memory.arriving.usedBytes() + memory.inHand.usedBytes() + memory.waiting.usedBytes();
    }

    /** Bytes of replies that were made and are not read, of all servers that share this one's memory. */
    public long unsentBytes() {
        return memory.unsent.usedBytes();
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
        ChannelFuture alsoStopped = alsoListening == null ? stopped : alsoListening.close();
        if (mayWait) {
            stopped.awaitUninterruptibly();
            alsoStopped.awaitUninterruptibly();
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

    private Channel bind(int port) throws IOException {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loops.group())
                .channel(loops.serverChannel())
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                .handler(new AcceptFailures())
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
        InetSocketAddress wanted = new InetSocketAddress(settings.host(), port);
        if (wanted.isUnresolved()) {
            throw new IOException("cannot listen on " + settings.host() + ": unknown host");
        }
        ChannelFuture bound = bootstrap.bind(wanted).awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot listen on " + settings.host() + ":" + port + ": "
                            + bound.cause().getMessage(),
                    bound.cause());
        }
        return bound.channel();
    }

    private void accept(Channel channel) {
        InetSocketAddress peer = (InetSocketAddress) channel.remoteAddress();
        if (peer == null) {
            channel.close(); // gone before it could be looked at
            return;
        }
        int all = loops.accepted().incrementAndGet();
        channel.closeFuture().addListener(closed -> loops.accepted().decrementAndGet());
        if (connections.size() >= settings.maxConnections() || all > MOST_OF_PROCESS) {
            refuse(
                    channel,
                    connections.size() + " connections are open here and " + (all - 1) + " in the process, of at most "
                            + settings.maxConnections() + " and " + MOST_OF_PROCESS);
            return;
        }
        MemoryBudgets.AddressShare share = memory.joined(peer.getAddress(), this, mostFromOneAddress);
        if (share == null) {
            refuse(channel, mostFromOneAddress + " connections from its address are open, three quarters of the limit");
            return;
        }
        channel.closeFuture().addListener(closed -> memory.left(share, this));
        channel.pipeline()
                .addLast(new SocketConnection(
                        true, limits, memory, share, loops.clock(), loops.peerLogLimits(), handler, listener));
        connections.add(channel);
        if (closing) {
            channel.close();
        }
    }

    private void refuse(Channel channel, String why) {
        String more = loops.peerLogLimits().admit(PeerLogLimits.PeerEvent.TOO_MANY_CONNECTIONS);
        if (more != null) {
            LOG.warn("refusing {}: {}{}", channel.remoteAddress(), why, more);
        }
        channel.close();
    }

    /** Accepting failed, usually for want of descriptors: one line, and a pause, or the loop would spin on it. */
    private final class AcceptFailures extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            Channel server = context.channel();
            String more = loops.peerLogLimits().admit(PeerLogLimits.PeerEvent.FAILED_ACCEPT);
            if (more != null) {
                LOG.warn("no connection could be accepted at {}: {}{}", server.localAddress(), cause.toString(), more);
            }
            server.config().setAutoRead(false);
            server.eventLoop()
                    .schedule(() -> server.config().setAutoRead(true), ACCEPT_PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        }
    }
}
