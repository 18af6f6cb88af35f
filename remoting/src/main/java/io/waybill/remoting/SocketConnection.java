/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.collection.IntObjectMap;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.protocol.message.BadValue;
import io.waybill.remoting.RemotingException.CallFailure;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToDoubleFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One end of a socket. All state belongs to its event loop, except the stack of pushed frames, the attributes and the
 * close actions.
 *
 * <p>System calls are what costs, so frames are gathered: whatever is replied while a read is being worked off leaves
 * with one flush at its end, and whatever other threads push is drained as one burst. A push onto the empty stack wakes
 * the loop, every further one only adds to it. Small frames are copied together into one buffer; large body slices go to
 * the socket from where they lie.
 *
 * <p>Reading stops while the requests read and not answered exceed their limit, or the peer leaves its replies unread;
 * bytes already read then wait undivided. One timer per connection serves the deadlines of its calls and its idleness.
 */
final class SocketConnection extends ChannelInboundHandlerAdapter implements Connection, FrameDecoder.Sink {
    /** What one connection may use; see the settings of server and client. */
    record Limits(int maxFrameBytes, long maxInFlightBytes, long maxUnsentBytes, long idleMillis, int maxPendingCalls) {
        int highWaterMark() {
            return (int) Math.max(1, Math.min(HIGH_WATER_MARK, maxUnsentBytes / 2));
        }

