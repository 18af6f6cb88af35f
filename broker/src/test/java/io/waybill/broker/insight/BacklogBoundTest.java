/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A scan ends at its bound and says so. */
class BacklogBoundTest {
    @Test
    void anAnswerBeyondTheBoundIsNotExact() {
        try (SimulatedBroker broker = new SimulatedBroker()) {
            broker.topic("orders", 2);
            for (int i = 0; i < 20; i++) {
                broker.put("orders", i % 2, "m", SimulatedBroker.properties("u" + i, "TAGS", i < 10 ? "A" : "B"));
            }
            HeartbeatData heartbeat = new HeartbeatData(
                    "c1",
                    List.of(new ConsumerData(
                            "g",
                            ConsumerData.CONSUME_PASSIVELY,
                            ConsumerData.CLUSTERING,
                            ConsumerData.FROM_LAST_OFFSET,
                            List.of(SubscriptionData.of("orders", "A")),
                            false)),
                    List.of());
            broker.request(
                    broker.connect(),
                    Command.request(RequestCode.HEART_BEAT)
                            .body(heartbeat.toJson())
                            .build());
            DeliveryLog deliveries = new DeliveryLog(
                    broker.store.deliveries()::recordDeliveries,
                    broker.store.deliveries()::deliveriesOf,
                    broker.members::clientId,
                    broker.store.clock()::nowMillis);
            InsightStoreAccess reads = new InsightStoreAccess(
                    broker.store.queues(),
                    broker.store.messages(),
                    broker.store.transactions(),
                    broker.store.conflicts(),
                    broker.store.timers(),
                    broker.store.pops(),
                    broker.store.settlements(),
                    broker.store.status(),
                    broker.store.clock());
            GroupState standings = new GroupState(
                    reads,
                    broker.topics,
                    broker.groups,
                    broker.members,
                    broker.offsets,
                    deliveries,
                    null, // a count asks nobody for locks or for keys
                    null);
            Backlog.Row all = new Backlog(reads, standings, "g").count().get("orders");
            assertThat(all.isExact).isTrue();
            assertThat(all.ready.count()).isEqualTo(10);
            Backlog.Row some = new Backlog(reads, standings, "g", 5, 5).count().get("orders");
            assertThat(some.isExact).isFalse();
            assertThat(some.ready.count()).isEqualTo(5);
            assertThat(some.examined).isEqualTo(10);
        }
    }
}
