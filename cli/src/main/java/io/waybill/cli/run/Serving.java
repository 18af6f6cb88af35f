/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.server.StartException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a process alive until SIGTERM or Ctrl-C, then stops what it serves and ends with exit code 0; with
 * {@link ExitCode#FROZEN}, and by itself, if the store froze: then only another start helps, and a supervisor must see it. A signal during the
 * start ends it at once: nobody has been promised anything yet, and the next start recovers. A stop that hangs is cut off.
 */
final class Serving {
    private static final Logger LOG = LoggerFactory.getLogger(Serving.class);
    private static final long STOP_SECONDS = 15;

    private record Served(AutoCloseable server, BooleanSupplier frozen) {}

    private static final AtomicReference<Served> SERVED = new AtomicReference<>();

    private Serving() {}

    /** Nothing here can freeze. */
    static <T extends AutoCloseable> T start(Callable<T> start) {
        return start(start, server -> false);
    }

    /** Starts it; the test says whether its store is frozen. */
    static <T extends AutoCloseable> T start(Callable<T> start, Predicate<T> frozen) {
        // The exit code after SIGTERM would be 143; a clean stop is 0, so the hook itself ends the process.
        Thread hook = new Thread(Serving::stop, "stop");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            T server = start.call();
            SERVED.set(new Served(server, () -> frozen.test(server)));
            return server;
        } catch (Exception e) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException stopping) {
                LOG.debug("stopped while starting");
            }
            throw failure(e);
        }
    }

    private static RuntimeException failure(Exception e) {
        if (e instanceof StartException failed) {
            LOG.debug("the start failed", e);
            return new Failure(ExitCode.FAILED, failed.getMessage() + ".\nWhat to do: " + failed.advice() + ".");
        }
        return e instanceof RuntimeException unexpected
                ? unexpected
                : new Failure(ExitCode.FAILED, String.valueOf(e.getMessage()));
    }

    /** Prints the line others wait for and serves until told to stop. Does not return. */
    static int until(String readyLine) throws InterruptedException {
        return until(readyLine, new CompletableFuture<>());
    }

    /** The same; returns the exit code when the store has frozen and its broker has left, with the reason. */
    static int until(String readyLine, CompletionStage<String> gone) throws InterruptedException {
        System.out.println(readyLine);
        System.out.flush();
        try {
            String reason = gone.toCompletableFuture().get();
            LOG.error(
                    "the process ends with exit code {} because the store is frozen ({}); start it again",
                    ExitCode.FROZEN,
                    reason);
        } catch (ExecutionException e) {
            LOG.error("the process ends with exit code {} because the store is frozen", ExitCode.FROZEN, e);
        }
        return ExitCode.FROZEN;
    }

    private static void stop() {
        watch(Thread.currentThread());
        int code = ExitCode.DONE;
        Served served = SERVED.get();
        if (served == null) {
            LOG.info("stopped while starting");
        } else {
            try {
                served.server.close();
                if (served.frozen.getAsBoolean()) {
                    LOG.error("stopped with a frozen store; the next start recovers it");
                    code = ExitCode.FROZEN;
                } else {
                    LOG.info("stopped");
                }
            } catch (Exception e) {
                LOG.error("stopping failed; the store recovers at the next start", e);
                code = served.frozen.getAsBoolean() ? ExitCode.FROZEN : ExitCode.FAILED;
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(code);
    }

    /** Ends the process if the stop does not, and says where it hangs. */
    private static void watch(Thread stopping) {
        Thread watchdog = new Thread(
                () -> {
                    try {
                        TimeUnit.SECONDS.sleep(STOP_SECONDS);
                    } catch (InterruptedException e) {
                        return;
                    }
                    IllegalStateException where = new IllegalStateException("hangs here");
                    where.setStackTrace(stopping.getStackTrace());
                    LOG.error(
                            "not stopped after {} s, giving up; what was acknowledged is kept, and the store"
                                    + " recovers at the next start",
                            STOP_SECONDS,
                            where);
                    Runtime.getRuntime().halt(ExitCode.FAILED);
                },
                "stop-watchdog");
        watchdog.setDaemon(true);
        watchdog.start();
    }

    static String ready(String namesrv, String broker) {
        return "READY namesrv=" + namesrv + " broker=" + broker + " console=off pid="
                + ProcessHandle.current().pid();
    }
}
