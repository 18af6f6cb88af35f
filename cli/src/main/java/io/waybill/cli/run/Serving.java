/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.server.StartException;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps a process alive until SIGTERM or Ctrl-C, then stops what it serves and ends with exit code 0. */
final class Serving {
    private static final Logger LOG = LoggerFactory.getLogger(Serving.class);

    private Serving() {}

    static <T extends AutoCloseable> T start(Callable<T> start) {
        try {
            return start.call();
        } catch (StartException e) {
            LOG.debug("the start failed", e);
            throw new Failure(ExitCode.FAILED, e.getMessage() + ".\nWhat to do: " + e.advice() + ".");
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new Failure(ExitCode.FAILED, String.valueOf(e.getMessage()));
        }
    }

    /** Prints the line others wait for and serves until told to stop. Does not return. */
    static int until(AutoCloseable server, String readyLine) throws InterruptedException {
        // The exit code after SIGTERM would be 143; a clean stop is 0, so the hook itself ends the process.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server), "stop"));
        System.out.println(readyLine);
        System.out.flush();
        new CountDownLatch(1).await();
        return ExitCode.DONE;
    }

    private static void stop(AutoCloseable server) {
        int code = ExitCode.DONE;
        try {
            server.close();
            LOG.info("stopped");
        } catch (Exception e) {
            LOG.error("stopping failed; the store recovers at the next start", e);
            code = ExitCode.FAILED;
        }
        System.out.flush();
        Runtime.getRuntime().halt(code);
    }

    static String ready(String namesrv, String broker) {
        return "READY namesrv=" + namesrv + " broker=" + broker + " console=off pid="
                + ProcessHandle.current().pid();
    }
}
