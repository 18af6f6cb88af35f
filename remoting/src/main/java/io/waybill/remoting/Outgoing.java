/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.protocol.frame.Command;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * One frame on its way out. It is pushed by any thread and then belongs to the connection's event loop, which calls
 * exactly one of {@link #encoded}, {@link #unwanted} and {@link #dropped}.
 */
abstract class Outgoing {
    /** The one pushed before, while on the way to the event loop. */
    Outgoing next;

    /** The frame's header, and its body when there are no slices. */
    abstract Command outgoing();

    /** The number that goes on the wire, chosen on the event loop. */
    abstract int opaque(SocketConnection connection);

    /** Body slices that are sent from where they lie; null = the command's own body. */
    List<ByteBuffer> slices() {
        return null;
    }

    /** Runs once when the slices are no longer needed. Called by the event loop after {@link #encoded}. */
    void slicesReleased() {}

    /** False when nobody waits for it any more. */
    boolean wanted() {
        return true;
    }

    /** On the event loop, instead of {@link #encoded}: nobody waits for it any more. */
    void unwanted(SocketConnection connection) {}

    /** On the event loop: the frame is on its way to the socket. */
    abstract void encoded(SocketConnection connection);

    /** On the event loop, or anywhere once that is gone: no byte of the frame was or will be sent. */
    abstract void dropped(SocketConnection connection, RuntimeException reason);
}
