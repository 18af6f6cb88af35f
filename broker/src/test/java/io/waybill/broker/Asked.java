/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A request as it comes from a socket: its body is overwritten once the handler has returned, and a second reply is an
 * error of the test.
 */
final class Asked implements Request {
    private final byte[] frame;
    private final Command command;
    private final FakeConnection connection;
    private Command reply;
    private Runnable onHold = () -> {};

    Asked(Command command, FakeConnection connection) {
        this.frame = FrameEncoder.encode(command);
        this.connection = connection;
        try {
            this.command =
                    Command.decode(ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
        } catch (MalformedFrame e) {
            throw new AssertionError(e);
        }
    }

    /** What happens in the moment in which it is about to be held. */
    Asked onHold(Runnable what) {
        onHold = what;
        return this;
    }

    @Override
    public boolean hold(long bytes) {
        onHold.run();
        return true;
    }

    void handlerReturned() {
        int bodyLength = command.bodyLength();
        for (int i = frame.length - bodyLength; i < frame.length; i++) {
            frame[i] = '#';
        }
    }

    /** The reply as a client reads it, or null while there is none. */
    Command reply() {
        return reply;
    }

    boolean isOpen() {
        return reply == null;
    }

    int result() {
        if (reply == null) {
            throw new AssertionError("no reply to " + command);
        }
        return reply.code();
    }

    String remark() {
        return reply == null ? null : reply.remark();
    }

    String field(String name) {
        return reply.fields().get(name);
    }

    long number(String name) {
        return reply.fields().requireLong(name);
    }

    @Override
    public long arrivedNanos() {
        return 0;
    }

    @Override
    public Command command() {
        return command;
    }

    @Override
    public Connection connection() {
        return connection;
    }

    @Override
    public void reply(Command response) {
        if (isOneway()) {
            return;
        }
        if (reply != null) {
            throw new AssertionError("a second reply to " + command + ": " + response);
        }
        try {
            byte[] encoded = FrameEncoder.encode(
                    Command.like(response).opaque(command.opaque()).build());
            reply = Command.decode(
                    ByteBuffer.wrap(encoded, 4, encoded.length - 4).slice());
        } catch (MalformedFrame e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void reply(Command head, List<ByteBuffer> body, Runnable released) {
        int size = body.stream().mapToInt(ByteBuffer::remaining).sum();
        ByteBuffer joined = ByteBuffer.allocate(size);
        body.forEach(slice -> joined.put(slice.duplicate()));
        reply(Command.like(head).body(joined.flip()).build());
        released.run();
    }
}
