/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import java.util.ArrayList;
import java.util.List;

/** What the features run in the background: declared while the broker is put together, then started and ended together. Not thread-safe. */
public final class BackgroundDuties implements AutoCloseable {
    private record Declared(Duty duty, Wakeup wakeup) {}

    private final List<Declared> declared = new ArrayList<>();
    private final List<DutyHandle> started = new ArrayList<>();

    /** A duty that says by itself when it runs next. */
    public void add(Duty duty) {
        add(duty, new Wakeup());
    }

    /** A duty that others wake. */
    public void add(Duty duty, Wakeup wakeup) {
        declared.add(new Declared(duty, wakeup));
    }

    /** Starts all that were added and not started yet, in this order. */
    public void start(Duties duties) {
        for (Declared one : declared) {
            DutyHandle handle = duties.start(one.duty());
            one.wakeup().started(handle);
            started.add(handle);
        }
        declared.clear();
    }

    /** Ends them, the first one first; returns when their last runs have ended. */
    @Override
    public void close() {
        started.forEach(DutyHandle::close);
        started.clear();
    }
}
