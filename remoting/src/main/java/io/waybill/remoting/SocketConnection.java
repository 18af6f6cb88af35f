/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.protocol.message.BadValue;
import io.waybill.remoting.RemotingException.CallFailure;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One end of a socket, from its opening to its end. All state belongs to its event loop, except the stack of pushed frames, the attributes and the
 * close actions. Every frame pushed ends in exactly one of the ways that {@link Outgoing} lists, every call completes, and every close action runs
 * once, however the connection ends.
 *
 * <p>What is replied while a read is being worked off leaves with one flush at its end, and whatever other threads push is drained as one burst.
 * {@link ConnectionInput} reads, {@link SocketOutput} writes, {@link PushedFrames} brings frames from other threads, {@link OpenCalls} waits for
 * responses, {@link PeerProgress} knows what the peer leaves undone and {@link ConnectionCharges} what it holds of the process's memory; here
 * requests and responses find their way. One timer per connection serves the deadlines of its calls and its idleness.
 */
final class SocketConnection extends ChannelInboundHandlerAdapter implements Connection, FrameDecoder.Sink {
    private static final Logger LOG = LoggerFactory.getLogger(SocketConnection.class);
    private static final AtomicLong IDS = new AtomicLong();

    // For the peer to read its answer before the connection goes.
    private static final long FOREIGN_LINGER_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final long id = IDS.incrementAndGet();
    private final boolean accepted;
    private final ConnectionLimits limits;
    private final Clock clock;
    private final PeerLogLimits lines;
    private final RequestHandler handler;
    private final ConnectionListener listener;

    // any thread
    private final PushedFrames pushed = new PushedFrames();
    private final Runnable drain = this::drain;
    private final Attachments attachments = new Attachments();
    private volatile boolean open;

    // set once, before anybody else knows this connection
    private Channel channel;
    private EventLoop loop;
    private ConnectionInput input;
    private SocketOutput output;
    private UnsentReplies unsent;
    private ConnectionTimer timer;
    private InetSocketAddress remote;
    private InetSocketAddress local;

    // event loop only
    private final ConnectionCharges charges;
    private final PeerProgress peer;
    private final OpenCalls calls = new OpenCalls();
    private boolean closed;
    private boolean draining;

    SocketConnection(
            boolean accepted,
            ConnectionLimits limits,
            MemoryBudgets memory,
            MemoryBudgets.AddressShare share,
            Clock clock,
            PeerLogLimits lines,
            RequestHandler handler,
            ConnectionListener listener) {
        this.accepted = accepted;
        this.limits = limits;
        this.charges = new ConnectionCharges(this, memory, share, limits.maxInFlightBytes());
        this.peer = new PeerProgress(clock, limits.idleMillis());
        this.clock = clock;
        this.lines = lines;
        this.handler = handler;
        this.listener = listener;
    }

    // ---- any thread

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
        return local;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void send(Command oneway) {
        push(new OnewaySend(oneway));
    }

