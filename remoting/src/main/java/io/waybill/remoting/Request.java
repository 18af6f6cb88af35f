/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * One request that wants at most one reply. The first reply counts; a later one is dropped with a log line. A reply to a
 * one-way request is not sent, so handlers need not ask, but a server must make it all the same: until then the request
 * counts as unanswered. Any thread may reply.
 */
public interface Request {
    Command command();

    default int code() {
        return command().code();
    }

    Connection connection();

    /** When its bytes were read, on the hand of the clock that never goes back; requests read together share a time. */
    long arrivedNanos();

    /** Sends the response; opaque, response flag and version are filled in. */
    void reply(Command response);

    /**
     * Sends the response head followed by the slices as its body, without copying large slices. The slices must stay
     * valid and unchanged until {@code released} ran. It runs exactly once, on any thread, also when the reply is dropped
     * or its connection fails; it must not block.
     */
    void reply(Command head, List<ByteBuffer> body, Runnable released);

    /** Replies with a code and a sentence and nothing else. */
    default void refuse(int code, String remark) {
        if (!isOneway()) {
            reply(Command.response(code, remark).build());
        }
    }

    /**
     * Says that the request waits because its peer wants it so: from now on its fields and body are gone and it counts with so many bytes, to be called
     * before another thread may reply.
     *
     * @param bytes what is kept of it elsewhere
     * @return false, and nothing has changed, when the peer has too much waiting already
     */
    default boolean hold(long bytes) {
        return true;
    }

    default boolean isOneway() {
        return command().isOneway();
    }
}
