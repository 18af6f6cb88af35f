/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

/** Which threads run an application's code at the moment: such a thread must not wait for itself when it closes something. */
public final class HandlerThread {
    private static final ThreadLocal<Boolean> IN_HANDLER = new ThreadLocal<>();

    private HandlerThread() {}

    /** True on a thread that runs an application's handler. */
    public static boolean isCurrent() {
        return IN_HANDLER.get() != null;
    }

    /** Runs application code, marked as such. */
    public static void run(Runnable step) {
        boolean outer = isCurrent();
        IN_HANDLER.set(Boolean.TRUE);
        try {
            step.run();
        } finally {
            if (!outer) {
                IN_HANDLER.remove();
            }
        }
    }
}
