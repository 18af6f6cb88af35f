/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.BrokerMemberGroup;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.BrokerHeader;
import io.waybill.protocol.header.KvHeader;
import io.waybill.protocol.header.RegisterBrokerHeader;
import io.waybill.protocol.header.RouteHeader;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingClient;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NameServerTest {
    private final EventLoops loops = EventLoops.create(1);
    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock, RandomSource.seeded(1));
    private final Platform platform = new Platform(clock, RandomSource.seeded(2), duties);
    private NameServer server;
    private RemotingClient client;
    private String address;

    @BeforeEach
    void start() throws IOException {
        server = NameServer.start(NameServerSettings.on("127.0.0.1", 0), loops, platform);
        client = new RemotingClient(loops, ClientSettings.defaults(), null);
        address = "127.0.0.1:" + server.address().getPort();
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
        loops.close();
    }

    private Command ask(Command request) throws Exception {
        return client.call(address, request, 20_000).get(20, TimeUnit.SECONDS);
    }

    private static RegisterBrokerHeader header(byte[] body, boolean compressed, long id, String brokerAddress) {
        return new RegisterBrokerHeader(
                "broker-a",
                brokerAddress,
                "DefaultCluster",
                "127.0.0.1:10912",
                id,
                0,
                false,
                compressed,
                RegisterBrokerBody.crc(ByteBuffer.wrap(body)),
                null);
    }

    private static RegisterBrokerBody body(String... topics) {
        Map<String, TopicConfig> table = new LinkedHashMap<>();
        for (String topic : topics) {
            table.put(topic, new TopicConfig(topic, 4, 4, 6));
        }
        return new RegisterBrokerBody(new TopicConfigTable(new DataVersion(0, 5, topics.length), table));
    }

    private Command register(String... topics) throws Exception {
        byte[] body = body(topics).toJson();
        return ask(Command.request(RequestCode.REGISTER_BROKER)
                .header(header(body, false, 0, "127.0.0.1:10911"))
                .body(body)
                .build());
    }

    private Command route(String topic) throws Exception {
        return ask(Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .header(new RouteHeader(topic, false))
                .build());
    }

    @Test
    void aRegisteredTopicHasARouteAndAnotherHasNone() throws Exception {
        assertThat(register("T").code()).isZero();
        Command found = route("T");
        assertThat(found.code()).isZero();
        TopicRoute route = TopicRoute.parse(found.body());
        assertThat(route.queueDatas()).containsExactly(new QueueData("broker-a", 4, 4, 6, 0));
        assertThat(route.brokerDatas().get(0).brokerAddrs()).isEqualTo(Map.of(0L, "127.0.0.1:10911"));
        Command missing = route("U");
        assertThat(missing.code()).isEqualTo(17);
        assertThat(missing.remark()).startsWith("No topic route info in name server for the topic: U");
    }

    @Test
    void theRetryTopicOfANewGroupHasARouteBeforeAnyBrokerMadeIt() throws Exception {
        assertThat(route("%RETRY%shipping").code()).as("nobody could make it").isEqualTo(17);
        register("T");
        TopicRoute route = TopicRoute.parse(route("%RETRY%shipping").body());
        assertThat(route.queueDatas()).containsExactly(new QueueData("broker-a", 1, 1, 6, 0));
        assertThat(route.brokerDatas().get(0).brokerAddrs()).isEqualTo(Map.of(0L, "127.0.0.1:10911"));
        for (String none : new String[] {"%DLQ%shipping", "%RETRY%", "%RETRY%a/b", "%RETRY%" + "g".repeat(249)}) {
            assertThat(route(none).code()).as(none).isEqualTo(17);
        }
        assertThat(TopicList.parse(ask(Command.request(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER)
                                        .build())
                                .body())
                        .topicList())
                .as("it is not kept")
                .containsExactly("T");
    }

    private Command route(RemotingClient asking, String topic, boolean exact) throws Exception {
        return asking.call(
                        address,
                        Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                                .header(new RouteHeader(topic, false))
                                .field("exact", exact)
                                .build(),
                        20_000)
                .get(20, TimeUnit.SECONDS);
    }

    @Test
    void aConsumerIsToldTheRouteThatItsTopicWillHaveAndAProducerIsNot() throws Exception {
        byte[] body = new RegisterBrokerBody(new TopicConfigTable(
                        new DataVersion(0, 5, 1), Map.of("TBW102", new TopicConfig("TBW102", 8, 8, 7))))
                .toJson();
        ask(Command.request(RequestCode.REGISTER_BROKER)
                .header(header(body, false, 0, "127.0.0.1:10911"))
                .body(body)
                .build());
        try (RemotingClient consumer = new RemotingClient(loops, ClientSettings.defaults(), null);
                RemotingClient producer = new RemotingClient(loops, ClientSettings.defaults(), null)) {
            assertThat(route(consumer, "new", false).code()).isEqualTo(17);
            assertThat(route(consumer, "%RETRY%shop", false).code()).isZero();
            assertThat(route(consumer, "new", true).code())
                    .as("what is, not what will be")
                    .isEqualTo(17);
            Command expected = route(consumer, "new", false);
            assertThat(TopicRoute.parse(expected.body()).queueDatas())
                    .containsExactly(new QueueData("broker-a", 4, 4, 6, 0));
            for (String never : new String[] {"no topic", "%DLQ%shop", "SCHEDULE_TOPIC_XXXX"}) {
                route(consumer, never, false);
                assertThat(route(consumer, never, false).code()).as(never).isEqualTo(17);
            }
            assertThat(route(producer, "new", false).code()).isEqualTo(17);
            assertThat(route(producer, "TBW102", false).code()).isZero();
            assertThat(route(producer, "new", false).code()).isEqualTo(17);
        }
    }

    @Test
    void anAddressThatOthersReachMustBeMeant() throws Exception {
        NameServerSettings everywhere = NameServerSettings.on("0.0.0.0", 0);
        assertThatThrownBy(() -> NameServer.start(everywhere, loops, platform))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0.0.0.0")
                .hasMessageContaining("insecure=true");
        NameServer.start(everywhere.withInsecure(true), loops, platform).close();
    }

    @Test
    void whatClientsWouldChokeOnIsLeftOutOfARegistration() throws Exception {
        Map<String, TopicConfig> table = new LinkedHashMap<>();
        table.put("T", new TopicConfig("T", 4, 4, 6));
        table.put("many", new TopicConfig("many", Integer.MAX_VALUE, 4, 6));
        table.put("few", new TopicConfig("few", 4, -1, 6));
        table.put("../x", new TopicConfig("../x", 4, 4, 6));
        byte[] body = new RegisterBrokerBody(new TopicConfigTable(new DataVersion(0, 5, 1), table)).toJson();
        Command answer = ask(Command.request(RequestCode.REGISTER_BROKER)
                .header(header(body, false, 0, "127.0.0.1:10911"))
                .body(body)
                .build());
        assertThat(answer.code()).isZero();
        assertThat(route("T").code()).isZero();
        for (String left : new String[] {"many", "few", "../x"}) {
            assertThat(route(left).code()).as(left).isEqualTo(17);
        }
    }

    @Test
    void hostileNamesAndValuesAreRefusedByField() throws Exception {
        byte[] body = body("T").toJson();
        for (String address : new String[] {"", "a b", "x".repeat(300), "a\nb"}) {
            Command answer = ask(Command.request(RequestCode.REGISTER_BROKER)
                    .header(header(body, false, 0, address))
                    .body(body)
                    .build());
            assertThat(answer.code()).as(address).isEqualTo(29);
            assertThat(answer.remark()).startsWith("brokerAddr: must be");
        }
        assertThat(ask(Command.request(RequestCode.REGISTER_BROKER)
                                .header(header(body, false, -5, "h:1"))
                                .body(body)
                                .build())
                        .remark())
                .startsWith("brokerId: must be 0 or more, but was -5");
        Command huge = ask(Command.request(RequestCode.PUT_KV_CONFIG)
                .header(new KvHeader("n", "k", "v".repeat(5_000)))
                .build());
        assertThat(huge.remark()).startsWith("value: must be at most 4096 characters, but was 5000");
        Command echo = route("t".repeat(60_000));
        assertThat(echo.code()).isEqualTo(17);
        assertThat(echo.remark()).hasSizeLessThanOrEqualTo(Command.MAX_REMARK_LENGTH);
    }

    @Test
    void idsAreQuotedForClientsThatReadStandardJson() throws Exception {
        register("T");
        assertThat(text(route("T"))).contains("{\"0\":\"127.0.0.1:10911\"}");
        Command old = Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .version(400)
                .field("topic", "T")
                .build();
        assertThat(text(ask(old))).contains("{0:\"127.0.0.1:10911\"}");
        Command strict = Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .version(121)
                .header(new RouteHeader("T", true))
                .build();
        assertThat(text(ask(strict))).contains("{\"0\":\"127.0.0.1:10911\"}");
    }

    @Test
    void aCompressedRegistrationIsRead() throws Exception {
        byte[] body = body("T", "U").toCompressed();
        assertThat(ask(Command.request(RequestCode.REGISTER_BROKER)
                                .header(header(body, true, 0, "127.0.0.1:10911"))
                                .body(body)
                                .build())
                        .code())
                .isZero();
        assertThat(route("U").code()).isZero();
    }

    @Test
    void aDamagedOrHostileRegistrationIsRefusedOrTrimmed() throws Exception {
        byte[] body = body("T").toJson();
        Command damaged = Command.request(RequestCode.REGISTER_BROKER)
                .header(header(new byte[] {1}, false, 0, "127.0.0.1:10911"))
                .body(body)
                .build();
        assertThat(ask(damaged).code()).isEqualTo(1);
        assertThat(ask(damaged).remark()).isEqualTo("crc32 not match");
        assertThat(ask(Command.request(RequestCode.REGISTER_BROKER).build()).code())
                .isEqualTo(29);
        byte[] noJson = "{\"topicConfigSerializeWrapper\":[".getBytes(StandardCharsets.UTF_8);
        assertThat(ask(Command.request(RequestCode.REGISTER_BROKER)
                                .header(header(noJson, false, 0, "127.0.0.1:10911"))
                                .body(noJson)
                                .build())
                        .code())
                .isEqualTo(29);
        register("../../etc/passwd", "T");
        assertThat(TopicList.parse(ask(Command.request(206).build()).body()).topicList())
                .containsExactly("T");
    }

    @Test
    void slavesLearnTheirMaster() throws Exception {
        register("T");
        byte[] body = body("T").toJson();
        Command reply = ask(Command.request(RequestCode.REGISTER_BROKER)
                .header(header(body, false, 1, "127.0.0.1:20911"))
                .body(body)
                .build());
        assertThat(reply.fields().get("masterAddr")).isEqualTo("127.0.0.1:10911");
        assertThat(reply.fields().get("haServerAddr")).isEqualTo("127.0.0.1:10912");
        BrokerMemberGroup group = BrokerMemberGroup.parse(ask(Command.request(RequestCode.GET_BROKER_MEMBER_GROUP)
                        .field("clusterName", "DefaultCluster")
                        .field("brokerName", "broker-a")
                        .build())
                .body());
        assertThat(group.brokerAddrs()).isEqualTo(Map.of(0L, "127.0.0.1:10911", 1L, "127.0.0.1:20911"));
    }

    @Test
    void aSilentBrokerExpiresAndABeatingOneStays() throws Exception {
        register("T");
        BrokerHeader beat = new BrokerHeader("broker-a", "127.0.0.1:10911", "DefaultCluster", 0);
        duties.advance(100_000);
        assertThat(ask(Command.request(RequestCode.BROKER_HEARTBEAT)
                                .header(beat)
                                .build())
                        .code())
                .isZero();
        duties.advance(100_000);
        assertThat(route("T").code()).isZero();
        duties.advance(20_002);
        assertThat(route("T").code()).isEqualTo(17);
    }

    @Test
    void aBrokerIsForgottenWhenItsConnectionCloses() throws Exception {
        register("T");
        client.closeConnection(address);
        Awaitility.await().untilAsserted(() -> assertThat(route("T").code()).isEqualTo(17));
    }

    @Test
    void aBrokerThatLeavesIsForgottenAtOnce() throws Exception {
        register("T");
        BrokerHeader leave = new BrokerHeader("broker-a", "127.0.0.1:10911", "DefaultCluster", 0);
        assertThat(ask(Command.request(RequestCode.UNREGISTER_BROKER)
                                .header(leave)
                                .build())
                        .code())
                .isZero();
        assertThat(route("T").code()).isEqualTo(17);
    }

    @Test
    void theDataVersionIsCompared() throws Exception {
        register("T");
        BrokerHeader broker = new BrokerHeader("broker-a", "127.0.0.1:10911", "DefaultCluster", 0);
        Command same = ask(Command.request(RequestCode.QUERY_DATA_VERSION)
                .header(broker)
                .body(new DataVersion(0, 5, 1).toJson())
                .build());
        assertThat(same.fields().get("changed")).isEqualTo("false");
        Command other = ask(Command.request(RequestCode.QUERY_DATA_VERSION)
                .header(broker)
                .body(new DataVersion(0, 5, 2).toJson())
                .build());
        assertThat(other.fields().get("changed")).isEqualTo("true");
        assertThat(DataVersion.parse(other.body())).isEqualTo(new DataVersion(0, 5, 1));
    }

    @Test
    void listsAndPermissions() throws Exception {
        register("T", "U");
        assertThat(TopicList.parse(ask(Command.request(206).build()).body()).topicList())
                .containsExactly("T", "U");
        assertThat(TopicList.parse(ask(Command.request(224)
                                        .field("cluster", "DefaultCluster")
                                        .build())
                                .body())
                        .topicList())
                .containsExactly("T", "U");
        TopicList system = TopicList.parse(ask(Command.request(304).build()).body());
        assertThat(system.topicList()).containsExactly("DefaultCluster", "broker-a");
        assertThat(system.brokerAddr()).isEqualTo("127.0.0.1:10911");
        ClusterInfo info = ClusterInfo.parse(ask(Command.request(106).build()).body());
        assertThat(info.brokerAddrTable()).containsOnlyKeys("broker-a");
        Command wiped = ask(Command.request(205).field("brokerName", "broker-a").build());
        assertThat(wiped.fields().get("wipeTopicCount")).isEqualTo("2");
        assertThat(TopicRoute.parse(route("T").body()).queueDatas().get(0).perm())
                .isEqualTo(4);
        Command added = ask(Command.request(327).field("brokerName", "broker-a").build());
        assertThat(added.fields().get("addTopicCount")).isEqualTo("2");
        assertThat(ask(Command.request(216).field("topic", "T").build()).code()).isZero();
        assertThat(route("T").code()).isEqualTo(17);
    }

    @Test
    void theSmallTable() throws Exception {
        KvHeader entry = new KvHeader("ORDER_TOPIC_CONFIG", "T", "broker-a:2");
        assertThat(ask(Command.request(101).header(entry).build()).code()).isEqualTo(22);
        assertThat(ask(Command.request(219).header(entry).build()).code()).isEqualTo(22);
        assertThat(ask(Command.request(100).header(entry).build()).code()).isZero();
        assertThat(ask(Command.request(101).header(entry).build()).fields().get("value"))
                .isEqualTo("broker-a:2");
        assertThat(KvTable.parse(ask(Command.request(219).header(entry).build()).body())
                        .table())
                .isEqualTo(Map.of("T", "broker-a:2"));
        assertThat(KvTable.parse(register("T").body()).table()).isEqualTo(Map.of("T", "broker-a:2"));
        assertThat(ask(Command.request(102).header(entry).build()).code()).isZero();
        assertThat(ask(Command.request(101).header(entry).build()).code()).isEqualTo(22);
        assertThat(ask(Command.request(100)
                                .header(new KvHeader("n", "k".repeat(256), "v"))
                                .build())
                        .code())
                .isEqualTo(29);
    }

    @Test
    void whatItDoesNotKnowIsRefused() throws Exception {
        Command reply = ask(Command.request(217).build());
        assertThat(reply.code()).isEqualTo(3);
        assertThat(reply.remark()).isEqualTo("request type 217 not supported");
    }

    @Test
    void unitsHaveTheirLists() throws Exception {
        register("T", "U");
        for (int code : new int[] {311, 312, 313}) {
            Command reply = ask(Command.request(code).build());
            assertThat(reply.code()).isZero();
            assertThat(TopicList.parse(reply.body()).topicList())
                    .as("no topic of a unit")
                    .isEmpty();
        }
    }

    @Test
    void settingsAreShownAndNotChanged() throws Exception {
        Command shown = ask(Command.request(319).build());
        assertThat(new String(shown.bodyBytes(), StandardCharsets.UTF_8)).contains("brokerExpiryMillis=");
        assertThat(ask(Command.request(318).build()).code()).isEqualTo(16);
    }

    @Test
    void aPortInUseLeavesNothingBehind() {
        assertThatThrownBy(() -> NameServer.start(
                        NameServerSettings.on("127.0.0.1", server.address().getPort()), loops, platform))
                .isInstanceOf(IOException.class);
    }

    private static String text(Command command) {
        return new String(command.bodyBytes(), StandardCharsets.UTF_8);
    }
}
