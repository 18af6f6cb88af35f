/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Duties of one log that show a test what was started: the flusher, which a test may hand frames to while the log follows, and
 * the writers, not held. The flusher's wake fails once, when asked for.
 */
final class WatchedDuties implements Duties {
    final List<WeakReference<Duty>> writers = new ArrayList<>();
    Flusher flusher;
    boolean failNext;
    private final Duties real;

    WatchedDuties(Duties real) {
        this.real = real;
    }

    @Override
    public DutyHandle start(Duty duty) {
        DutyHandle handle = real.start(duty);
        if (duty instanceof Writer) {
            writers.add(new WeakReference<>(duty));
        }
        boolean fails = duty instanceof Flusher;
        if (fails) {
            flusher = (Flusher) duty;
        }
        return new DutyHandle() {
            @Override
            public void wake() {
                if (fails && failNext) {
                    failNext = false;
                    throw new IllegalStateException("a test");
                }
                handle.wake();
            }

            @Override
            public void close() {
                handle.close();
            }
        };
    }

    @Override
    public Executor executor(String name, int maxThreads) {
        return real.executor(name, maxThreads);
    }

    @Override
    public Thread thread(String name, Runnable body) {
        return real.thread(name, body);
    }

    @Override
    public void close() {
        real.close();
    }
}
