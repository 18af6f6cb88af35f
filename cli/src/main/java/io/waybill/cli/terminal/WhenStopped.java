/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.util.function.Supplier;

/** Says how far a long command came when Ctrl-C or SIGTERM ends it, while this is open. */
public final class WhenStopped implements AutoCloseable {
    private final Thread hook;

    private WhenStopped(Thread hook) {
        this.hook = hook;
    }

    /** @param howFar the sentence, made at that moment on another thread */
    public static WhenStopped say(Supplier<String> howFar) {
        Thread hook = new Thread(
                () -> {
                    System.err.println((Progress.isTerminal() ? "\r\033[K" : "") + "stopped: " + howFar.get());
                    System.err.flush();
                },
                "when-stopped");
        Runtime.getRuntime().addShutdownHook(hook);
        return new WhenStopped(hook);
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException stopping) {
            // It speaks already.
        }
    }
}
