/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * Something did not work. The message says what happened, whether a message may have been stored, and what to do; the accessors say the same to
 * programs.
 */
public sealed class WaybillException extends RuntimeException permits TransactionConflictException {
    private static final long serialVersionUID = 1L;

    private final Kind kind;
    private final int code;
    private final boolean mayHaveBeenStored;
    private final String advice;

    /** What went wrong. */
    public enum Kind {
        /** The caller gave something that can never work. */
        INVALID,
        /** No connection to a broker or name server. */
        UNREACHABLE,
        /** No answer in time. */
        TIMEOUT,
        /** The broker has too much to do, or this process has too much under way. */
        OVERLOADED,
        /** The broker understood and said no. */
        REFUSED,
        /** The topic, group, message or transaction does not exist. */
        NOT_FOUND,
        /** An answer or a message cannot be read. */
        UNREADABLE,
        /** The client is closed. */
        CLOSED,
        /** The waiting thread was interrupted; its interrupt flag is set. */
        INTERRUPTED,
        /** The application's own handler failed; see the cause. */
        HANDLER
    }

    /**
     * Used by the library.
     *
     * @param kind what went wrong
     * @param code the response code, or -1 if no answer came
     * @param mayHaveBeenStored true if a message may have been stored in spite of the error
     * @param what one sentence on what happened, without a final stop
     * @param advice one sentence on what to do, without a final stop
     * @param cause or null
     */
    public WaybillException(
            Kind kind, int code, boolean mayHaveBeenStored, String what, String advice, Throwable cause) {
        super(
                what + ". " + (mayHaveBeenStored ? "The message may have been stored. " : "") + "What to do: " + advice
                        + ".",
                cause);
        this.kind = kind;
        this.code = code;
        this.mayHaveBeenStored = mayHaveBeenStored;
        this.advice = advice;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }

    /** The response code of the broker or name server, or -1 if there was no answer. */
    public int code() {
        return code;
    }

    /** True if a message may have been stored (once or more, always under its one id) although no receipt was given; false: surely not. */
    public boolean mayHaveBeenStored() {
        return mayHaveBeenStored;
    }

    /** What to do. */
    public String advice() {
        return advice;
    }
}
