/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What frames in flight say of messages that are to be settled. */
class SettleTest {
    private final List<LogRecord> inFlight = new ArrayList<>();
    private int walks;
    private final Pending pending = new Pending(nothingSettled(), null, visitor -> {
        walks++;
        inFlight.forEach(visitor);
    });

    private static FoldedLog nothingSettled() {
        Class<?>[] types = {FoldedLog.class};
        return (FoldedLog)
                Proxy.newProxyInstance(SettleTest.class.getClassLoader(), types, (proxy, method, args) -> null);
    }

    private static Settlement range(String topic, int queueId, long from, long to) {
        return new Settlement(Settlement.SetAsideKind.QUARANTINE, topic, queueId, from, to, How.DISCARDED, "kim");
    }

    private static Settlement forgotten(String topic, int queueId) {
        return new Settlement(
                Settlement.SetAsideKind.QUARANTINE, topic, queueId, 0, Long.MAX_VALUE, How.FORGOTTEN, "the deletion");
    }

    private Object priorOf(Settlement... ranges) {
        Outcome outcome = new Settle(List.of(ranges), null, Completion.NONE).judge(pending);
        return outcome == null ? null : ((Refused) outcome).prior();
    }

    @Test
    void manyRangesLookOnceAtWhatIsInFlight() {
        List<Settlement> ranges = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            ranges.add(range("q", 0, 2 * i, 2 * i + 1));
            inFlight.add(range("q", 0, 2 * i + 1, 2 * i + 2));
        }
        assertThat(priorOf(ranges.toArray(new Settlement[0]))).isNull();
        assertThat(walks).isEqualTo(1);
    }

    @Test
    void whatIsInFlightIsFoundWhereItOverlapsAndInItsQueueOnly() {
        Settlement known = range("q", 1, 10, 20);
        inFlight.add(range("p", 1, 0, 100));
        inFlight.add(range("q", 0, 0, 100));
        inFlight.add(range("q", 2, 0, 100));
        inFlight.add(known);
        assertThat(priorOf(range("q", 1, 0, 10), range("q", 1, 20, 21))).isNull();
        assertThat(priorOf(range("q", 1, 30, 31), range("q", 1, 19, 25))).isEqualTo(known);
        assertThat(priorOf(range("q", 1, 0, 11))).isEqualTo(known);
        assertThat(priorOf(range("q", 1, 12, 13), range("r", 0, 0, 1))).isEqualTo(known);
        assertThat(priorOf(range("q", 1, 0, 100))).isEqualTo(known);
        assertThat(pending.takeConsultedInFlight()).isTrue();
    }

    @Test
    void theLastWordInFlightCounts() {
        inFlight.add(range("q", 0, 0, 10));
        inFlight.add(forgotten("q", 0));
        assertThat(priorOf(range("q", 0, 3, 4), range("q", 0, 12, 13))).isNull();
        Settlement later = range("q", 0, 3, 4);
        inFlight.add(later);
        assertThat(priorOf(range("q", 0, 0, 2), range("q", 0, 3, 4))).isEqualTo(later);
        inFlight.add(forgotten("q", 1));
        assertThat(priorOf(range("q", 0, 3, 4))).isEqualTo(later);
    }
}
