/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.channel.EventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerSocketChannel;
import io.netty.channel.uring.IoUringSocketChannel;
import io.netty.util.concurrent.DefaultEventExecutor;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The threads that move bytes. A process needs one set however many servers and clients it has: {@link #shared()} hands
 * out the same threads until the last holder has closed. Threads are daemons and start when first used. Closing while
 * servers or clients still use the set kills their connections, so those are closed first.
 */
public final class EventLoops implements AutoCloseable {
    /** Set to io_uring, epoll or nio to insist on a transport; what does not load falls back to the next. */
    static final String TRANSPORT_PROPERTY = "waybill.transport";

    // More loops than this only spread the batches thinner: one loop carries several hundred thousand frames a second.
    private static final int MAX_DEFAULT_THREADS = 8;

    static {
        // Netty names its channels by the machine's hardware address and warns where there is none, as in a network
        // namespace with
        // loopback only. Connections here have numbers of their own, so any name will do.
        if (System.getProperty("io.netty.machineId") == null) {
            System.setProperty("io.netty.machineId", "02:00:00:00:00:00:00:01");
        }
    }

    private static final Object LOCK = new Object();
    private static Threads sharedThreads;

    private final Threads threads;
    private final AtomicBoolean closed = new AtomicBoolean();

    private EventLoops(Threads threads) {
        this.threads = threads;
    }

    /** A hold on the set of this process; every call needs its own {@link #close()}. */
    public static EventLoops shared() {
        synchronized (LOCK) {
            if (sharedThreads == null) {
                int cores = Runtime.getRuntime().availableProcessors();
                sharedThreads = new Threads(Math.min(MAX_DEFAULT_THREADS, Math.max(2, cores)));
            }
            sharedThreads.holders++;
            return new EventLoops(sharedThreads);
        }
    }

    /** A set of its own, for tests and for isolation. */
    public static EventLoops create(int threads) {
        Threads own = new Threads(threads);
        own.holders = 1;
        return new EventLoops(own);
    }

    /** What moves the bytes: epoll, io_uring or nio. */
    public String transport() {
        return threads.transport.name;
    }

    /** Lets go of the threads; they end with the last holder. Idempotent. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        synchronized (LOCK) {
            if (--threads.holders > 0) {
                return;
            }
            if (sharedThreads == threads) {
                sharedThreads = null;
            }
        }
        threads.resolver.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        threads.group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        if (!isLoopThread()) {
            threads.group.terminationFuture().awaitUninterruptibly(2, TimeUnit.SECONDS);
        }
    }

    MultiThreadIoEventLoopGroup group() {
        if (closed.get()) {
            throw new IllegalStateException("these event loops are closed");
        }
        return threads.group;
    }

    Class<? extends ServerSocketChannel> serverChannel() {
        return threads.transport.serverChannel;
    }

    Class<? extends SocketChannel> clientChannel() {
        return threads.transport.clientChannel;
    }

    /** Looks up host names, which blocks. */
    EventExecutor resolver() {
        return threads.resolver;
    }

    Clock clock() {
        return threads.clock;
    }

    /** What the connections of this set may hold together. */
    MemoryBudgets memory() {
        return threads.memory;
    }

    /** Connections that all servers of this set have accepted and not closed. */
    AtomicInteger accepted() {
        return threads.accepted;
    }

    PeerLogLimits peerLogLimits() {
        return threads.peerLogLimits;
    }

    /** True on a thread of this set, where waiting would wait for itself. */
    boolean isLoopThread() {
        for (EventExecutor each : threads.group) {
            if (((EventLoop) each).inEventLoop()) {
                return true;
            }
        }
        return false;
    }

    private static final class Threads {
        final Clock clock = Clock.system();
        final PeerLogLimits peerLogLimits = new PeerLogLimits(clock);
        final MemoryBudgets memory = MemoryBudgets.ofProcess();
        final AtomicInteger accepted = new AtomicInteger();
        final Transport transport = Transport.best(System.getProperty(TRANSPORT_PROPERTY, "epoll"));
        final MultiThreadIoEventLoopGroup group;
        final EventExecutor resolver = new DefaultEventExecutor(new DefaultThreadFactory("waybill-resolve", true));
        int holders;

        Threads(int count) {
            group = new MultiThreadIoEventLoopGroup(
                    count, new DefaultThreadFactory("waybill-io", true), transport.ioHandlers);
        }
    }

    private record Transport(
            String name,
            IoHandlerFactory ioHandlers,
            Class<? extends ServerSocketChannel> serverChannel,
            Class<? extends SocketChannel> clientChannel) {

        static Transport best(String wanted) {
            if (wanted.equals("io_uring") && loads("io_uring")) {
                return new Transport(
                        "io_uring",
                        IoUringIoHandler.newFactory(),
                        IoUringServerSocketChannel.class,
                        IoUringSocketChannel.class);
            }
            if (!wanted.equals("nio") && loads("epoll")) {
                return new Transport(
                        "epoll", EpollIoHandler.newFactory(), EpollServerSocketChannel.class, EpollSocketChannel.class);
            }
            return new Transport(
                    "nio", NioIoHandler.newFactory(), NioServerSocketChannel.class, NioSocketChannel.class);
        }

        private static boolean loads(String name) {
            try {
                return name.equals("io_uring") ? IoUring.isAvailable() : Epoll.isAvailable();
            } catch (LinkageError missing) {
                return false;
            }
        }
    }
}
