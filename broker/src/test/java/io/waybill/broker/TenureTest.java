/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.store.Store;
import io.waybill.store.view.ViewsBackend;
import java.lang.ref.WeakReference;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The features are one tenure: several of them, one after the other, live on one store and one set of threads. */
class TenureTest {
    private static final int TENURES = 10;

    private final List<WeakReference<Features>> tenures = new ArrayList<>();

    @Test
    void tenTenuresOneAfterTheOtherLeaveNoThreadAndNothingInMemory() throws Exception {
        try (Duties duties = Duties.real()) {
            Platform platform = new Platform(Clock.system(), RandomSource.seeded(1), duties);
            BrokerSettings settings = BrokerSettings.defaults();
            Store store = Store.open(
                    new SimulatedFiles(), platform, settings.store().withSegmentBytes(1 << 20), ViewsBackend.memory());
            Lanes lanes = Lanes.of(duties, settings.reads().coldReadThreads(), platform.clock());
            Set<String> before = threads();
            Set<String> serving = null;
            for (int i = 0; i < TENURES; i++) {
                Set<String> now = tenure(store, settings, platform, lanes);
                serving = serving == null ? now : serving;
                assertThat(now).isEqualTo(serving);
                assertThat(threads()).as("after tenure " + i).isEqualTo(before);
            }
            // The store knows the last one until there is another.
            for (WeakReference<Features> ended : tenures.subList(0, TENURES - 1)) {
                for (int tries = 0; ended.get() != null && tries < 100; tries++) {
                    System.gc();
                }
                assertThat(ended.get()).isNull();
            }
            store.close();
        }
    }

    private Set<String> tenure(Store store, BrokerSettings settings, Platform platform, Lanes lanes) {
        Features features = new Features(
                store,
                settings,
                platform,
                lanes,
                new InetSocketAddress("127.0.0.1", 10911),
                (address, request, timeoutMillis) -> CompletableFuture.completedFuture(
                        Command.response(ResponseCode.SUCCESS, null).build()),
                sentence -> {});
        tenures.add(new WeakReference<>(features));
        features.start();
        Set<String> serving = threads();
        features.leave().join();
        features.stop();
        return serving;
    }

    /** Of duties; those of the lanes come and go with their work. */
    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> !name.startsWith("broker-"))
                .collect(Collectors.toCollection(TreeSet::new));
    }
}
