/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.client.WaybillException;
import io.waybill.client.WaybillException.Kind;
import io.waybill.remoting.RemotingException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;

/** Turns what went wrong into a {@link WaybillException} whose sentence helps. */
public final class ClientExceptions {
    private static final int SYSTEM_BUSY = 2;
    private static final int NO_PERMISSION = 16;
    private static final int TOPIC_NOT_EXIST = 17;
    private static final int QUERY_NOT_FOUND = 22;
    private static final int GROUP_NOT_EXIST = 26;
    private static final int INVALID_PARAMETER = 29;
    private static final int MESSAGE_ILLEGAL = 13;
    private static final int SUBSCRIPTION_PARSE_FAILED = 23;
    private static final int NOT_SUPPORTED = 3;
    private static final int FLOW_CONTROL = 215;

    private ClientExceptions() {}

    public static WaybillException invalid(String what, String advice) {
        return new WaybillException(Kind.INVALID, -1, false, what, advice, null);
    }

    public static WaybillException closed(String what) {
        return new WaybillException(
                Kind.CLOSED, -1, false, what + " is closed", "use it only between building and closing", null);
    }

    /** Also marks the calling thread as interrupted again. */
    public static WaybillException interrupted(
            String what, boolean mayHaveBeenStored, String advice, InterruptedException cause) {
        Thread.currentThread().interrupt();
        return new WaybillException(Kind.INTERRUPTED, -1, mayHaveBeenStored, what, advice, cause);
    }

    public static WaybillException noBroker() {
        return new WaybillException(
                Kind.UNREACHABLE,
                -1,
                false,
                "no broker is registered at the name server",
                "start a broker that names this name server, or give the address of another one",
                null);
    }

    /** The innermost reason of a failed future. */
    public static Throwable unwrap(Throwable failure) {
        Throwable inner = failure;
        while ((inner instanceof CompletionException || inner instanceof ExecutionException)
                && inner.getCause() != null) {
            inner = inner.getCause();
        }
        return inner;
    }

    /** A failure of something that stores no message. */
    public static WaybillException explained(Throwable failure, String doing) {
        return of(failure, doing, false);
    }

    /** A failure without an answer. */
    public static WaybillException of(Throwable failure, String doing, boolean mayHaveBeenStored) {
        Throwable inner = unwrap(failure);
        if (inner instanceof WaybillException known) {
            return known;
        }
        if (inner instanceof BrokerRefusal refusal) {
            return refused(doing, refusal.code(), refusal.getMessage(), mayHaveBeenStored);
        }
        if (inner instanceof RejectedExecutionException) {
            return new WaybillException(
                    Kind.OVERLOADED,
                    -1,
                    mayHaveBeenStored,
                    doing + " failed: the listener pool is full or closed",
                    "let handlers return faster, or have less under way",
                    inner);
        }
        if (inner instanceof RemotingException remoting) {
            String what = doing + " failed: " + remoting.getMessage();
            return switch (remoting.kind()) {
                case CONNECT_FAILED ->
                    new WaybillException(
                            Kind.UNREACHABLE,
                            -1,
                            mayHaveBeenStored,
                            what,
                            "check that the server runs and that its address can be reached from here",
                            remoting);
                case TIMEOUT ->
                    new WaybillException(
                            Kind.TIMEOUT,
                            -1,
                            mayHaveBeenStored,
                            what,
                            "try again, or give it more time; if it stays so look at the server's load and disk",
                            remoting);
                case CLOSED ->
                    new WaybillException(
                            Kind.UNREACHABLE,
                            -1,
                            mayHaveBeenStored,
                            what,
                            "try again; the connection broke, so the server may have stopped or restarted",
                            remoting);
                case OVERLOADED ->
                    new WaybillException(
                            Kind.OVERLOADED,
                            -1,
                            mayHaveBeenStored,
                            what,
                            "have fewer calls under way at the same time",
                            remoting);
            };
        }
        return new WaybillException(
                Kind.UNREADABLE,
                -1,
                mayHaveBeenStored,
                doing + " failed: " + inner,
                "report it with this trace",
                inner);
    }

    /** A refusal. */
    public static WaybillException refused(String doing, int code, String remark, boolean mayHaveBeenStored) {
        String what = doing + " was refused with code " + code
                + (remark == null || remark.isBlank() ? "" : ": " + trimmed(remark));
        return switch (code) {
            case SYSTEM_BUSY, FLOW_CONTROL ->
                new WaybillException(
                        Kind.OVERLOADED, code, mayHaveBeenStored, what, "try again later or more slowly", null);
            case TOPIC_NOT_EXIST ->
                new WaybillException(
                        Kind.NOT_FOUND,
                        code,
                        mayHaveBeenStored,
                        what,
                        "create the topic (waybill topic create NAME) or correct its name",
                        null);
            case QUERY_NOT_FOUND, GROUP_NOT_EXIST ->
                new WaybillException(Kind.NOT_FOUND, code, mayHaveBeenStored, what, "check the name or id", null);
            case MESSAGE_ILLEGAL, INVALID_PARAMETER, SUBSCRIPTION_PARSE_FAILED ->
                new WaybillException(
                        Kind.INVALID, code, mayHaveBeenStored, what, "correct what the sentence names", null);
            case NO_PERMISSION ->
                new WaybillException(
                        Kind.REFUSED,
                        code,
                        mayHaveBeenStored,
                        what,
                        "check the permissions of the topic and of the group at the broker",
                        null);
            case NOT_SUPPORTED ->
                new WaybillException(
                        Kind.REFUSED, code, mayHaveBeenStored, what, "use a server that knows this request", null);
            default ->
                new WaybillException(
                        Kind.REFUSED,
                        code,
                        mayHaveBeenStored,
                        what,
                        "look at the sentence and at the server's log",
                        null);
        };
    }

    private static String trimmed(String remark) {
        String line = remark.strip();
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    /**
     * Waits for a future that ends by itself (every call has a deadline).
     *
     * @param doing what is waited for, for the sentence
     * @param storing true if an interrupted wait may leave a message stored
     */
    public static <T> T await(CompletableFuture<T> future, String doing, boolean storing) {
        try {
            return future.get();
        } catch (InterruptedException e) {
            throw interrupted(doing + " was interrupted", storing, "see who interrupted this thread", e);
        } catch (ExecutionException e) {
            WaybillException failure = of(e, doing, storing);
            // The trace of the event loop says nothing to the caller; this one does.
            failure.addSuppressed(new WaitedHere(doing));
            throw failure;
        }
    }

    /** Shows in a trace who waited. */
    private static final class WaitedHere extends RuntimeException {
        private static final long serialVersionUID = 1L;

        WaitedHere(String doing) {
            super("waited here for: " + doing);
        }
    }
}
