/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

/** Why a call has no response, and whether the peer may have acted on the request all the same. */
public final class RemotingException extends RuntimeException {
    /** The four ways a call ends without a response. */
    public enum CallFailure {
        /** No connection came about. */
        CONNECT_FAILED,
        /** No response within the time given. */
        TIMEOUT,
        /** The connection, or this end of it, closed before the response came. */
        CLOSED,
        /** Too many calls or unsent bytes are pending on the connection; nothing was sent. */
        OVERLOADED
    }

    private static final long serialVersionUID = 1L;

    private final CallFailure kind;
    private final boolean maybeDelivered;

    public RemotingException(CallFailure kind, boolean maybeDelivered, String message) {
        this(kind, maybeDelivered, message, null);
    }

    public RemotingException(CallFailure kind, boolean maybeDelivered, String message, Throwable cause) {
        // These are ordinary outcomes made on event loops: the place of creation tells nothing, so no stack is walked.
        super(message, cause, false, false);
        this.kind = kind;
        this.maybeDelivered = maybeDelivered;
    }

    public CallFailure kind() {
        return kind;
    }

    /** False only when no byte of the request was handed to the socket. */
    public boolean maybeDelivered() {
        return maybeDelivered;
    }
}
