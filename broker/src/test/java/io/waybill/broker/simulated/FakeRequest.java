/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.simulated;

import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.util.List;

/** A request that keeps its first reply. */
public final class FakeRequest implements Request {
    private final Command command;
    private final Connection connection;
    private Command reply;

    public FakeRequest(Command command, Connection connection) {
        this.command = command;
        this.connection = connection;
    }

    /** Null while there is none. */
    public Command reply() {
        return reply;
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
        if (reply == null) {
            reply = response;
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
