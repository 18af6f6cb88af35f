/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.DutyHandle;

/**
 * Makes a background duty run soon. It exists before the duty, so that the duty and whoever gives it work get it through their constructors. A wake before
 * the start is not lost: the duty runs when it starts, and once more if its first run may have ended before. Thread-safe.
 */
public final class Wakeup {
    private volatile DutyHandle handle;

    /** Whether somebody woke it before the handle was there: the duty may have run already then. */
    private volatile boolean isEarly;

    /** Cheap, never blocks, from any thread and from inside the duty. */
    public void wake() {
        if (handle == null) {
            isEarly = true;
        }
        // Read again, behind the mark: either this one sees the handle, or who sets it sees the mark.
        DutyHandle started = handle;
        if (started != null) {
            started.wake();
        }
    }

    void started(DutyHandle duty) {
        handle = duty;
        if (isEarly) {
            duty.wake();
        }
    }
}
