/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Every reserved property and flag of a send does what {@code docs/compatibility.md} says; none is taken and ignored. */
class PropertiesTest {
    private static final Path PAGE = Path.of("..", "docs", "compatibility.md");
    private static final Pattern ROW = Pattern.compile("\\| (`.+`.*?) \\| (kept|acts|replaced|removed|refused) \\|.*");
    private static final Pattern NAME = Pattern.compile("`([^`]+)`");

    /** The reserved names of RocketMQ 5.5.0. */
    private static final Set<String> RESERVED = Set.of(
            "KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET BUYER_ID"
                    .split(" "));

    private static final Set<String> MORE_RESERVED = Set.of(
            ("ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME MAX_RECONSUME_TIMES MSG_REGION TRACE_ON"
                            + " UNIQ_KEY TRANS_OFFSET EXTEND_UNIQ_INFO CONSUME_START_TIME _SYS_MSG_PRIORITY_ INNER_NUM INNER_BASE"
                            + " DUP_INFO CHECK_IMMUNITY_TIME_IN_SECONDS TRAN_PREPARED_QUEUE_OFFSET __transactionId__"
                            + " TRANSACTION_CHECK_TIMES INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME"
                            + " PUSH_REPLY_TIME CLUSTER MSG_TYPE POP_CK POP_CK_OFFSET 1ST_POP_TIME __SHARDINGKEY __LITE_TOPIC"
                            + " PROPERTY_FORWARD_QUEUE_ID REDIRECT INNER_MULTI_DISPATCH INNER_MULTI_QUEUE_OFFSET TRACE_CONTEXT"
                            + " TIMER_DELAY_SEC TIMER_DELAY_MS TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_OUT_MS"
                            + " TIMER_ROLL_TIMES TIMER_ROLL_LABEL TIMER_DELAY_LEVEL TIMER_DEL_UNIQKEY E_T __BORNHOST"
                            + " BORN_TIMESTAMP __CRC32# DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID __RMQ.TRANSIENT."
                            + " __STARTDELIVERTIME")
                    .split(" "));

    private TestBroker broker = new TestBroker();

