/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.frame.Command;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What clients and operators are told while an index is damaged and being rebuilt. */
class ViewsDamageTest {
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Map<String, String> figures() {
        return KvTable.parse(broker.ask(Command.request(RequestCode.GET_BROKER_RUNTIME_INFO)
                                .build())
                        .reply()
                        .body())
                .table();
    }

    private List<String> all(String topic) {
        List<String> bodies = new ArrayList<>();
        for (Asked pulled = broker.pull(topic, 0, 0, "*");
                pulled.result() == ResponseCode.SUCCESS;
                pulled = broker.pull(topic, 0, bodies.size(), "*")) {
            bodies.addAll(TestBroker.bodies(pulled));
        }
        return bodies;
    }

    @Test
    void aDamagedIndexIsRebuiltWhileSendsGoOn() {
        for (int i = 0; i < 50; i++) {
            broker.send("orders", 0, "m" + i);
        }
        broker.pass(60_000);
        broker.backend.alone(true);
        broker.backend.damage("queue");
        broker.send("orders", 0, "m50");

        Asked pulled = broker.pull("orders", 0, 10, "*");
        assertThat(pulled.result()).as("no client takes it for an empty queue").isEqualTo(ResponseCode.SYSTEM_BUSY);
        assertThat(pulled.remark()).contains("cannot be read at the moment", "try again later");
        Asked range = broker.ask(TestBroker.pulling("readers", "orders", 0, 51, TestBroker.SUBSCRIPTION, "*"));
        assertThat(range.result()).isEqualTo(ResponseCode.SYSTEM_BUSY);
        assertThat(figures().get("viewsState")).contains("told to be damaged", "no room");
        assertThat(figures().get("storeState")).isEqualTo("OPEN");
        assertThat(figures()).doesNotContainKey("earliestMessageTimeStamp");
        assertThat(broker.features.gone()).as("nobody must restart it").isNotDone();

        broker.backend.alone(false);
        broker.pass(61_000);
        assertThat(figures().get("viewsState")).isEqualTo("OK");
        assertThat(figures().get("viewsRebuilds")).isEqualTo("1");
        assertThat(all("orders")).hasSize(51).startsWith("m0").endsWith("m50");
    }

    @Test
    void everyIndexMayBeDamagedUnderAServingBroker() {
        for (String table :
                List.of("keys", "due", "transactions", "offsets", "catalog", "pop", "unique", "deliveries", "state")) {
            int before = all("orders").size();
            broker.send("orders", 0, "before " + table);
            broker.pass(60_000);
            broker.backend.inUse().damage(table);
            broker.send("orders", 0, "after " + table);
            broker.pass(120_000);
            assertThat(broker.store.status().state().isOpen()).isTrue();
            assertThat(all("orders")).as(table).hasSize(before + 2);
        }
    }

    /** The topic is created first, and what goes on then is called by the store, which answers nobody. */
    @Test
    void aRetryThatCreatesItsTopicIsAnsweredAlthoughHoldersOfLocksCannotBeRead() {
        broker.send("orders", 0, "m0");
        broker.killIdle();
        broker.backend.alone(true);
        broker.backend.damage("state");
        broker.features.start();
        Asked sent = broker.ask(TestBroker.sending(TestBroker.sendHeader("%RETRY%shipping", 0, new byte[0]), "again"));
        assertThat(sent.result()).isEqualTo(ResponseCode.SYSTEM_BUSY);
    }
}
