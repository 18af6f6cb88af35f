/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Wakeup;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.store.StoreStatus;
import io.waybill.store.log.StoreState;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a broker does when its store froze: it says why, once; leaves the name servers, so that producers go elsewhere; answers
 * what waits; and then tells whoever runs it, who should end the process: a start recovers everything that was acknowledged,
 * and nothing else can. What was confirmed can be read until then.
 */
final class Departure implements Duty, Feature {
    private static final Logger LOG = LoggerFactory.getLogger(Departure.class);

    private final StoreStatus storeStatus;
    private final Supplier<CompletableFuture<Void>> leave;
    private final Clock clock;
    private final Wakeup frozen = new Wakeup();
    private final long mostNanos;
    private final CompletableFuture<String> gone = new CompletableFuture<>();
    private CompletableFuture<Void> leaving;
    private long untilNanos;

    Departure(StoreStatus storeStatus, Supplier<CompletableFuture<Void>> leave, Clock clock, long mostMillis) {
        this.storeStatus = storeStatus;
        this.leave = leave;
        this.clock = clock;
        storeStatus.onFrozen(frozen::wake);
        this.mostNanos = TimeUnit.MILLISECONDS.toNanos(mostMillis);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(this, frozen);
    }

    /** Completes with the reason when the store froze and the name servers know, or did not answer in time. */
    CompletableFuture<String> gone() {
        return gone;
    }

    @Override
    public String roleName() {
        return "broker-departure";
    }

    @Override
    public long run() {
        StoreState state = storeStatus.state();
        if (state.kind() != StoreState.StoreMode.FROZEN || gone.isDone()) {
            return WHEN_WOKEN;
        }
        if (leaving == null) {
            LOG.error(
                    "The store is frozen ({}): this broker leaves the name servers. Start it again when the disk is well;"
                            + " what was acknowledged is kept",
                    state.reason());
            untilNanos = clock.nanoTime() + mostNanos;
            leaving = leave.get();
        }
        long left = untilNanos - clock.nanoTime();
        if (!leaving.isDone() && left > 0) {
            return Math.min(left, TimeUnit.MILLISECONDS.toNanos(100));
        }
        gone.complete(state.reason());
        return WHEN_WOKEN;
    }
}
