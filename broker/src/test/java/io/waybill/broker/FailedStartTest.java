/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.remoting.EventLoops;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real broker that gets no thread for one of its duties, as on a machine that has none left. */
class FailedStartTest {
    private final Duties real = Duties.real();
    private final Set<String> running = ConcurrentHashMap.newKeySet();
    private final EventLoops loops = EventLoops.create(1);

    @TempDir
    Path data;

    @AfterEach
    void close() {
        real.close();
        loops.close();
    }

    /** Counts what runs; one is never started. */
    private Duties without(String roleName) {
        return new Duties() {
            @Override
            public DutyHandle start(Duty duty) {
                if (duty.roleName().equals(roleName)) {
                    throw new OutOfMemoryError("no thread for " + roleName);
                }
                DutyHandle handle = real.start(duty);
                assertThat(running.add(duty.roleName())).as(duty.roleName()).isTrue();
                return new DutyHandle() {
                    @Override
                    public void wake() {
                        handle.wake();
                    }

                    @Override
                    public void close() {
                        handle.close();
                        running.remove(duty.roleName());
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
        };
    }

    private void failsWithout(String roleName) {
        BrokerSettings settings = BrokerSettings.defaults()
                .with("port", 0)
                .with("namesrv", "")
                .with("segmentBytes", 8 << 20)
                .with("freeDiskFloorBytes", 0);
        Platform platform = new Platform(Clock.system(), RandomSource.seeded(1), without(roleName));
        assertThatThrownBy(() -> Broker.start(settings, Files.real(data), platform, loops))
                .hasMessage("no thread for " + roleName);
        assertThat(running).isEmpty();
    }

    @Test
    void afterAStartThatFailsHalfWayNoDutyRunsOnAStoreThatIsClosed() {
        failsWithout("broker-departure");
        failsWithout("broker-members");
    }
}