    @BeforeEach
    void aTopic() {
        broker.send("orders", 1, "makes the topic");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private static Map<String, String> page() throws IOException {
        Map<String, String> kinds = new LinkedHashMap<>();
        for (String line : Files.readAllLines(PAGE)) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                Matcher name = NAME.matcher(row.group(1));
                while (name.find()) {
                    assertThat(kinds.put(name.group(1), row.group(2)))
                            .as(name.group(1))
                            .isNull();
                }
                if (row.group(2).equals("acts")) {
                    assertThat(line).as("what acts has a test").matches(".*\\| `\\w+Test\\.\\w+` \\|");
                }
            }
        }
        return kinds;
    }

    private List<Message> visible() {
        Asked pulled = broker.pull("orders", 0, 0, "*");
        return pulled.result() == ResponseCode.SUCCESS ? TestBroker.messages(pulled) : List.of();
    }

    private Asked sending(String... properties) {
        return broker.ask(
                TestBroker.sending(TestBroker.sendHeader("orders", 0, TestBroker.properties(properties)), "m"));
    }

    @Test
    void everyReservedNameIsOnThePage() throws Exception {
        TreeSet<String> names = new TreeSet<>(RESERVED);
        names.addAll(MORE_RESERVED);
        assertThat(new TreeSet<>(page().keySet())).isEqualTo(names);
        for (Field field : MessageProperties.class.getFields()) {
            if (Modifier.isStatic(field.getModifiers())
                    && field.getType() == String.class
                    && !field.getName().equals("KEY_SEPARATOR")) {
                String name = (String) field.get(null);
                assertThat(name.startsWith("WAYBILL_") || names.contains(name))
                        .as(name)
                        .isTrue();
            }
        }
    }

    @Test
    void everyNameDoesWhatThePageSays() throws Exception {
        int stored = 0;
        for (Map.Entry<String, String> row : page().entrySet()) {
            String name = row.getKey();
            if (row.getValue().equals("acts")) {
                continue; // the page names its test
            }
            Asked sent = sending("UNIQ_KEY", "own", name, "7");
            if (row.getValue().equals("refused")) {
                assertThat(sent.result()).as(name).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
                assertThat(sent.remark()).contains("property " + name).contains("not offered");
                continue;
            }
            assertThat(sent.result()).as(name + ": " + sent.remark()).isZero();
            stored++;
            List<Message> messages = TestBroker.messages(broker.pull("orders", 0, sent.number("queueOffset"), "*"));
            assertThat(messages).as(name).hasSize(1);
            String kept = messages.get(0).properties().get(name);
            switch (row.getValue()) {
                case "kept" -> assertThat(kept).as(name).isEqualTo("7");
                case "removed" -> assertThat(kept).as(name).isNull();
                default -> assertThat(kept).as(name).isNotNull().isNotEqualTo("7");
            }
        }
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isEqualTo(stored);
    }

    @Test
    void whatIsNotOfferedIsRefusedWithItsName() {
        for (String name : List.of(
                "INNER_NUM", "INNER_BASE", "INNER_MULTI_DISPATCH", "INNER_MULTI_QUEUE_OFFSET", "__LITE_TOPIC")) {
            assertThat(sending("UNIQ_KEY", "u", name, "3").remark())
                    .contains("property " + name)
                    .contains("was 3");
            assertThat(batch(0, TestBroker.properties(), TestBroker.properties(name, "3"))
                            .remark())
                    .as("in a batch")
                    .contains("property " + name);
            assertThat(sending(name + "_X", "3").result()).as("an own name").isZero();
        }
    }

    @Test
    void aReceiptOfAnotherMessageIsNotStored() {
        broker.send("orders", 0, "m", "POP_CK", "0 1 2 3", "own", "x");
        assertThat(batch(0, TestBroker.properties(), TestBroker.properties("POP_CK", "0 1", "own", "x"))
                        .result())
                .isZero();
        assertThat(broker.send("orders", 0, "m", "POP_CK", "0 1 2 3", "own", "x", "TIMER_DELAY_MS", "5")
                        .result())
                .isZero();
        broker.pass(5);
        assertThat(visible())
                .hasSize(4)
                .allSatisfy(message -> assertThat(message.properties()).doesNotContainKey("POP_CK"));
        assertThat(visible().stream().filter(m -> "x".equals(m.properties().get("own"))))
                .hasSize(3);
    }

    @Test
    void theDeliveryTimeOfCloudClientsIsKept() {
        long now = broker.clock.wallMillis();
        Asked sent =
                broker.send("orders", 0, "later", "UNIQ_KEY", "u1", "__STARTDELIVERTIME", Long.toString(now + 60_000));
        assertThat(sent.field("recallHandle")).isNotNull();
        broker.send("orders", 0, "past", "__STARTDELIVERTIME", Long.toString(now - 1));
        broker.send("orders", 0, "sooner", "__STARTDELIVERTIME", Long.toString(now + 60_000), "TIMER_DELAY_MS", "1000");
        assertThat(visible())
                .extracting(m -> new String(m.body(), StandardCharsets.UTF_8))
                .containsExactly("past");
        broker.pass(1_000);
        assertThat(visible()).hasSize(2);
        broker.pass(58_999);
        assertThat(visible()).hasSize(2);
        broker.pass(1);
        assertThat(visible())
                .extracting(m -> new String(m.body(), StandardCharsets.UTF_8))
                .containsExactly("past", "sooner", "later");
        Asked refused = sending("__STARTDELIVERTIME", "tomorrow");
        assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(refused.remark()).contains("__STARTDELIVERTIME=tomorrow");
    }

    @Test
    void aCancelMarkerTakesTheDelayedMessageBackAndIsNoMessage() {
        for (String key : List.of("u1", "u2", "u3")) {
            broker.send("orders", 0, "delayed", "UNIQ_KEY", key, "TIMER_DELAY_MS", "60000");
        }
        broker.send("parcels", 0, "delayed", "UNIQ_KEY", "u3", "TIMER_DELAY_MS", "60000");
        Asked first = sending("UNIQ_KEY", "u1", "TIMER_DEL_UNIQKEY", "u1", "TIMER_DELAY_MS", "60000");
        assertThat(first.result()).as(first.remark()).isZero();
        assertThat(first.field("msgId")).hasSize(32);
        assertThat(sending("UNIQ_KEY", "own", "TIMER_DEL_UNIQKEY", "orders+u2").result())
                .isZero();
        Asked again = sending("UNIQ_KEY", "own", "TIMER_DEL_UNIQKEY", "u1");
        assertThat(again.result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(again.remark()).contains("TIMER_DEL_UNIQKEY").contains("no delayed message u1");
        broker.restart();
        broker.pass(120_000);
        assertThat(visible()).extracting(Message::uniqueKey).containsExactly("u3");
        assertThat(broker.store.queues().offsetRange("parcels", 0).maxOffset())
                .as("of another topic")
                .isEqualTo(1);

        Asked late = sending("UNIQ_KEY", "own", "TIMER_DEL_UNIQKEY", "u3");
        assertThat(late.result()).as("it was delivered").isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        Asked half = sending("UNIQ_KEY", "own", "TIMER_DEL_UNIQKEY", "u3", "TRAN_MSG", "true");
        assertThat(half.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(half.remark()).contains("TIMER_DEL_UNIQKEY").contains("a transaction");
    }

    @Test
    void whereRecallIsForbiddenSoIsTheMarker() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("recall", false));
        broker.send("orders", 0, "delayed", "UNIQ_KEY", "u1", "TIMER_DELAY_MS", "60000");
        assertThat(sending("UNIQ_KEY", "u1", "TIMER_DEL_UNIQKEY", "u1").result())
                .isEqualTo(ResponseCode.NO_PERMISSION);
        broker.pass(60_000);
        assertThat(visible()).hasSize(1);
    }

    private Asked flagged(int sysFlag) {
        return broker.ask(TestBroker.sending(
                new SendMessageHeader(
                        "producers",
                        "orders",
                        "TBW102",
                        4,
                        0,
                        sysFlag,
                        1,
                        0,
                        TestBroker.properties("UNIQ_KEY", "u"),
                        0,
                        false,
                        -1,
                        false,
                        null),
                "m"));
    }

    @Test
    void bitsThatNobodyCouldReadAreRefused() {
        for (int bits : new int[] {0x40, 0x80, 0xC0, 0xC, 0x401, 0x701}) {
            Asked refused = flagged(bits);
            assertThat(refused.result()).as(Integer.toHexString(bits)).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(refused.remark()).contains("sysFlag").contains("0x" + Integer.toHexString(bits));
        }
        for (int bits : new int[] {0, 0x2, 0x8, 0x30, 0x1, 0x101, 0x201, 0x301, 0x700}) {
            Asked taken = flagged(bits);
            assertThat(taken.result()).as(Integer.toHexString(bits)).isZero();
            List<Message> messages = TestBroker.messages(broker.pull("orders", 0, taken.number("queueOffset"), "*"));
            assertThat(messages).hasSize(1);
            assertThat(messages.get(0).sysFlag()).isEqualTo(bits & ~0x30);
        }
        assertThat(flagged(0x4).result()).as("a half message").isZero();
        assertThat(broker.store.transactions().openHalfCount()).isEqualTo(1);
    }

    private Asked batch(int sysFlag, byte[] ofHeader, byte[] ofPart) {
        List<BatchBody.Part> parts = new ArrayList<>();
        parts.add(new BatchBody.Part(0, ByteBuffer.wrap(new byte[] {1}), TestBroker.properties("UNIQ_KEY", "plain")));
        parts.add(new BatchBody.Part(0, ByteBuffer.wrap(new byte[] {2}), ofPart));
        return broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(new SendMessageHeader(
                        "producers", "orders", "TBW102", 4, 0, sysFlag, 1, 0, ofHeader, 0, false, -1, true, null))
                .body(BatchBody.encode(parts))
                .build());
    }

    @Test
    void aBatchThatAsksForMoreThanItsMessagesIsRefusedWhole() {
        byte[] none = TestBroker.properties();
        assertThat(batch(0, TestBroker.properties("UNIQ_KEY", "b", "WAIT", "true"), TestBroker.properties("own", "x"))
                        .result())
                .isZero();
        for (String name : List.of(
                "DELAY",
                "TIMER_DELAY_MS",
                "TIMER_DELIVER_MS",
                "__STARTDELIVERTIME",
                "TIMER_DEL_UNIQKEY",
                "WAYBILL_UNLESS")) {
            assertThat(batch(0, none, TestBroker.properties(name, "3")).result())
                    .as(name)
                    .isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(batch(0, TestBroker.properties(name, "3"), none).result())
                    .as(name + " in the header")
                    .isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        }
        assertThat(batch(0, none, TestBroker.properties("TRAN_MSG", "true")).result())
                .isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(batch(0, none, TestBroker.properties("_SYS_MSG_PRIORITY_", "2"))
                        .remark())
                .contains("a priority");
        assertThat(batch(0x4, none, none).result()).as("a half batch").isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(batch(0x8, none, none).result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isEqualTo(2);
        assertThat(broker.store.transactions().openHalfCount()).isZero();
    }

    /** RocketMQ takes them since 5.0 and filters nothing. */
    @Test
    void aFilterClassIsRefused() {
        Asked beat = broker.ask(TestBroker.heartbeat(
                "c1", "shipping", new SubscriptionData("orders", "my.Filter", Set.of(), Set.of(), 1, "TAG", true)));
        assertThat(beat.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(beat.remark()).contains("classFilterMode");
        Asked pulled = broker.ask(TestBroker.pulling(
                "readers", "orders", 0, 0, TestBroker.SUBSCRIPTION | PullHeader.FLAG_CLASS_FILTER, "*"));
        assertThat(pulled.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(pulled.remark()).contains("class filters");
    }

    @Test
    void unitsOfSendersAndReadersAreKeptOnTheTopicsTheyMake() {
        broker.ask(TestBroker.sending(
                new SendMessageHeader(
                        "producers",
                        "fresh",
                        "TBW102",
                        4,
                        0,
                        0,
                        1,
                        0,
                        TestBroker.properties("UNIQ_KEY", "u"),
                        0,
                        true,
                        -1,
                        false,
                        null),
                "m"));
        assertThat(broker.features.topics.find("fresh").topicSysFlag()).isEqualTo(1);
        for (boolean isUnit : new boolean[] {true, false}) {
            String group = "readers-" + isUnit;
            broker.ask(TestBroker.heartbeat(new HeartbeatData(
                    "c1",
                    List.of(new ConsumerData(
                            group,
                            ConsumerData.CONSUME_PASSIVELY,
                            ConsumerData.CLUSTERING,
                            ConsumerData.FROM_LAST_OFFSET,
                            List.of(SubscriptionData.of("fresh", "*", 1)),
                            isUnit)),
                    List.of())));
            assertThat(broker.features.topics.find("%RETRY%" + group).topicSysFlag())
                    .isEqualTo(isUnit ? 2 : 0);
        }
    }

    @Test
    void aReplyThatAsksForADelayIsRefused() {
        for (String name : List.of("DELAY", "TIMER_DELAY_SEC", "__STARTDELIVERTIME", "TIMER_DEL_UNIQKEY")) {
            FakeConnection replier = broker.connect();
            Asked sent = broker.ask(
                    replier,
                    Command.request(RequestCode.SEND_REPLY_MESSAGE_V2)
                            .header(TestBroker.sendHeader(
                                    "DefaultCluster_REPLY_TOPIC",
                                    0,
                                    TestBroker.properties("REPLY_TO_CLIENT", "c", name, "3")))
                            .body(new byte[] {1})
                            .build());
            assertThat(sent.result()).as(name).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        }
    }
}
