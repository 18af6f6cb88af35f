/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.WaybillException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PatienceTest {
    private static final Machine IDLE = new Machine(0.99, 3, 0.4, 2);
    private static final Machine BUSY = new Machine(0.24, 3, 8.1, 2);
    private static final Machine DISK_BUSY = new Machine(0.99, 2_500, 1.0, 2);

    @Test
    void whatNeverMovesOnAnIdleMachineHasNotHappened() throws Exception {
        assertThat(patience(IDLE).await("it", () -> 0, () -> false, moved -> {}))
                .isFalse();
    }

    @Test
    void onABusyMachineItIsNotKnown() {
        assertThatThrownBy(() -> patience(BUSY).await("the thing", () -> 0, () -> false, moved -> {}))
                .isInstanceOf(TooSlow.class)
                .hasMessageContaining("the thing")
                .hasMessageContaining("24 % of a processor");
        assertThatThrownBy(() -> patience(DISK_BUSY).await("it", () -> 0, () -> false, moved -> {}))
                .isInstanceOf(TooSlow.class)
                .hasMessageContaining("2500 ms");
    }

    @Test
    void waitsAsLongAsSomethingMoves() throws Exception {
        AtomicInteger moved = new AtomicInteger();
        assertThat(patience(IDLE).await("it", moved::incrementAndGet, () -> moved.get() > 20, shown -> {}))
                .isTrue();
    }

    @Test
    void callsAgainWhatWasNotAnsweredInTime() throws Exception {
        AtomicInteger calls = new AtomicInteger();
        Patience patience = new Patience(Duration.ofMinutes(5), () -> BUSY);
        assertThat(patience.answered("it", () -> {
                    if (calls.incrementAndGet() == 1) {
                        throw failure(WaybillException.Kind.TIMEOUT);
                    }
                    return calls.get();
                }))
                .isEqualTo(2);
        assertThatThrownBy(() -> patience.answered("it", () -> {
                    throw failure(WaybillException.Kind.REFUSED);
                }))
                .isInstanceOf(WaybillException.class);
    }

    @Test
    void measuresThisMachine(@TempDir Path directory) {
        Machine machine = Machine.measure(directory);
        assertThat(machine.processorShare()).isBetween(0.0, 1.0);
        assertThat(machine.processors()).isPositive();
        assertThat(directory).isEmptyDirectory();
    }

    private static Patience patience(Machine machine) {
        return new Patience(Duration.ZERO, () -> machine);
    }

    private static WaybillException failure(WaybillException.Kind kind) {
        return new WaybillException(kind, -1, false, "what", "advice", null);
    }
}