    @Override
    public CompletableFuture<Command> call(Command request, long timeoutMillis) {
        PendingCall call = new PendingCall(request, clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis));
        push(call);
        return call.future;
    }

    @Override
    public void onClose(Runnable action) {
        attachments.onClose(action);
    }

    @Override
    public void close() {
        open = false;
        channel.close();
    }

    @Override
    public Object attribute(String key) {
        return attachments.get(key);
    }

    @Override
    public void attribute(String key, Object value) {
        attachments.set(key, value);
    }

    @Override
    public String toString() {
        return "connection " + id + (accepted ? " from " : " to ") + remote;
    }

    /** Puts a frame on its way. */
    void push(Outgoing item) {
        if (loop.inEventLoop() && input.isInBurst()) {
            // What was pushed before goes first: the frames of one thread leave in its order.
            sendPushed();
            write(item);
        } else if (pushed.push(item)) {
            try {
                loop.execute(drain);
            } catch (RejectedExecutionException loopsClosed) {
                dropPushed();
            }
        }
    }

    /** Stops taking requests and closes when those read are answered and sent. */
    void closeWhenAnswered() {
        try {
            loop.execute(() -> {
                draining = true;
                input.dropUnread();
                // Reading goes on and discards: closing a socket with unread bytes would reset it under the last
                // replies.
                channel.config().setAutoRead(true);
                drain();
            });
        } catch (RejectedExecutionException loopsClosed) {
            open = false;
        }
    }

    // ---- event loop: life

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        channel = added.channel();
        loop = channel.eventLoop();
        output = new SocketOutput(added, limits.maxFrameBytes());
        unsent = new UnsentReplies(this, accepted, output, charges, loop);
        input = new ConnectionInput(this, added, charges, peer, clock, limits.maxFrameBytes());
        timer = new ConnectionTimer(loop, this::tick);
        if (channel.isActive()) {
            activate();
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext active) {
        activate();
    }

    /** Opens the connection, the first time only; on its event loop, before anybody may find it. */
    void activate() {
        if (remote != null || closed) {
            return;
        }
        remote = (InetSocketAddress) channel.remoteAddress();
        local = (InetSocketAddress) channel.localAddress();
        if (remote == null || local == null) {
            // The peer was gone before it could be looked at.
            channel.close();
            return;
        }
        long now = clock.nanoTime();
        peer.connected(now);
        open = true;
        guarded(() -> listener.opened(this));
        timer.setTo(peer.idleAtNanos(), now);
    }

    @Override
    public void channelInactive(ChannelHandlerContext inactive) {
        boolean wasActive = remote != null && local != null;
        closed = true;
        open = false;
        timer.cancel();
        input.release();
        output.release();
        charges.clear();
        dropPushed();
        OpenCalls.fail(calls.removeAll(), CallFailure.CLOSED, this + " closed before the response came");
        attachments.end().forEach(SocketConnection::guarded);
        if (wasActive) {
            guarded(() -> listener.closed(this));
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext failed, Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("{} failed: {}", this, cause.toString());
        } else {
            String more = lines.admit(PeerLogLimits.PeerEvent.FAILED_CONNECTION);
            if (more != null) {
                LOG.warn("{} failed{}", this, more, cause);
            }
        }
        channel.close();
    }

    void closeBecause(String reason) {
        closeBecause(PeerLogLimits.PeerEvent.BROKEN_FRAME, reason);
    }

    private void closeBecause(PeerLogLimits.PeerEvent kind, String reason) {
        String more = lines.admit(kind);
        if (more != null) {
            LOG.warn("closing {}: {}{}", this, reason, more);
        }
        close();
    }

    private static void guarded(Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            LOG.warn("a connection listener or close action failed", e);
        }
    }

    // ---- event loop: reading

    @Override
    public void channelRead(ChannelHandlerContext ignored, Object message) {
        input.read((ByteBuf) message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ignored) {
        input.readEnded();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ignored) {
        if (channel.isWritable()) {
            peer.readsAgain();
            unsent.count();
            input.mayResume();
        } else {
            peer.stopsReading();
            input.pause();
        }
    }

    /** All bytes that are here have been worked off: what was written leaves, and the sums learn what changed. */
    void burstEnded() {
        flush();
        charges.settleHeld();
    }

    boolean isClosed() {
        return closed;
    }

    /** True when what the peer sends is discarded, while its last replies leave. */
    boolean isDraining() {
        return draining;
    }

    @Override
    public void frame(ByteBuf buffer, int index, int length) throws MalformedFrame {
        // The bytes are the socket's and gone when this returns: what is kept of them is copied, as the body of a
        // response.
        peer.frameRead();
        charges.frameRead();
        Command command = Command.decode(buffer.nioBuffer(index, length));
        if (!command.isResponse()) {
            takeRequest(command, length);
            return;
        }
        PendingCall call = calls.remove(command.opaque());
        if (call == null) {
            LOG.debug("{}: response {} came too late or was never asked for", this, command.opaque());
        } else {
            call.future.complete(command.detached());
        }
    }

    private void takeRequest(Command command, int length) {
        int charge = ConnectionCharges.ofRequest(length);
        boolean fits = charges.begin(charge);
        if (charges.hasMuchInHand()) {
            input.pauseForRequests();
        }
        IncomingRequest request = new IncomingRequest(this, command, charge, input.arrivedNanos());
        try {
            if (fits) {
                handler.handle(request);
            } else {
                request.refuse(
                        ResponseCode.SYSTEM_BUSY,
                        "[OVERLOAD]unanswered requests exceed the share of this connection in " + charges.limitInHand()
                                + ", try later");
            }
        } catch (BadField e) {
            request.refuseUnlessAnswered(ResponseCode.INVALID_PARAMETER, e.getMessage());
        } catch (BadValue e) {
            request.refuseUnlessAnswered(ResponseCode.MESSAGE_ILLEGAL, e.getMessage());
        } catch (Exception | LinkageError | AssertionError | StackOverflowError | OutOfMemoryError e) {
            String more = lines.admit(PeerLogLimits.PeerEvent.FAILED_REQUEST);
            if (more != null) {
                LOG.warn("{}: request {} of code {} failed{}", this, command.opaque(), command.code(), more, e);
            }
            // What went wrong inside is for the log: it may name files or classes.
            request.refuseUnlessAnswered(
                    ResponseCode.SYSTEM_ERROR,
                    "request code " + command.code() + " failed inside; the log says why, under connection " + id
                            + ", request " + command.opaque());
        } finally {
            if (command.isOneway() && !accepted) {
                answered(request); // applications do not answer what wants no answer
            }
        }
    }

    /** What arrives is no frame: answers another protocol in its own words, and closes. */
    void refuseBytes(MalformedFrame why, int lengthWord) {
        UnsupportedProtocol foreign = accepted && !peer.hasSentFrames() ? UnsupportedProtocol.of(lengthWord) : null;
        if (foreign == null) {
            closeBecause(why.getMessage());
        } else {
            answerForeign(foreign);
        }
    }

    /** There is no memory for what this peer sends: another one gives way that has left a frame unfinished for longest. */
    void closeOldestUnfinished() {
        charges.closeHeaviest(
                clock.nanoTime(),
                each -> each.peer.weightOfArriving(each.charges.arriving),
                "a frame did not arrive whole");
    }

    /** There is no memory for replies: another connection gives way whose peer has not read most of them for longest. */
    void closeHeaviestUnread() {
        charges.closeHeaviest(
                clock.nanoTime(), each -> each.peer.weightOfUnsent(each.charges.unsent), "replies are not read");
    }

    /** Closes, since others wait for the memory that its peer makes it hold. Any thread. */
    void giveWay(String reason) {
        loop.execute(() -> {
            if (!closed && open) {
                closeBecause(PeerLogLimits.PeerEvent.SCARCE_MEMORY, reason + " while others wait for memory");
            }
        });
    }

    private void answerForeign(UnsupportedProtocol protocol) {
        String more = lines.admit(PeerLogLimits.PeerEvent.FOREIGN_PROTOCOL);
        if (more != null) {
            LOG.warn(
                    "closing {}: its peer speaks {}, and this is a RocketMQ remoting port{}",
                    this,
                    protocol.text,
                    more);
        }
        draining = true; // what else it says is discarded, or closing would reset the answer
        input.dropUnread();
        output.shut(Unpooled.wrappedBuffer(protocol.answer()));
        loop.schedule((Runnable) channel::close, FOREIGN_LINGER_NANOS, TimeUnit.NANOSECONDS);
    }

    // ---- event loop: writing

    private void drain() {
        sendPushed();
        flush();
    }

    private void sendPushed() {
        Outgoing item = pushed.takeAll();
        while (item != null) {
            Outgoing following = item.next;
            item.next = null;
            write(item);
            item = following;
        }
    }

    private void dropPushed() {
        Outgoing item = pushed.takeAll();
        RemotingException reason = null;
        while (item != null) {
            if (reason == null) {
                reason = new RemotingException(CallFailure.CLOSED, false, this + " is closed");
            }
            Outgoing following = item.next;
            item.next = null;
            item.dropped(this, reason);
            item = following;
        }
    }

    private void write(Outgoing item) {
        if (closed) {
            item.dropped(this, new RemotingException(CallFailure.CLOSED, false, this + " is closed"));
            return;
        }
        if (!item.wanted()) {
            item.unwanted(this);
            return;
        }
        if (!(item instanceof IncomingRequest)
                && (calls.size() >= limits.maxPendingCalls() || unsentBytes() > limits.maxUnsentBytes())) {
            item.dropped(
                    this,
                    new RemotingException(
                            CallFailure.OVERLOADED,
                            false,
                            this + " has " + calls.size() + " calls and " + unsentBytes() + " unsent bytes pending"));
            return;
        }
        Command command = item.outgoing();
        List<ByteBuffer> slices = item.slices();
        boolean inPlace = false;
        try {
            long bytes = slices == null ? command.bodyLength() : SocketOutput.memoryOf(slices);
            if (bytes > 0 && item instanceof IncomingRequest && !charges.unsent.admits(bytes)) {
                closeHeaviestUnread();
                command = Command.response(
                                ResponseCode.SYSTEM_BUSY,
                                "[OVERLOAD]unread replies exceed the share of this connection in "
                                        + charges.unsent.limit() + ", try later")
                        .build();
                slices = null;
            }
            inPlace = output.write(command, item.opaque(this), slices, item);
        } catch (OutOfMemoryError e) {
            closeBecause("no memory for what is sent to it: " + e.getMessage());
            item.dropped(this, new RemotingException(CallFailure.CLOSED, false, "no memory to send to " + this));
            return;
        } catch (RuntimeException e) {
            LOG.warn("{}: a frame of code {} could not be written", this, command.code(), e);
            if (item instanceof IncomingRequest) {
                String why = e instanceof IllegalArgumentException ? e.getMessage() : "the log says why";
                Command instead = Command.response(ResponseCode.SYSTEM_ERROR, "reply not sent: " + why)
                        .build();
                output.write(instead, item.opaque(this), null, item);
            } else {
                item.dropped(this, e);
                return;
            }
        }
        item.encoded(this);
        if (!inPlace) {
            item.slicesReleased();
        }
        if (output.isFull()) {
            flush();
        }
    }

    private void flush() {
        // Before the peer can know: who has its answer no longer counts.
        charges.settleRequests();
        if (!output.isFlushed() && !closed) {
            output.flush();
            peer.sent();
            unsent.count();
            long pending = unsentBytes();
            if (accepted && open && pending > limits.maxUnsentBytes()) {
                closeBecause("its peer leaves " + pending + " bytes of replies unread, more than "
                        + limits.maxUnsentBytes());
            }
        }
        if (draining && !output.isShut() && !closed && charges.unanswered() == 0) {
            output.shut(Unpooled.EMPTY_BUFFER);
        }
    }

    private long unsentBytes() {
        return peer.isUnwritable() ? channel.bytesBeforeWritable() + limits.lowWaterMark() : 0;
    }

    int nextOpaque() {
        return calls.nextOpaque();
    }

    void await(int opaque, PendingCall call) {
        calls.add(opaque, call);
        timer.setToEarlier(call.deadlineNanos, clock);
    }

    // ---- requests

    /** The request is answered, or never will be. */
    void answered(IncomingRequest request) {
        if (!closed) {
            charges.end(request);
            input.requestsEnded();
        }
    }

    /** Whether one more request may wait for a message. Any thread. */
    boolean mayWait(long bytes) {
        return charges.mayWait(bytes);
    }

    /** The request waits from now on, and holds only so much meanwhile. Any thread, before another one may reply. */
    void waits(IncomingRequest request, long bytes) {
        if (loop.inEventLoop()) {
            countWaiting(request, bytes);
        } else {
            try {
                loop.execute(() -> {
                    countWaiting(request, bytes);
                    charges.settleRequests();
                });
            } catch (RejectedExecutionException loopsClosed) {
                // so is everything it would be counted for
            }
        }
    }

    private void countWaiting(IncomingRequest request, long bytes) {
        if (!closed && charges.beginWait(request, bytes)) {
            input.requestsEnded();
        }
    }

    // ---- event loop: time

    private void tick() {
        if (closed) {
            return;
        }
        long now = clock.nanoTime();
        List<PendingCall> expired = new ArrayList<>();
        long nextNanos = calls.expire(now, peer.idleAtNanos(), expired);
        if (peer.isIdle(now)) {
            LOG.debug("closing {}: idle for {} ms", this, limits.idleMillis());
            close();
        } else {
            String overdue = peer.overdue(now, !accepted && !expired.isEmpty());
            if (overdue != null) {
                closeBecause(overdue);
            }
        }
        if (!closed) {
            timer.setTo(nextNanos, now);
        }
        OpenCalls.fail(expired, CallFailure.TIMEOUT, "no response on " + this + " within the time given");
    }
}
