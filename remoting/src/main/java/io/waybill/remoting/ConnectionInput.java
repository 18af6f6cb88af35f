/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.waybill.platform.Clock;
import io.waybill.protocol.frame.MalformedFrame;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * The reading side of a connection: bytes become frames in the order in which they came. Reading is paused for any of three reasons, and goes on
 * when none is left: too many requests are unanswered, the peer does not read its replies, or there is no memory for what arrives. While it is
 * paused the socket is not asked for more, and bytes that it has delivered already wait here undivided and charged, so that a paused peer costs
 * what one read may bring. Of the connection's event loop.
 */
final class ConnectionInput {
    // Memory is given back in between; a peer that is held up this long notices nothing.
    private static final long RETRY_FOR_ROOM_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final SocketConnection connection;
    private final ChannelHandlerContext context;
    private final ConnectionCharges charges;
    private final PeerProgress peer;
    private final Clock clock;
    private final FrameDecoder decoder;
    private final ArrayDeque<ByteBuf> unread = new ArrayDeque<>(2);
    private final Runnable resume = this::resume;
    private final Runnable retryForRoom = this::retryForRoom;
    private boolean inBurst;
    private boolean paused;
    private boolean overInFlight;
    private boolean lacksRoom;
    private boolean resumeScheduled;
    private long arrivedNanos;

    ConnectionInput(
            SocketConnection connection,
            ChannelHandlerContext context,
            ConnectionCharges charges,
            PeerProgress peer,
            Clock clock,
            int maxFrameBytes) {
        this.connection = connection;
        this.context = context;
        this.charges = charges;
        this.peer = peer;
        this.clock = clock;
        this.decoder = new FrameDecoder(maxFrameBytes, charges.arriving, charges::mayFinish);
    }

    /** True while bytes are worked off, at whose end everything written leaves with one flush. */
    boolean isInBurst() {
        return inBurst;
    }

    /** When the bytes that are worked off arrived. */
    long arrivedNanos() {
        return arrivedNanos;
    }

    /** Takes what the socket delivered. Owns the buffer. */
    void read(ByteBuf in) {
        if (!inBurst) {
            arrivedNanos = clock.nanoTime();
        }
        inBurst = true;
        if (connection.isClosed() || connection.isDraining() || !connection.isOpen()) {
            in.release();
        } else if (paused || !unread.isEmpty()) {
            charges.arriving.add(in.capacity());
            unread.addLast(in);
        } else {
            consume(in);
        }
    }

    /** The socket has nothing more for now. */
    void readEnded() {
        peer.readEnded(isUnfinished());
        inBurst = false;
        connection.burstEnded();
    }

    private boolean isUnfinished() {
        return decoder.insideFrame() || lacksRoom;
    }

    /** Cuts and handles until the bytes are used up or reading is paused. Owns the buffer. */
    private void consume(ByteBuf in) {
        boolean kept = false;
        try {
            boolean more = true;
            while (more && !paused && connection.isOpen()) {
                more = decoder.decode(in, context.alloc(), connection);
            }
            if (decoder.lacksRoom() && !paused) {
                waitForRoom();
            }
            kept = paused && connection.isOpen() && in.isReadable();
        } catch (MalformedFrame e) {
            connection.refuseBytes(e, decoder.lengthWord());
        } catch (OutOfMemoryError e) {
            connection.closeBecause("no memory for what it sends: " + e.getMessage());
        } finally {
            if (kept) {
                charges.arriving.add(in.capacity());
                unread.addFirst(in);
            } else {
                in.release();
            }
        }
    }

    /** Stops reading; {@link #mayResume} makes it go on. */
    void pause() {
        if (!paused) {
            paused = true;
            context.channel().config().setAutoRead(connection.isDraining());
        }
    }

    /** Stops reading until little is in hand. */
    void pauseForRequests() {
        overInFlight = true;
        pause();
    }

    /** What is in hand became less. */
    void requestsEnded() {
        if (overInFlight && charges.hasLittleInHand()) {
            overInFlight = false;
            mayResume();
        }
    }

    /** One reason for the pause is gone: looks after this task whether another is left. */
    void mayResume() {
        if (paused && !resumeScheduled && !connection.isClosed()) {
            resumeScheduled = true;
            context.channel().eventLoop().execute(resume);
        }
    }

    private void resume() {
        resumeScheduled = false;
        if (connection.isClosed()
                || !paused
                || overInFlight
                || lacksRoom
                || peer.isUnwritable()
                || connection.isDraining()) {
            return;
        }
        paused = false;
        arrivedNanos = clock.nanoTime();
        inBurst = true;
        ByteBuf in;
        while (!paused && connection.isOpen() && (in = unread.pollFirst()) != null) {
            charges.arriving.add(-in.capacity());
            consume(in);
        }
        // No read may follow: the date of a frame that is whole by now must not stay, and one that has begun needs its
        // own.
        peer.workedOff(isUnfinished(), arrivedNanos);
        inBurst = false;
        connection.burstEnded();
        if (!paused && connection.isOpen()) {
            context.channel().config().setAutoRead(true);
        }
    }

    /** What has arrived stays where it is until others gave back room; the peer waits meanwhile, as for a slow reader. */
    private void waitForRoom() {
        lacksRoom = true;
        pause();
        charges.arriving.settle();
        connection.closeOldestUnfinished();
        context.channel().eventLoop().schedule(retryForRoom, RETRY_FOR_ROOM_NANOS, TimeUnit.NANOSECONDS);
    }

    private void retryForRoom() {
        lacksRoom = false;
        mayResume();
    }

    /** Drops bytes that wait; a frame that is arriving goes on. */
    void dropUnread() {
        ByteBuf in;
        while ((in = unread.pollFirst()) != null) {
            charges.arriving.add(-in.capacity());
            in.release();
        }
    }

    /** Drops everything: nothing arrives any more. */
    void release() {
        dropUnread();
        decoder.release();
    }
}
