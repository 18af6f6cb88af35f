/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PeerLogLimitsTest {
    private final SimulatedClock clock = new SimulatedClock();
    private final PeerLogLimits lines = new PeerLogLimits(clock);

    private int admitted(PeerLogLimits.PeerEvent kind, int count) {
        int admitted = 0;
        for (int i = 0; i < count; i++) {
            admitted += lines.admit(kind) == null ? 0 : 1;
        }
        return admitted;
    }

    @Test
    void aFloodOfOneKindIsCutAndCountedAndHidesNoOther() {
        assertThat(admitted(PeerLogLimits.PeerEvent.BROKEN_FRAME, 100_000)).isEqualTo(PeerLogLimits.MOST);
        assertThat(lines.admit(PeerLogLimits.PeerEvent.FAILED_REQUEST)).isEmpty();
        clock.advance(TimeUnit.SECONDS.toMillis(59));
        assertThat(lines.admit(PeerLogLimits.PeerEvent.BROKEN_FRAME)).isNull();
        clock.advance(TimeUnit.SECONDS.toMillis(1));
        assertThat(lines.admit(PeerLogLimits.PeerEvent.BROKEN_FRAME)).contains("99991 such lines were left out");
        assertThat(lines.admit(PeerLogLimits.PeerEvent.BROKEN_FRAME)).isEmpty();
    }
}
