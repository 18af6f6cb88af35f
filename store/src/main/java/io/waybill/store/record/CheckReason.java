/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** Why somebody was asked about an open transaction, or nobody. The code is the byte in the log. */
public enum CheckReason {
    /** Only the times are stated. */
    NONE(0),
    /** The client that sent the half message was asked. */
    SENDER(1),
    /** Another one was asked: the client that sent the half message is not connected. */
    SENDER_AWAY(2),
    /** Any one was asked: which client sent the half message is not known. */
    SENDER_UNKNOWN(3),
    /** Nobody was asked: nobody is there, or the sender is expected back. */
    WAITING(4);

    private final int code;

    CheckReason(int code) {
        this.code = code;
    }

    public int code() {
        return code;
    }

    /** The reason of a code, or null when there is none. */
    public static CheckReason ofCode(int code) {
        return code >= 0 && code < values().length ? values()[code] : null;
    }
}
