/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.message.MessageIds;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A topic goes from 8 queues to 4: what waited for queues 4 to 7 becomes visible where consumers read. */
class SmallerTopicTest {
    private final TestBroker broker = new TestBroker();
    private final InsightDialogue dialogue = new InsightDialogue(broker);

    @AfterEach
    void close() {
        broker.close();
    }

    private void queues(int count) {
        Asked asked = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader("orders", "TBW102", count, count, 6, null, 0, false, null, true))
                .build());
        assertThat(asked.result()).as(asked.remark()).isZero();
    }

    private List<String> bodies(int queueId) {
        return broker.store.queues().offsetRange("orders", queueId).maxOffset() == 0
                ? List.of()
                : TestBroker.bodies(broker.pull("orders", queueId, 0, "*"));
    }

    private void end(Asked half, String key, int decision) {
        long handle = MessageIds.decode(half.field("msgId")).position();
        Asked ended = broker.ask(Command.request(RequestCode.END_TRANSACTION)
                .header(new EndTransactionHeader("orders", "tellers", 0, handle, decision, false, key, key, "broker-a"))
                .build());
        assertThat(ended.result()).as(ended.remark()).isZero();
    }

    @Test
    void whatIsDelayedOrUndecidedIsPlacedWhenItBecomesVisible() {
        queues(8);
        for (int queueId = 0; queueId < 8; queueId++) {
            broker.send("orders", queueId, "late-" + queueId, "TIMER_DELAY_SEC", "60", "UNIQ_KEY", "d" + queueId);
        }
        Asked half = broker.send("orders", 6, "half", "TRAN_MSG", "true", "PGROUP", "tellers", "UNIQ_KEY", "h");
        Asked later = broker.send(
                "orders",
                7,
                "half and late",
                "TRAN_MSG",
                "true",
                "PGROUP",
                "tellers",
                "UNIQ_KEY",
                "l",
                "TIMER_DELAY_SEC",
                "60");
        queues(4);
        end(half, "h", 8);
        end(later, "l", 8);
        broker.crash(2);
        broker.pass(61_000);
        List<String> all = new ArrayList<>();
        for (int queueId = 0; queueId < 4; queueId++) {
            all.addAll(bodies(queueId));
        }
        assertThat(all).hasSize(10);
        assertThat(bodies(1)).containsExactly("late-1", "late-5");
        assertThat(bodies(2)).containsExactlyInAnyOrder("half", "late-2", "late-6");
        assertThat(bodies(3)).containsExactlyInAnyOrder("late-3", "late-7", "half and late");
        assertThat(broker.store.queues().offsetRange("orders", 5).maxOffset()).isZero();
    }

    @Test
    void whatStandsInAQueueThatIsGoneIsToldByTheDoctor() {
        queues(8);
        broker.send("orders", 5, "left", "UNIQ_KEY", "left");
        queues(4);
        FakeConnection client = dialogue.join("shop", "c1", "orders", "*");
        assertThat(client.isOpen()).isTrue();
        assertThat(dialogue.cause("shop", "left").getString("cause")).isEqualTo("QUEUE_REMOVED");
        assertThat(dialogue.cause("shop", "left").getInt("queueId", -1)).isEqualTo(5);
        assertThat(dialogue.cause("shop", "left").getObject("evidence").getInt("readQueueNums", -1))
                .isEqualTo(4);
        assertThat(dialogue.doctor("shop", ""))
                .extracting(f -> f.getString("cause"))
                .contains("QUEUE_REMOVED");
    }
}