        int lowWaterMark() {
            return highWaterMark() / 2;
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(SocketConnection.class);
    private static final AtomicLong IDS = new AtomicLong();

    private static final int HIGH_WATER_MARK = 256 * 1024;
    // What a request occupies beside its bytes, so that a flood of tiny ones is bounded too.
    private static final int REQUEST_OVERHEAD_BYTES = 512;
    // Measured: up to about this a slice is cheaper copied into the gathered buffer than sent as an element of its own.
    private static final int COPIED_SLICE_BYTES = 2 * 1024;
    private static final int COPIED_BODY_BYTES = 64 * 1024;
    private static final int SMALLEST_CHUNK = 512;
    private static final int LARGEST_CHUNK = 32 * 1024;
    private static final int FLUSH_AT_BYTES = 256 * 1024;
    // Memory is given back in between; a peer that is held up this long notices nothing.
    private static final long RETRY_FOR_ROOM_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long CHECK_UNSENT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    // Whoever has not moved on for so long gives way when others have no memory.
    private static final long STUCK_NANOS = TimeUnit.SECONDS.toNanos(1);
    // For the peer to read its answer before the connection goes.
    private static final long FOREIGN_LINGER_NANOS = TimeUnit.SECONDS.toNanos(1);
    // A peer that is silent this long while calls to it time out is taken for dead: a new connection may find it alive.
    private static final long SILENT_PEER_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final VarHandle PUSHED;

    static {
        try {
            PUSHED = MethodHandles.lookup().findVarHandle(SocketConnection.class, "pushed", Outgoing.class);
        } catch (ReflectiveOperationException impossible) {
            throw new ExceptionInInitializerError(impossible);
        }
    }

    private final long id = IDS.incrementAndGet();
    private final boolean accepted;
    private final Limits limits;
    private final MemoryBudgets memory;
    private final Charge arriving;
    private final Charge unsent;
    private final Charge inHand;
    private final Charge waiting;
    private final Clock clock;
    private final PeerLogLimits lines;
    private final RequestHandler handler;
    private final ConnectionListener listener;
    private final FrameDecoder decoder;
    private final Runnable drain = this::drain;
    private final Runnable resume = this::resume;
    private final Runnable tick = this::tick;
    private final Runnable retryForRoom = this::retryForRoom;
    private final Runnable checkUnsent = this::checkUnsent;

    // any thread
    @SuppressWarnings("unused") // through PUSHED
    private Outgoing pushed;

    private volatile boolean open;
    private final Map<String, Object> attributes = new ConcurrentHashMap<>(4);
    private List<Runnable> closeActions = new ArrayList<>(2);

    // set once, before anybody else knows this connection
    private ChannelHandlerContext context;
    private Channel channel;
    private EventLoop loop;
    private InetSocketAddress remote;
    private InetSocketAddress local;

    // event loop only
    private final ArrayDeque<ByteBuf> unread = new ArrayDeque<>(2);
    private final IntObjectHashMap<PendingCall> calls = new IntObjectHashMap<>();
    private int lastOpaque;
    private boolean closed;
    private boolean reading;
    private boolean paused;
    private boolean overInFlight;
    private boolean lacksRoom;
    private boolean isHolding;
    private boolean isFinishing;
    private boolean resumeScheduled;
    private boolean draining;
    private boolean outputShut;
    private int inFlightCount;
    /** Bytes given to the socket since its buffer was last empty, without slices of mapped files. */
    private long memoryWritten;
    /** Bytes of mapped files among what the socket has not taken. */
    private long mappedPending;

    private boolean unsentChecked;
    private ByteBuf chunk;
    private int burstBytes;
    private int chunkGuess = SMALLEST_CHUNK;
    private int unflushedBytes;
    private boolean unflushed;
    private long framesRead;
    private long partialFrame = -1;
    private long partialSinceNanos;
    private long arrivedNanos;
    private long lastReadNanos;
    private long lastActivityNanos;
    private boolean unwritable;
    private long unwritableSinceNanos;
    private Future<?> timer;
    private long timerAtNanos;

    SocketConnection(
            boolean accepted,
            Limits limits,
            MemoryBudgets memory,
            MemoryBudgets.AddressShare share,
            Clock clock,
            PeerLogLimits lines,
            RequestHandler handler,
            ConnectionListener listener) {
        this.accepted = accepted;
        this.limits = limits;
        this.memory = memory;
        this.arriving = new Charge(memory.arriving, share == null ? null : share.arriving);
        this.unsent = new Charge(memory.unsent, share == null ? null : share.unsent);
        this.inHand = new Charge(memory.inHand, share == null ? null : share.inHand);
        this.waiting = new Charge(memory.waiting, share == null ? null : share.waiting);
        this.clock = clock;
        this.lines = lines;
        this.handler = handler;
        this.listener = listener;
        this.decoder = new FrameDecoder(limits.maxFrameBytes, arriving, this::mayFinish);
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
        synchronized (attributes) {
            if (closeActions != null) {
                closeActions.add(action);
                return;
            }
        }
        action.run();
    }

    @Override
    public void close() {
        open = false;
        channel.close();
    }

    @Override
    public Object attribute(String key) {
        return attributes.get(key);
    }

    @Override
    public void attribute(String key, Object value) {
        if (value == null) {
            attributes.remove(key);
        } else {
            attributes.put(key, value);
        }
    }

    @Override
    public String toString() {
        return "connection " + id + (accepted ? " from " : " to ") + remote;
    }

    /** Puts a frame on its way. */
    void push(Outgoing item) {
        if (loop.inEventLoop() && reading) {
            sendPushed();
            write(item);
            return;
        }
        Outgoing before;
        do {
            before = (Outgoing) PUSHED.getVolatile(this);
            item.next = before;
        } while (!PUSHED.compareAndSet(this, before, item));
        if (before == null) {
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
                dropUnread();
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
        context = added;
        channel = added.channel();
        loop = channel.eventLoop();
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
        lastReadNanos = now;
        lastActivityNanos = now;
        open = true;
        guarded(() -> listener.opened(this));
        tickAt(now + TimeUnit.MILLISECONDS.toNanos(limits.idleMillis), now);
    }

    @Override
    public void channelInactive(ChannelHandlerContext inactive) {
        boolean wasActive = remote != null && local != null;
        closed = true;
        open = false;
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
        dropUnread();
        decoder.release();
        if (chunk != null) {
            chunk.release();
            chunk = null;
        }
        arriving.clear();
        unsent.clear();
        inHand.clear();
        waiting.clear();
        memory.holdsNothing(this);
        memory.finished(this);
        inFlightCount = 0;
        dropPushed();
        if (!calls.isEmpty()) {
            List<PendingCall> lost = new ArrayList<>(calls.values());
            calls.clear();
            RemotingException reason =
                    new RemotingException(CallFailure.CLOSED, true, this + " closed before the response came");
            lost.forEach(call -> call.future.completeExceptionally(reason));
        }
        List<Runnable> actions;
        synchronized (attributes) {
            actions = closeActions;
            closeActions = null;
        }
        for (Runnable action : actions) {
            guarded(action);
        }
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

    private void closeBecause(String reason) {
        String more = lines.admit(PeerLogLimits.PeerEvent.BROKEN_FRAME);
        if (more != null) {
            LOG.warn("closing {}: {}{}", this, reason, more);
        }
        open = false;
        channel.close();
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
        ByteBuf in = (ByteBuf) message;
        if (!reading) {
            arrivedNanos = clock.nanoTime();
        }
        reading = true;
        if (closed || draining || !open) {
            in.release();
        } else if (paused || !unread.isEmpty()) {
            arriving.add(in.capacity());
            unread.addLast(in);
        } else {
            consume(in);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ignored) {
        lastReadNanos = clock.nanoTime();
        lastActivityNanos = lastReadNanos;
        if (!decoder.insideFrame() && !lacksRoom) {
            partialFrame = -1;
        } else if (partialFrame != framesRead) {
            partialFrame = framesRead;
            partialSinceNanos = lastReadNanos;
        }
        reading = false;
        flush();
        settle();
    }

    /** Tells the sums what this burst changed. */
    private void settle() {
        arriving.settle();
        boolean holds = arriving.bytes() > Charge.FLOOR_BYTES || unsent.bytes() > Charge.FLOOR_BYTES;
        if (holds != isHolding && !closed) {
            isHolding = holds;
            if (holds) {
                memory.holds(this);
            } else {
                memory.holdsNothing(this);
            }
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ignored) {
        unwritable = !channel.isWritable();
        if (unwritable) {
            unwritableSinceNanos = clock.nanoTime();
            pause();
        } else {
            settleUnsent();
            scheduleResume();
        }
    }

    /** Cuts and handles until the bytes are used up or reading is paused. Owns the buffer. */
    private void consume(ByteBuf in) {
        boolean kept = false;
        try {
            boolean more = true;
            while (more && !paused && open) {
                more = decoder.decode(in, context.alloc(), this);
            }
            if (decoder.lacksRoom() && !paused) {
                waitForRoom();
            }
            kept = paused && open && in.isReadable();
        } catch (MalformedFrame e) {
            UnsupportedProtocol foreign =
                    accepted && framesRead == 0 ? UnsupportedProtocol.of(decoder.lengthWord()) : null;
            if (foreign == null) {
                closeBecause(e.getMessage());
            } else {
                answerForeign(foreign);
            }
        } catch (OutOfMemoryError e) {
            closeBecause("no memory for what it sends: " + e.getMessage());
        } finally {
            if (kept) {
                arriving.add(in.capacity());
                unread.addFirst(in);
            } else {
                in.release();
            }
        }
    }

    @Override
    public void frame(ByteBuf buffer, int index, int length) throws MalformedFrame {
        framesRead++;
        if (isFinishing) {
            isFinishing = false;
            memory.finished(this);
        }
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
        int charge = length + REQUEST_OVERHEAD_BYTES;
        boolean fits = inHand.admits(charge);
        inHand.add(charge);
        inFlightCount++;
        if (inHand.bytes() > mostInHand()) {
            overInFlight = true;
            pause();
        }
        IncomingRequest request = new IncomingRequest(this, command, charge, arrivedNanos);
        try {
            if (fits) {
                handler.handle(request);
            } else {
                request.refuse(
                        ResponseCode.SYSTEM_BUSY,
                        "[OVERLOAD]unanswered requests exceed the share of this connection in " + inHand.limit()
                                + ", try later");
            }
        } catch (BadField e) {
            refuse(request, ResponseCode.INVALID_PARAMETER, e.getMessage());
        } catch (BadValue e) {
            refuse(request, ResponseCode.MESSAGE_ILLEGAL, e.getMessage());
        } catch (Exception | LinkageError | AssertionError | StackOverflowError | OutOfMemoryError e) {
            String more = lines.admit(PeerLogLimits.PeerEvent.FAILED_REQUEST);
            if (more != null) {
                LOG.warn("{}: request {} of code {} failed{}", this, command.opaque(), command.code(), more, e);
            }
            // What went wrong inside is for the log: it may name files or classes.
            refuse(
                    request,
                    ResponseCode.SYSTEM_ERROR,
                    "request code " + command.code() + " failed inside; the log says why, under connection " + id
                            + ", request " + command.opaque());
        } finally {
            if (command.isOneway() && !accepted) {
                answered(request); // applications do not answer what wants no answer
            }
        }
    }

    /** Where reading stops by itself: the more all others have in hand, the less this one takes. */
    private long mostInHand() {
        return Math.min(limits.maxInFlightBytes, inHand.comfortableBytes());
    }

    private static void refuse(IncomingRequest request, int code, String remark) {
        if (!request.isAnswered()) {
            request.refuse(code, remark);
        }
    }

    private void pause() {
        if (!paused) {
            paused = true;
            channel.config().setAutoRead(draining);
        }
    }

    private void scheduleResume() {
        if (paused && !resumeScheduled && !closed) {
            resumeScheduled = true;
            loop.execute(resume);
        }
    }

    private void resume() {
        resumeScheduled = false;
        if (closed || !paused || overInFlight || lacksRoom || unwritable || draining) {
            return;
        }
        paused = false;
        arrivedNanos = clock.nanoTime();
        reading = true;
        ByteBuf in;
        while (!paused && open && (in = unread.pollFirst()) != null) {
            arriving.add(-in.capacity());
            consume(in);
        }
        reading = false;
        flush();
        settle();
        if (!paused && open) {
            channel.config().setAutoRead(true);
        }
    }

    private void dropUnread() {
        ByteBuf in;
        while ((in = unread.pollFirst()) != null) {
            arriving.add(-in.capacity());
            in.release();
        }
    }

    /** What has arrived stays where it is until others gave back room; the peer waits meanwhile, as for a slow reader. */
    private void waitForRoom() {
        lacksRoom = true;
        pause();
        arriving.settle();
        closeHeaviest(SocketConnection::weightOfArriving, "a frame did not arrive whole");
        loop.schedule(retryForRoom, RETRY_FOR_ROOM_NANOS, TimeUnit.NANOSECONDS);
    }

    private boolean mayFinish() {
        isFinishing = memory.mayFinish(this);
        return isFinishing;
    }

    private void retryForRoom() {
        lacksRoom = false;
        scheduleResume();
    }

    /** Memory is scarce: the connection goes that has held it for longest, or most of it, without moving on. */
    private void closeHeaviest(ToDoubleFunction<SocketConnection> weight, String reason) {
        SocketConnection heaviest =
                memory.heaviest(clock.nanoTime(), each -> each == this ? 0 : weight.applyAsDouble(each));
        if (heaviest != null) {
            heaviest.loop.execute(() -> {
                if (!heaviest.closed && heaviest.open) {
                    String more = lines.admit(PeerLogLimits.PeerEvent.SCARCE_MEMORY);
                    if (more != null) {
                        LOG.warn("closing {}: {} while others wait for memory{}", heaviest, reason, more);
                    }
                    heaviest.open = false;
                    heaviest.channel.close();
                }
            });
        }
    }

    /** Age of a frame that is arriving; 0 while it is too young or small to judge. Any thread, and then a little old. */
    private double weightOfArriving() {
        long age = clock.nanoTime() - partialSinceNanos;
        return partialFrame < 0 || age < STUCK_NANOS || arriving.bytes() <= Charge.FLOOR_BYTES ? 0 : age;
    }

    /** Bytes times age of replies that the peer does not read; 0 while it reads. Any thread, and then a little old. */
    private double weightOfUnsent() {
        long age = clock.nanoTime() - unwritableSinceNanos;
        return !unwritable || age < STUCK_NANOS ? 0 : (double) unsent.bytes() * age;
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
        outputShut = true;
        dropUnread();
        context.writeAndFlush(Unpooled.wrappedBuffer(protocol.answer()))
                .addListener((ChannelFutureListener) sent -> ((DuplexChannel) channel).shutdownOutput());
        loop.schedule((Runnable) channel::close, FOREIGN_LINGER_NANOS, TimeUnit.NANOSECONDS);
    }

    // ---- event loop: writing

    private void drain() {
        sendPushed();
        flush();
    }

    private void sendPushed() {
        if (PUSHED.getVolatile(this) == null) {
            return;
        }
        Outgoing item = reversed((Outgoing) PUSHED.getAndSet(this, null));
        while (item != null) {
            Outgoing following = item.next;
            item.next = null;
            write(item);
            item = following;
        }
    }

    private void dropPushed() {
        Outgoing item = reversed((Outgoing) PUSHED.getAndSet(this, null));
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

    private static Outgoing reversed(Outgoing newest) {
        Outgoing oldest = null;
        while (newest != null) {
            Outgoing older = newest.next;
            newest.next = oldest;
            oldest = newest;
            newest = older;
        }
        return oldest;
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
                && (calls.size() >= limits.maxPendingCalls || unsentBytes() > limits.maxUnsentBytes)) {
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
            long bytes = slices == null ? command.bodyLength() : memoryOf(slices);
            if (bytes > 0 && item instanceof IncomingRequest && !unsent.admits(bytes)) {
                closeHeaviest(SocketConnection::weightOfUnsent, "replies are not read");
                command = Command.response(
                                ResponseCode.SYSTEM_BUSY,
                                "[OVERLOAD]unread replies exceed the share of this connection in " + unsent.limit()
                                        + ", try later")
                        .build();
                slices = null;
            }
            inPlace = writeFrame(command, item.opaque(this), slices, item);
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
                writeFrame(instead, item.opaque(this), null, item);
            } else {
                item.dropped(this, e);
                return;
            }
        }
        item.encoded(this);
        if (!inPlace) {
            item.slicesReleased();
        }
        if (unflushedBytes >= FLUSH_AT_BYTES) {
            flush();
        }
    }

    /** Returns true when slices are sent from where they lie and are released by the socket later. */
    private boolean writeFrame(Command command, int opaque, List<ByteBuffer> slices, Outgoing item) {
        int bodyBytes = slices == null ? command.bodyLength() : bytesOf(slices);
        boolean copied =
                slices == null || bodyBytes <= Math.min(COPIED_BODY_BYTES, (long) slices.size() * COPIED_SLICE_BYTES);
        int headRoom = FrameEncoder.maxHeadLength(command);
        if ((long) headRoom + bodyBytes > limits.maxFrameBytes) {
            throw new IllegalArgumentException("frame of up to " + ((long) headRoom + bodyBytes)
                    + " bytes exceeds the limit of " + limits.maxFrameBytes);
        }
        int room = copied ? headRoom + bodyBytes : headRoom;
        ByteBuf target = room(room);
        int start = target.writerIndex();
        ByteBuffer bytes = target.internalNioBuffer(start, room);
        int from = bytes.position();
        FrameEncoder.encodeHead(command, opaque, bodyBytes, bytes);
        if (copied) {
            if (slices == null) {
                bytes.put(command.body());
            } else {
                for (ByteBuffer slice : slices) {
                    int length = slice.remaining();
                    bytes.put(bytes.position(), slice, slice.position(), length);
                    bytes.position(bytes.position() + length);
                }
            }
        }
        int written = bytes.position() - from;
        target.writerIndex(start + written);
        burstBytes += written;
        unflushedBytes += written;
        unflushed = true;
        if (!copied) {
            writeInPlace(slices, item);
            unflushedBytes += bodyBytes;
        }
        return !copied;
    }

    private void writeInPlace(List<ByteBuffer> slices, Outgoing item) {
        writeChunk();
        int last = slices.size() - 1;
        while (last > 0 && !slices.get(last).hasRemaining()) {
            last--;
        }
        for (int i = 0; i < last; i++) {
            if (slices.get(i).hasRemaining()) {
                memoryWritten += memoryOf(slices.get(i));
                context.write(Unpooled.wrappedBuffer(slices.get(i)), context.voidPromise());
            }
        }
        // Writes end in order, also when they fail, so the last one stands for all.
        ChannelPromise end = context.newPromise();
        long mapped = bytesOf(slices) - memoryOf(slices);
        mappedPending += mapped;
        end.addListener(ended -> {
            mappedPending -= mapped;
            item.slicesReleased();
        });
        memoryWritten += memoryOf(slices.get(last));
        context.write(Unpooled.wrappedBuffer(slices.get(last)), end);
    }

    /** Mapped slices cost nothing while they wait; others are copied for the socket. */
    private static long memoryOf(ByteBuffer slice) {
        return slice.isDirect() ? 0 : slice.remaining();
    }

    private static long memoryOf(List<ByteBuffer> slices) {
        long sum = 0;
        for (ByteBuffer slice : slices) {
            sum += memoryOf(slice);
        }
        return sum;
    }

    private static int bytesOf(List<ByteBuffer> slices) {
        long sum = 0;
        for (ByteBuffer slice : slices) {
            sum += slice.remaining();
        }
        return (int) Math.min(Integer.MAX_VALUE, sum);
    }

    /** The gathered buffer, with room for so many bytes. */
    private ByteBuf room(int bytes) {
        if (chunk == null || chunk.writableBytes() < bytes) {
            writeChunk();
            int capacity = Math.max(bytes, Math.max(chunkGuess, Math.min(LARGEST_CHUNK, burstBytes)));
            chunk = context.alloc().directBuffer(capacity, capacity);
        }
        return chunk;
    }

    private void writeChunk() {
        ByteBuf full = chunk;
        if (full != null) {
            chunk = null;
            if (full.isReadable()) {
                memoryWritten += full.capacity();
                context.write(full, context.voidPromise());
            } else {
                full.release();
            }
        }
    }

    private void flush() {
        // Before the peer can know: who has its answer no longer counts.
        inHand.settle();
        waiting.settle();
        if (unflushed && !closed) {
            writeChunk();
            unflushed = false;
            unflushedBytes = 0;
            chunkGuess = Math.max(SMALLEST_CHUNK, Math.min(LARGEST_CHUNK, (chunkGuess + burstBytes) / 2));
            burstBytes = 0;
            context.flush();
            lastActivityNanos = clock.nanoTime();
            settleUnsent();
            long pending = unsentBytes();
            if (accepted && open && pending > limits.maxUnsentBytes) {
                closeBecause(
                        "its peer leaves " + pending + " bytes of replies unread, more than " + limits.maxUnsentBytes);
            }
        }
        if (draining && !outputShut && !closed && inFlightCount == 0) {
            outputShut = true;
            context.writeAndFlush(Unpooled.EMPTY_BUFFER)
                    .addListener((ChannelFutureListener) sent -> ((DuplexChannel) channel).shutdownOutput());
        }
    }

    /** Counts what the socket has not taken; again and again as long as there is some. */
    private void settleUnsent() {
        ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
        long pending = buffer == null ? 0 : buffer.totalPendingWriteBytes();
        if (pending == 0) {
            memoryWritten = 0;
        }
        long held = Math.min(Math.max(0, pending - mappedPending), memoryWritten);
        if (held != unsent.bytes() && !closed) {
            unsent.add(held - unsent.bytes());
            unsent.settle();
            settle();
        }
        if (accepted && held > 0 && memory.unsent.freeBytes() < 0) {
            closeHeaviest(SocketConnection::weightOfUnsent, "replies are not read"); // small ones are never refused
        }
        if (held > 0 && !unsentChecked && !closed) {
            unsentChecked = true;
            loop.schedule(checkUnsent, CHECK_UNSENT_NANOS, TimeUnit.NANOSECONDS);
        }
    }

    private void checkUnsent() {
        unsentChecked = false;
        settleUnsent();
    }

    private long unsentBytes() {
        return unwritable ? channel.bytesBeforeWritable() + limits.lowWaterMark() : 0;
    }

    int nextOpaque() {
        return ++lastOpaque;
    }

    void await(int opaque, PendingCall call) {
        calls.put(opaque, call);
        if (timer == null || call.deadlineNanos - timerAtNanos < 0) {
            tickAt(call.deadlineNanos, clock.nanoTime());
        }
    }

    /** The request is answered, or never will be. */
    void answered(IncomingRequest request) {
        if (closed) {
            return;
        }
        inHand.add(-request.charge);
        waiting.add(-request.waitingCharge);
        request.charge = 0;
        request.waitingCharge = 0;
        inFlightCount--;
        resumeIfLittleInHand();
    }

    private void resumeIfLittleInHand() {
        if (overInFlight && inHand.bytes() <= mostInHand() / 2) {
            overInFlight = false;
            scheduleResume();
        }
    }

    /** Whether one more request may wait for a message. Any thread. */
    boolean mayWait(long bytes) {
        return waiting.admits(bytes + REQUEST_OVERHEAD_BYTES);
    }

    /** The request waits from now on, and holds only so much meanwhile. Any thread, before another one may reply. */
    void waits(IncomingRequest request, long bytes) {
        if (loop.inEventLoop()) {
            countWaiting(request, bytes);
        } else {
            try {
                loop.execute(() -> {
                    countWaiting(request, bytes);
                    inHand.settle();
                    waiting.settle();
                });
            } catch (RejectedExecutionException loopsClosed) {
                // so is everything it would be counted for
            }
        }
    }

    private void countWaiting(IncomingRequest request, long bytes) {
        if (!closed && request.charge > 0 && request.waitingCharge == 0) {
            inHand.add(-request.charge);
            request.charge = 0;
            request.waitingCharge = bytes + REQUEST_OVERHEAD_BYTES;
            waiting.add(request.waitingCharge);
            resumeIfLittleInHand();
        }
    }

    // ---- event loop: time

    private void tickAt(long atNanos, long nowNanos) {
        if (timer != null) {
            timer.cancel(false);
        }
        timerAtNanos = atNanos;
        timer = loop.schedule(tick, Math.max(0, atNanos - nowNanos), TimeUnit.NANOSECONDS);
    }

    private void tick() {
        timer = null;
        if (closed) {
            return;
        }
        long now = clock.nanoTime();
        long idleNanos = TimeUnit.MILLISECONDS.toNanos(limits.idleMillis);
        long nextNanos = lastActivityNanos + idleNanos;
        List<PendingCall> expired = null;
        for (Iterator<IntObjectMap.PrimitiveEntry<PendingCall>> each =
                        calls.entries().iterator();
                each.hasNext(); ) {
            PendingCall call = each.next().value();
            if (call.deadlineNanos - now <= 0) {
                each.remove();
                expired = expired == null ? new ArrayList<>() : expired;
                expired.add(call);
            } else if (call.deadlineNanos - nextNanos < 0) {
                nextNanos = call.deadlineNanos;
            }
        }
        if (now - lastActivityNanos >= idleNanos) {
            LOG.debug("closing {}: idle for {} ms", this, limits.idleMillis);
            close();
        } else if (unwritable && now - unwritableSinceNanos >= idleNanos) {
            closeBecause("its peer has not read for " + limits.idleMillis + " ms");
        } else if (partialFrame >= 0 && now - partialSinceNanos >= idleNanos) {
            closeBecause("a frame did not arrive whole within " + limits.idleMillis + " ms");
        } else if (expired != null && !accepted && now - lastReadNanos >= SILENT_PEER_NANOS) {
            closeBecause("calls time out and its peer has sent nothing for "
                    + TimeUnit.NANOSECONDS.toMillis(now - lastReadNanos) + " ms");
        }
        if (!closed) {
            tickAt(nextNanos, now);
        }
        if (expired != null) {
            RemotingException reason = new RemotingException(
                    CallFailure.TIMEOUT, true, "no response on " + this + " within the time given");
            expired.forEach(call -> call.future.completeExceptionally(reason));
        }
    }
}
