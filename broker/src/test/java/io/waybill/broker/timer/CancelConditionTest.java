/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.CancelledTimer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Delayed messages that are only delivered unless another message came. */
class CancelConditionTest {
    private static final String CONDITION = "WAYBILL_UNLESS";
    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 2);
        broker.topic("payments", 2);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private Command send(String topic, String... properties) {
        SendMessageHeader header = new SendMessageHeader(
                "producers",
                topic,
                "TBW102",
                4,
                1,
                0,
                broker.now(),
                0,
                MessageProperties.encode(SimulatedBroker.properties(properties[0], rest(properties))),
                0,
                false,
                -1,
                false,
                SimulatedBroker.NAME);
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.SEND_MESSAGE_V2)
                        .header(header)
                        .body("b".getBytes())
                        .build());
    }

    private static String[] rest(String[] all) {
        return java.util.Arrays.copyOfRange(all, 1, all.length);
    }

    private void paid(String key, String tag) {
        broker.pass(1);
        assertThat(send("payments", "p" + broker.now(), "KEYS", key, "TAGS", tag)
                        .code())
                .isZero();
    }

    private String cancelledBy(String uniqueKey) {
        List<CancelledTimer> ended = broker.store.timers().cancelledByKey("orders", uniqueKey);
        return ended.isEmpty() ? null : ended.get(0).by();
    }

    @Test
    void manyThatWaitForTheSameLookAtAMessageOnce() {
        CancelConditionCache conditions = new CancelConditionCache(broker.store.messages(), broker.store.status());
        CancelCondition unless = CancelCondition.parse("payments|hot|PAID");
        long since = broker.store.clock().nowMillis();
        paid("hot", "REFUSED");
        assertThat(conditions.find(unless, since)).isNull();
        long seen = broker.store.status().positions().applied();
        assertThat(conditions.begin(unless, since)).isEqualTo(seen).isPositive();
        assertThat(conditions.begin(unless, since + 5)).isEqualTo(seen);
        assertThat(conditions.begin(unless, since - 1)).isZero();
        assertThat(conditions.begin(CancelCondition.parse("payments|hot"), since))
                .isZero();

        paid("hot", "PAID");
        assertThat(conditions.find(unless, since)).isNotNull();
        assertThat(conditions.find(unless, since - 1)).isNotNull();
        broker.pass(10);
        assertThat(conditions.find(unless, broker.store.clock().nowMillis() + 1))
                .isNull();
        assertThat(conditions.find(unless, since)).as("what came before").isNotNull();
    }

    @Test
    void whatIsRememberedOfConditionsNeverChangesAnAnswer() {
        RandomSource random = RandomSource.seeded(20_261_122);
        CancelConditionCache conditions = new CancelConditionCache(broker.store.messages(), broker.store.status());
        List<CancelCondition> asked = List.of(
                CancelCondition.parse("payments|a|PAID"),
                CancelCondition.parse("payments|a|LATE"),
                CancelCondition.parse("payments|b"));
        long begin = broker.store.clock().nowMillis();
        for (int round = 0; round < 2_000; round++) {
            if (random.nextInt(10) == 0) {
                paid(random.nextInt(4) == 0 ? "b" : "a", random.nextInt(5) == 0 ? "PAID" : "REFUSED");
            }
            CancelCondition unless = asked.get(random.nextInt(asked.size()));
            int age = (int) (broker.store.clock().nowMillis() - begin) + 2;
            long since = begin + (random.nextInt(3) == 0 ? random.nextInt(age) : Math.max(0, age - random.nextInt(8)));
            ByteBuffer found = conditions.find(unless, since);
            ByteBuffer right = unless.fulfilledBy(broker.store.messages(), since, 0);
            assertThat(found == null ? -1 : StoredMessage.position(found, 0))
                    .as("round %d: %s since %d", round, unless, since)
                    .isEqualTo(right == null ? -1 : StoredMessage.position(right, 0));
        }
    }

    @Test
    void aLevelOrTimerIsCancelledByWhatItNamesAndByNothingElse() {
        paid("order-1", "PAID"); // before: does not count
        broker.pass(1);
        for (String[] delay : new String[][] {{"DELAY", "3"}, {"TIMER_DELAY_MS", "10000"}, {"TIMER_DELAY_SEC", "10"}}) {
            for (String condition :
                    new String[] {"payments|order-1|PAID", "payments|order-1", "payments|order-2|PAID"}) {
                assertThat(send("orders", delay[0] + condition, delay[0], delay[1], CONDITION, condition)
                                .code())
                        .isZero();
            }
        }
        paid("order-1", "REFUSED");
        paid("other", "PAID");
        broker.pass(5_000);
        paid("order-2", "PAID");
        broker.pass(5_000);
        assertThat(broker.visibleKeys("orders", 1))
                .containsExactlyInAnyOrder(
                        "DELAYpayments|order-1|PAID",
                        "TIMER_DELAY_MSpayments|order-1|PAID",
                        "TIMER_DELAY_SECpayments|order-1|PAID");
        assertThat(broker.visible("orders", 1))
                .allSatisfy(m -> assertThat(m.properties()).doesNotContainKey(CONDITION));
        assertThat(cancelledBy("DELAYpayments|order-2|PAID")).startsWith("unless payments|order-2|PAID: 7F000001");
        assertThat(cancelledBy("DELAYpayments|order-1")).startsWith("unless payments|order-1: ");
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
    }

    @Test
    void whatIsStillAHalfOrDelayedDoesNotCountUntilItIsVisible() {
        send("orders", "u1", "TIMER_DELAY_MS", "1000", CONDITION, "payments|k|PAID");
        send("orders", "u2", "TIMER_DELAY_MS", "3000", CONDITION, "payments|k|PAID");
        broker.pass(1);
        send("payments", "late", "KEYS", "k", "TAGS", "PAID", "TIMER_DELAY_MS", "2000");
        broker.pass(1_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
        broker.pass(5_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
        assertThat(cancelledBy("u2")).contains("unless");
    }

    @Test
    void theConditionOfAHalfCountsFromTheHalf() {
        FakeConnection producer = broker.producer("shop");
        long handle = broker.half(
                "shop",
                "orders",
                1,
                SimulatedBroker.properties("u1", "TIMER_DELAY_MS", "5000", CONDITION, "payments|k|PAID"));
        long free = broker.half(
                "shop",
                "orders",
                1,
                SimulatedBroker.properties("u2", "TIMER_DELAY_MS", "5000", CONDITION, "payments|other|PAID"));
        long atOnce = broker.half("shop", "orders", 1, SimulatedBroker.properties("u3", CONDITION, "payments|k|PAID"));
        paid("k", "PAID");
        broker.pass(100);
        commit(producer, handle, "u1");
        commit(producer, free, "u2");
        commit(producer, atOnce, "u3");
        broker.restart();
        broker.pass(6_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u3", "u2");
        assertThat(broker.visible("orders", 1))
                .allSatisfy(m -> assertThat(m.properties()).doesNotContainKeys(CONDITION, "WAYBILL_UNLESS_SINCE"));
        assertThat(cancelledBy("u1")).contains("unless payments|k|PAID");
    }

    private void commit(FakeConnection producer, long handle, String uniqueKey) {
        broker.request(
                producer,
                Command.request(RequestCode.END_TRANSACTION)
                        .header(new EndTransactionHeader(
                                "orders", "shop", 0, handle, 8, false, uniqueKey, uniqueKey, SimulatedBroker.NAME))
                        .build());
    }

    @Test
    void aMovedMessageIsJudgedAtItsNewTime() {
        send("orders", "u1", "TIMER_DELAY_MS", "1000", CONDITION, "payments|k");
        String json = "{\"topic\":\"orders\",\"uniqueKey\":\"u1\",\"action\":\"RESCHEDULE\",\"deliverTimeMillis\":"
                + (broker.now() + 4_000) + "}";
        broker.request(
                broker.connect(),
                Command.request(RequestCode.CHANGE_TIMER).body(json.getBytes()).build());
        broker.pass(2_000);
        paid("k", "PAID");
        broker.pass(4_000);
        assertThat(broker.visible("orders", 1)).isEmpty();
        assertThat(cancelledBy("u1")).contains("unless payments|k: ");
    }

    @Test
    void withoutADelayItMeansNothing() {
        paid("k", "PAID");
        send("orders", "u1", CONDITION, "payments|k|PAID");
        send("orders", "u2", CONDITION, "payments|k|PAID", "TIMER_DELIVER_MS", "5");
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1", "u2");
        assertThat(broker.visible("orders", 1))
                .allSatisfy(m -> assertThat(m.properties()).doesNotContainKey(CONDITION));
    }

    @Test
    void whatCannotBeReadHoldsTheMessageUntilItCan() throws Exception {
        send("orders", "u1", "TIMER_DELAY_MS", "10000", CONDITION, "payments|unreadable-key|PAID");
        paid("unreadable-key", "PAID");
        broker.close();
        flipABit("unreadable-key");
        broker.crash(5);
        broker.pass(100_000);
        assertThat(broker.visible("orders", 1)).isEmpty();
        assertThat(broker.store.timers().pendingTimerCount()).isEqualTo(1);
        broker.close();
        flipABit("unreadable-key");
        broker.crash(6);
        broker.pass(100_000);
        assertThat(broker.visible("orders", 1)).isEmpty();
        assertThat(cancelledBy("u1")).contains("unless payments|unreadable-key|PAID");
    }

    /** In the tag of the payment, which stands in the log behind the last mention of the key. */
    private void flipABit(String key) throws Exception {
        for (java.util.Map.Entry<String, byte[]> file :
                broker.files().disk().contents().entrySet()) {
            int at = new String(file.getValue(), StandardCharsets.ISO_8859_1).lastIndexOf("KEYS\u0001" + key);
            if (at >= 0) {
                broker.files().disk().flipBit(file.getKey(), (at + 2) * 8L);
                return;
            }
            int flipped = new String(file.getValue(), StandardCharsets.ISO_8859_1).lastIndexOf("S\u0001" + key);
            if (flipped >= 0) {
                broker.files().disk().flipBit(file.getKey(), (flipped - 1) * 8L);
                return;
            }
        }
        throw new AssertionError("no file holds " + key);
    }

    @Test
    void aConditionThatCannotBeReadIsRefusedWithItsName() {
        for (String bad : new String[] {
            "payments", "payments|", "|k", "payments|k|", "payments|k|t|x", "pay ments|k", "payments|a b"
        }) {
            Command reply = send("orders", "u1", "DELAY", "1", CONDITION, bad);
            assertThat(reply.code()).as(bad).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(reply.remark()).contains("WAYBILL_UNLESS").contains("topic|key");
        }
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
    }

    /** Conditions are as long as peers write them: 4,096 of 30 KB were 240 MB. */
    @Test
    void longConditionsAreForgottenEarlier() {
        CancelConditionCache conditions = new CancelConditionCache(broker.store.messages(), broker.store.status());
        for (int i = 0; i < 200; i++) {
            CancelCondition unless = CancelCondition.parse("orders|" + "k".repeat(30_000) + i);
            assertThat(conditions.find(unless, 0)).isNull();
        }
        assertThat(conditions.characters()).isBetween(900_000L, 1L << 20);
    }
}
