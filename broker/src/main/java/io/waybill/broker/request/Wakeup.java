/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.DutyHandle;

/**
 * Makes a background duty run soon. It exists before the duty, so that the duty and whoever gives it work get it through their constructors. A wake before
 * the start is not lost: a duty runs when it starts. Thread-safe.
 */
public final class Wakeup {
    private volatile DutyHandle handle;

    /** Cheap, never blocks, from any thread and from inside the duty. */
    public void wake() {
        DutyHandle started = handle;
        if (started != null) {
            started.wake();
        }
    }

    void started(DutyHandle duty) {
        handle = duty;
    }
}
