/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.MemoryBudget;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.BadField;
import io.waybill.store.Store;
import io.waybill.store.view.ViewsBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Heartbeats are counted in bytes: 20 MB of them on one connection ended a process. */
class ClientRegistryBytesTest {
    private final SimulatedClock clock = new SimulatedClock();
    private final MemoryBudget memory = new MemoryBudget(1_000_000);
    private Store store;
    private ClientRegistry members;

    @BeforeEach
    void open() throws Exception {
        BrokerSettings settings = BrokerSettings.defaults();
        store = Store.open(
                new SimulatedFiles(),
                new Platform(clock, RandomSource.seeded(1), new SimulatedDuties(clock)),
                settings.store().withSegmentBytes(1 << 20),
                ViewsBackend.memory());
        members = new ClientRegistry(settings, clock, memory);
    }

    @AfterEach
    void close() throws Exception {
        store.close();
    }

    private static HeartbeatData beat(String clientId, String group, int topics, int expressionLength) {
        List<SubscriptionData> wanted = new ArrayList<>();
        for (int i = 0; i < topics; i++) {
            wanted.add(SubscriptionData.of("topic-" + i, "x".repeat(expressionLength), 1));
        }
        return new HeartbeatData(
                clientId,
                List.of(new ConsumerData(
                        group, "CONSUME_PASSIVELY", "CLUSTERING", "CONSUME_FROM_LAST_OFFSET", wanted, false)),
                List.of());
    }

    private void send(FakeConnection connection, HeartbeatData data) {
        members.heartbeat(connection, (byte) 0, 400, data, members.arrival());
    }

    @Test
    void oneConnectionFillsHalfAtMostAndOthersStillJoin() {
        FakeConnection hog = new FakeConnection(1);
        int[] taken = new int[1];
        assertThatThrownBy(() -> {
                    for (int i = 0; i < 10_000; i++) {
                        send(hog, beat("c" + i, "group-" + i, 4, 1_000));
                        taken[0]++;
                    }
                })
                .isInstanceOf(BadField.class)
                .hasMessageContaining("subscriptions")
                .hasMessageContaining("of 1000000 bytes");
        assertThat(memory.usedBytes()).isBetween(450_000L, 560_000L);

        FakeConnection honest = new FakeConnection(2);
        send(honest, beat("me", "shipping", 3, 20));
        assertThat(members.member("shipping", "me")).isNotNull();
        // What is there may go on as it is, and shrink.
        send(hog, beat("c0", "group-0", 4, 1_000));
        send(hog, beat("c0", "group-0", 1, 10));
        long held = memory.usedBytes();
        send(hog, new HeartbeatData("c0", beat("c0", "group-0", 0, 0).consumers(), List.of(), 7, true));
        assertThat(memory.usedBytes()).isEqualTo(held);

        members.closed(hog);
        assertThat(memory.usedBytes()).isBetween(1_000L, 10_000L);
        members.unregister(honest, "me", null, "shipping");
        assertThat(memory.usedBytes()).isZero();
    }

    @Test
    void aClientWithoutGroupsLeavesNothing() {
        FakeConnection connection = new FakeConnection(1);
        send(connection, beat("c", "shipping", 1, 1));
        for (int i = 0; i < 100; i++) {
            HeartbeatData nobody = new HeartbeatData("ghost" + i, List.of(), List.of(), 7, false);
            assertThat(members.heartbeat(connection, (byte) 0, 400, nobody, members.arrival()))
                    .isTrue();
            assertThat(members.connectionOf("ghost" + i)).isNull();
        }
    }
}
