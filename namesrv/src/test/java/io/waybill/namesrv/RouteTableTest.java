/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.namesrv.RouteTable.Address;
import io.waybill.namesrv.RouteTable.Registered;
import io.waybill.namesrv.RouteTable.Registration;
import io.waybill.platform.MemoryBudget;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.body.BrokerData;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicRoute;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RouteTableTest {
    private static final long EXPIRY = 120_000;
    private final RouteTable table = new RouteTable(new MemoryBudget(64 << 20));

    private static Registration broker(String name, long id, String address, long version, String... topics) {
        return new Registration(
                "C",
                name,
                id,
                address,
                "ha-" + address,
                false,
                null,
                new DataVersion(0, version, version),
                Stream.of(topics).map(topic -> new TopicConfig(topic, 4, 8, 6)).toList());
    }

    private QueueData only(String topic) {
        return table.route(topic).queueDatas().get(0);
    }

    @Test
    void aTopicIsServedByAllWhoRegisteredIt() {
        table.register(broker("a", 0, "h1:1", 1, "T", "U"), 1, 0);
        table.register(broker("b", 0, "h2:1", 1, "T"), 2, 0);
        TopicRoute route = table.route("T");
        assertThat(route.queueDatas()).containsExactly(new QueueData("a", 4, 8, 6, 0), new QueueData("b", 4, 8, 6, 0));
        assertThat(route.brokerDatas())
                .containsExactly(
                        new BrokerData("C", "a", Map.of(0L, "h1:1")), new BrokerData("C", "b", Map.of(0L, "h2:1")));
        assertThat(table.route("U").brokerDatas()).hasSize(1);
        assertThat(table.route("V")).isNull();
        assertThat(table.topics()).containsExactly("T", "U");
    }

    @Test
    void theTopicsAreReadAgainOnlyWhenTheVersionChanged() {
        table.register(broker("a", 0, "h:1", 1, "T"), 1, 0);
        assertThat(table.forbidWriting("a")).isEqualTo(1);
        assertThat(only("T").perm()).isEqualTo(4);
        table.register(broker("a", 0, "h:1", 1, "T", "U"), 1, 1);
        assertThat(only("T").perm()).isEqualTo(4);
        assertThat(table.route("U")).isNull();
        table.register(broker("a", 0, "h:1", 2, "T", "U"), 1, 2);
        assertThat(only("T").perm()).isEqualTo(6);
        assertThat(table.route("U")).isNotNull();
        table.forbidWriting("a");
        assertThat(table.allowWriting("a")).isEqualTo(2);
        assertThat(only("T").perm()).isEqualTo(6);
        assertThat(table.allowWriting("nobody")).isZero();
    }

    @Test
    void aSlaveLearnsItsMasterAndDoesNotSpeakForTopics() {
        assertThat(table.register(broker("a", 1, "h2:1", 1, "T"), 2, 0))
                .isEqualTo(new Registered(null, null, null, null, 0));
        assertThat(table.route("T")).isNull();
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        assertThat(table.register(broker("a", 1, "h2:1", 1, "T"), 2, 0))
                .isEqualTo(new Registered(null, null, "h1:1", "ha-h1:1", 0));
        assertThat(table.route("T").brokerDatas().get(0).brokerAddrs()).isEqualTo(Map.of(0L, "h1:1", 1L, "h2:1"));
        assertThat(table.members("C", "a")).hasSize(2);
        assertThat(table.members("D", "a")).isEmpty();
    }

    @Test
    void aSlaveThatMayActServesItsTopicsForReading() {
        Registration slave = broker("a", 2, "h2:1", 1, "T");
        table.register(new Registration("C", "a", 2, "h2:1", "ha", true, null, slave.version(), slave.topics()), 2, 0);
        assertThat(only("T").perm()).isEqualTo(4);
    }

    @Test
    void aLivingBrokerKeepsItsNameWhateverTheNewcomerClaims() {
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        Registration claims =
                new Registration("C", "a", 0, "h2:1", null, false, null, new DataVersion(7, 99, 99), List.of());
        Registered refused = table.register(claims, 2, 5_000);
        assertThat(refused.accepted()).isFalse();
        assertThat(refused.heldBy()).isEqualTo("h1:1");
        assertThat(refused.refusal()).contains("broker a id 0", "h1:1", "5000 ms");
        assertThat(table.members("C", "a")).containsEntry(0L, "h1:1");
        assertThat(table.version(claims.key())).isNull();
        assertThat(table.connectionClosed(2)).as("it was never in").isEmpty();
        // The holder goes on, also over a new connection while the old one is half open.
        assertThat(table.register(broker("a", 0, "h1:1", 1, "T"), 3, 6_000).accepted())
                .isTrue();
        assertThat(table.connectionClosed(1)).isEmpty();
        assertThat(table.register(claims, 2, 7_000).accepted()).isFalse();
        // Gone is gone: by its connection, or by its silence.
        table.connectionClosed(3);
        assertThat(table.register(claims, 2, 8_000).accepted()).isTrue();
        table.expire(8_000 + EXPIRY + 1, EXPIRY);
        assertThat(table.register(broker("a", 0, "h1:1", 1, "T"), 4, 9_000).accepted())
                .isTrue();
    }

    @Test
    void aTopicThatABrokerStillServesComesBack() {
        table.register(broker("a", 0, "h1:1", 1, "T", "U"), 1, 0);
        table.deleteTopic("T", null);
        assertThat(table.route("T")).isNull();
        table.register(broker("a", 0, "h1:1", 1, "T", "U"), 1, 1);
        assertThat(table.route("T")).isNotNull();
        table.deleteTopic("T", null);
        table.register(broker("a", 0, "h1:1", 1, "U"), 1, 2);
        assertThat(table.route("T")).isNull();
    }

    @Test
    void aNameBelongsToOneCluster() {
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        Registration other = new Registration("D", "a", 0, "h2:1", null, false, null, DataVersion.NONE, List.of());
        assertThat(table.register(other, 2, 0).heldBy()).isEqualTo("h1:1");
        Registration moved = new Registration("D", "a", 0, "h1:1", null, false, null, DataVersion.NONE, List.of());
        assertThat(table.register(moved, 1, 0).accepted())
                .as("the same process in another cluster")
                .isTrue();
        assertThat(table.members("D", "a")).hasSize(1);
        assertThat(table.members("C", "a")).isEmpty();
    }

    @Test
    void aProcessMayChangeItsId() {
        table.register(broker("a", 1, "h1:1", 1, "T"), 1, 0);
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        assertThat(table.members("C", "a")).isEqualTo(Map.of(0L, "h1:1"));
        assertThat(table.route("T")).isNotNull();
    }

    @Test
    void aSilentBrokerIsForgottenAfterTheExpiryAndNotBefore() {
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 1_000);
        table.register(broker("b", 0, "h2:1", 1, "T"), 2, 1_000);
        assertThat(table.nextExpiry(EXPIRY)).isEqualTo(121_000);
        assertThat(table.heartbeat(new Address("C", "h2:1"), 60_000)).isTrue();
        assertThat(table.heartbeat(new Address("C", "h9:1"), 60_000)).isFalse();
        assertThat(table.expire(121_000, EXPIRY)).isEmpty();
        assertThat(table.expire(121_001, EXPIRY)).containsExactly("h1:1");
        assertThat(table.route("T").queueDatas())
                .extracting(QueueData::brokerName)
                .containsExactly("b");
        assertThat(table.nextExpiry(EXPIRY)).isEqualTo(180_000);
        assertThat(table.expire(180_001, EXPIRY)).containsExactly("h2:1");
        assertThat(table.route("T")).isNull();
        assertThat(table.nextExpiry(EXPIRY)).isEqualTo(Long.MAX_VALUE);
        assertThat(table.anyAddress()).isNull();
    }

    @Test
    void aBrokerGoesWithTheConnectionItRegisteredOnLast() {
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        table.register(broker("a", 0, "h1:1", 1, "T"), 2, 0);
        assertThat(table.connectionClosed(1)).isEmpty();
        assertThat(table.route("T")).isNotNull();
        assertThat(table.connectionClosed(2)).containsExactly("h1:1");
        assertThat(table.route("T")).isNull();
        // Back with the same version: the topics are there again.
        table.register(broker("a", 0, "h1:1", 1, "T"), 3, 0);
        assertThat(table.route("T")).isNotNull();
    }

    @Test
    void unregisteringNeedsTheRightNameAndId() {
        table.register(broker("a", 0, "h1:1", 1, "T"), 1, 0);
        assertThat(table.unregister(new Address("C", "h1:1"), "b", 0, 1, "h1")).isFalse();
        assertThat(table.unregister(new Address("C", "h1:1"), "a", 1, 1, "h1")).isFalse();
        assertThat(table.unregister(new Address("D", "h1:1"), "a", 0, 1, "h1")).isFalse();
        assertThat(table.unregister(new Address("C", "h1:1"), "a", 0, 2, "h2"))
                .as("another peer")
                .isFalse();
        assertThat(table.route("T")).isNotNull();
        assertThat(table.unregister(new Address("C", "h1:1"), "a", 0, 2, "h1")).isTrue();
        assertThat(table.route("T")).isNull();
    }

    @Test
    void topicsAreDeletedEverywhereOrInOneCluster() {
        table.register(broker("a", 0, "h1:1", 1, "T", "U"), 1, 0);
        Registration other = new Registration(
                "D", "d", 0, "h2:1", null, false, null, DataVersion.NONE, List.of(new TopicConfig("T", 1, 1, 6)));
        table.register(other, 2, 0);
        table.deleteTopic("T", "C");
        assertThat(table.route("T").queueDatas())
                .extracting(QueueData::brokerName)
                .containsExactly("d");
        assertThat(table.topicsOf("C")).containsExactly("U");
        assertThat(table.topicsOf("D")).containsExactly("T");
        table.deleteTopic("T", null);
        table.deleteTopic("never", null);
        assertThat(table.route("T")).isNull();
        assertThat(table.systemTopics()).containsExactly("C", "D", "a", "d");
        assertThat(table.clusterInfo().clusterAddrTable()).isEqualTo(Map.of("C", Set.of("a"), "D", Set.of("d")));
    }

    @Test
    void brokersAreBounded() {
        for (int i = 0; i < RouteTable.MAX_BROKERS; i++) {
            assertThat(table.register(broker("b" + i, 0, "h:" + i, 1), i, 0).accepted())
                    .isTrue();
        }
        assertThat(table.register(broker("more", 0, "h:x", 1), 0, 0).accepted()).isFalse();
        assertThat(table.register(broker("b1", 0, "h:1", 2), 1, 0).accepted()).isTrue();
    }

    @Test
    void noRouteEverNamesABrokerThatIsNotAlive() {
        for (long seed = 0; seed < 200; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            RouteTable routes = new RouteTable(new MemoryBudget(64 << 20));
            long now = 0;
            for (int step = 0; step < 60; step++) {
                now += random.nextInt(50_000);
                String name = "b" + random.nextInt(3);
                long id = random.nextInt(3);
                String address = "h:" + random.nextInt(5);
                switch (random.nextInt(6)) {
                    case 0 -> routes.expire(now, EXPIRY);
                    case 1 -> routes.connectionClosed(random.nextInt(4));
                    case 2 -> routes.unregister(new Address("C", address), name, id, random.nextInt(4), "h9");
                    case 3 -> routes.deleteTopic("T" + random.nextInt(3), random.nextInt(2) == 0 ? null : "C");
                    default ->
                        routes.register(
                                broker(name, id, address, random.nextInt(4), "T" + random.nextInt(3), "T0"),
                                random.nextInt(4),
                                now);
                }
                Set<String> alive = new HashSet<>();
                for (BrokerData broker : routes.clusterInfo().brokerAddrTable().values()) {
                    assertThat(broker.brokerAddrs()).as("seed %s", seed).isNotEmpty();
                    for (String each : broker.brokerAddrs().values()) {
                        assertThat(routes.version(new Address("C", each)))
                                .as("seed %s", seed)
                                .isNotNull();
                        alive.add(each);
                    }
                }
                List<String> served = new ArrayList<>();
                for (String topic : routes.topics()) {
                    TopicRoute route = routes.route(topic);
                    assertThat(route.queueDatas())
                            .hasSameSizeAs(route.brokerDatas())
                            .isNotEmpty();
                    route.brokerDatas()
                            .forEach(
                                    broker -> served.addAll(broker.brokerAddrs().values()));
                }
                assertThat(alive).as("seed %s", seed).containsAll(served);
            }
        }
    }

    @Test
    void oneNameWithEverNewIdsIsBoundedToo() {
        for (int id = 0; id < RouteTable.MAX_BROKERS; id++) {
            assertThat(table.register(broker("a", id, "h:" + id, 1), 1, 0).accepted())
                    .isTrue();
        }
        assertThat(table.register(broker("a", 5_000, "h:5000", 1), 1, 0).accepted())
                .isFalse();
        assertThat(table.register(broker("a", 3, "h:3", 2), 1, 0).accepted())
                .as("known before")
                .isTrue();
    }

    @Test
    void topicsHoldNoMoreThanTheirMemoryAndNoBrokerHoldsAll() {
        MemoryBudget memory = new MemoryBudget(100_000);
        RouteTable small = new RouteTable(memory);
        String[] many = new String[1_000];
        for (int i = 0; i < many.length; i++) {
            many[i] = "flood-" + i;
        }
        assertThat(small.register(broker("a", 0, "h1:1", 1, many), 1, 0).topicsIgnored())
                .isBetween(620, 720);
        assertThat(memory.usedBytes()).isBetween(70_000L, 76_000L);
        assertThat(small.register(broker("b", 0, "h2:1", 1, "orders"), 2, 0).topicsIgnored())
                .isZero();
        assertThat(small.route("orders")).isNotNull();
        small.deleteTopic("flood-0", null);
        small.deleteTopic("flood-1", "C");
        small.connectionClosed(1);
        assertThat(memory.usedBytes()).isBetween(1L, 300L);
        small.deleteTopic("orders", "C");
        assertThat(memory.usedBytes()).isZero();
    }
}
