/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.broker.NameTaken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The steps of a start: each is explained when it fails, and undone in reverse order. */
final class Steps implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WaybillServer.class);

    private final Deque<AutoCloseable> done = new ArrayDeque<>(); // guarded by this

    /** Something that may fail in its own way. */
    interface Step<T> {
        T run() throws Exception;
    }

    <T> T run(String what, Step<T> step) throws StartException {
        try {
            return step.run();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartException("was interrupted while trying to " + what, "start again", e);
        } catch (Exception e) {
            throw new StartException("cannot " + what + ": " + reason(e), advice(e), e);
        }
    }

    synchronized <T extends AutoCloseable> T undoing(T started) {
        done.push(started);
        return started;
    }

    private static String reason(Exception e) {
        Throwable cause = e instanceof UncheckedIOException ? e.getCause() : e;
        String message = cause.getMessage();
        return message == null || message.isBlank() ? cause.getClass().getSimpleName() : message;
    }

    private static String advice(Exception e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof BindException
                    || String.valueOf(cause.getMessage()).contains("cannot listen")) {
                return "another process uses this port, or the address is not of this machine:"
                        + " stop that process, choose another port, or 0 for any free one";
            }
        }
        if (e instanceof NameTaken taken) {
            return taken.advice();
        }
        String reason = reason(e);
        if (reason.contains("in use by process") || reason.contains("is locked")) {
            return "one data directory serves one broker: stop the other one or choose another directory";
        }
        if (e instanceof IllegalArgumentException || reason.contains("set insecure=true")) {
            return "change what the sentence names; --set KEY=VALUE changes a setting, --list-settings shows them";
        }
        if (reason.contains("written by a newer version")) {
            return "start the version that wrote it or a newer one, or choose another data directory";
        }
        if (reason.contains("maxClockAheadMillis=0")) {
            return "the first lines of docs/replay.md say what a store ahead of the clock means";
        }
        if (reason.startsWith("damage in")) {
            return "nothing was changed; 'waybill store check' on the directory shows the whole extent."
                    + " Restore the directory from a copy, or start with another one";
        }
        if (e instanceof IOException || e.getCause() instanceof IOException) {
            return "look at the directory, its permissions and the free space";
        }
        return "look at the log lines above";
    }

    @Override
    public void close() {
        while (true) {
            AutoCloseable next;
            synchronized (this) {
                next = done.poll();
            }
            if (next == null) {
                return;
            }
            try {
                next.close();
            } catch (Exception e) {
                LOG.error("stopping {} failed", next, e);
            }
        }
    }
}
