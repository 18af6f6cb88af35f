/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Topics of which only the last queue is used: the writer forgets them in time and still gives dense offsets. */
class ManyQueuesTest {
    @Test
    void offsetsStayDenseWhenIdleQueuesAreForgotten() throws Exception {
        try (Simulation sim =
                new Simulation(Simulation.SMALL.withSegmentBytes(1 << 20).withMaxFrameBytes(1 << 16))) {
            List<Outcome> outcomes = new ArrayList<>();
            for (int round = 0; round < 2; round++) {
                for (int topic = 0; topic < 700; topic++) {
                    MessageDraft last = MessageDraft.copyOf(
                                    ByteBuffer.wrap(draft("t" + topic, "").bytes()), 0)
                            .queueId(1023)
                            .build();
                    sim.store.messages().append(last, outcomes::add);
                    if (topic % 50 == 0) {
                        sim.duties.runUntilIdle();
                    }
                }
                sim.duties.runUntilIdle();
            }
            assertThat(outcomes).hasSize(1_400).hasOnlyElementsOfType(Stored.class);
            for (int i = 0; i < outcomes.size(); i++) {
                assertThat(((Stored) outcomes.get(i)).queueOffset()).isEqualTo(i / 700);
            }
        }
    }
}
