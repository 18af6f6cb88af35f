/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RecallHeader;
import io.waybill.protocol.message.Message;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Delayed messages from the send to their delivery or recall. */
class TimerTest {
    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 4);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private String delayed(String key, String name, String value) {
        return broker.delayed("orders", 2, "body of " + key, SimulatedBroker.properties(key, name, value));
    }

    private Command recall(String topic, String handle) {
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.RECALL_MESSAGE)
                        .header(new RecallHeader("orders-service", topic, handle, SimulatedBroker.NAME))
                        .build());
    }

    @Test
    void aLevelIsDeliveredToTheMillisecondWithItsProperties() {
        long sent = broker.now();
        delayed("u1", "DELAY", "2");
        broker.pass(4_999);
        assertThat(broker.visible("orders", 2)).isEmpty();
        broker.pass(1);
        Message message = broker.visible("orders", 2).get(0);
        assertThat(message.storeTimestamp()).isEqualTo(sent + 5_000);
        assertThat(message.bornTimestamp()).isEqualTo(sent - 3);
        assertThat(message.flag()).isEqualTo(42);
        assertThat(new String(message.body())).isEqualTo("body of u1");
        assertThat(message.properties())
                .containsEntry("DELAY", "2")
                .containsEntry("REAL_TOPIC", "orders")
                .containsEntry("REAL_QID", "2")
                .containsEntry("WAIT", "true")
                .doesNotContainKey("TIMER_OUT_MS");
    }

    @Test
    void aTimerCarriesItsTimes() {
        long sent = broker.now();
        delayed("u1", "TIMER_DELAY_MS", "1234");
        broker.pass(1_233);
        assertThat(broker.visible("orders", 2)).isEmpty();
        broker.pass(1);
        assertThat(broker.visible("orders", 2).get(0).properties())
                .containsEntry("TIMER_DELAY_MS", "1234")
                .containsEntry("TIMER_OUT_MS", Long.toString(sent + 1_234))
                .containsEntry("TIMER_ENQUEUE_MS", Long.toString(sent))
                .containsEntry("TIMER_DEQUEUE_MS", Long.toString(sent + 1_234))
                .containsEntry("REAL_TOPIC", "orders");
    }

    @Test
    void thirtyDaysPassInAMomentAndSurviveARestart() {
        long due = broker.now() + 30 * 86_400_000L;
        delayed("u1", "TIMER_DELIVER_MS", Long.toString(due));
        broker.pass(15 * 86_400_000L);
        broker.restart();
        assertThat(broker.store.timers().pendingTimerCount()).isEqualTo(1);
        broker.pass(15 * 86_400_000L - 1);
        assertThat(broker.visible("orders", 2)).isEmpty();
        broker.pass(1);
        assertThat(broker.visible("orders", 2).get(0).storeTimestamp()).isEqualTo(due);
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
    }

    @Test
    void whatBecameDueWhileTheBrokerWasDownIsDeliveredAtTheStart() {
        delayed("u1", "TIMER_DELAY_SEC", "5");
        delayed("u2", "TIMER_DELAY_SEC", "50");
        broker.close();
        broker.clock.advance(20_000);
        broker.crash(11);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1");
        broker.pass(30_000);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1", "u2");
    }

    @Test
    void anEarlierMessageWakesTheSleepingEngine() {
        delayed("late", "TIMER_DELAY_SEC", "3600");
        broker.pass(100);
        delayed("soon", "TIMER_DELAY_MS", "7");
        broker.pass(7);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("soon");
    }

    @Test
    void noneOfManyIsEarlyNoneIsLostAndTheyComeInOrderOfTheirTimes() {
        RandomSource random = RandomSource.seeded(5);
        Map<String, Long> due = new HashMap<>();
        for (int i = 0; i < 3_000; i++) {
            long delay = 1 + random.nextInt(2_000);
            due.put("u" + i, broker.now() + delay);
            delayed("u" + i, "TIMER_DELAY_MS", Long.toString(delay));
        }
        broker.pass(2_001);
        List<Message> messages = broker.visible("orders", 2);
        assertThat(messages).hasSize(3_000);
        long before = 0;
        for (Message message : messages) {
            long wanted = due.get(message.uniqueKey());
            assertThat(message.storeTimestamp()).isEqualTo(wanted);
            assertThat(wanted).isGreaterThanOrEqualTo(before);
            before = wanted;
        }
    }

    @Test
    void aBurstDueAtOnceIsDeliveredWhole() {
        long due = broker.now() + 1_000;
        for (int i = 0; i < 5_000; i++) {
            delayed("u" + i, "TIMER_DELIVER_MS", Long.toString(due));
        }
        broker.pass(1_000);
        assertThat(broker.visible("orders", 2)).hasSize(5_000);
    }

    @Test
    void aClockSetBackNeverMakesAMessageEarly() {
        delayed("u1", "TIMER_DELAY_SEC", "10");
        long due = broker.now() + 10_000;
        broker.clock.set(broker.now() - 60_000);
        broker.pass(69_999);
        assertThat(broker.visible("orders", 2)).isEmpty();
        broker.pass(1);
        assertThat(broker.now()).isEqualTo(due);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1");
    }

    @Test
    void aClockSetForwardIsNoticedWithinSeconds() {
        delayed("u1", "TIMER_DELAY_SEC", "3600");
        broker.pass(100);
        broker.clock.set(broker.now() + 4_000_000);
        broker.pass(5_000);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1");
    }

    @Test
    void aRecalledMessageNeverComesAndASecondRecallSaysSo() {
        String handle = delayed("u1", "TIMER_DELAY_SEC", "60");
        String kept = delayed("u2", "TIMER_DELAY_SEC", "60");
        broker.pass(59_999);
        Command reply = recall("orders", handle);
        assertThat(reply.code()).isZero();
        assertThat(reply.fields().get("msgId")).isEqualTo("u1");
        broker.pass(1_000);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u2");
        assertThat(recall("orders", handle).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(recall("orders", kept).remark()).contains("delivered or recalled");
        broker.restart();
        broker.pass(100_000);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u2");
    }

    @Test
    void messagesOfADelayLevelCanBeRecalledToo() {
        String handle = delayed("u1", "DELAY", "5");
        assertThat(recall("orders", handle).code()).isZero();
        broker.pass(100_000);
        assertThat(broker.visible("orders", 2)).isEmpty();
    }

    @Test
    void aHandleOfSomethingElseIsRefused() {
        broker.topic("bills", 1);
        String handle = delayed("u1", "TIMER_DELAY_SEC", "60");
        assertThat(recall("bills", handle).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(recall("nowhere", handle).code()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
        assertThat(recall("orders", "bm9uc2Vuc2U=").code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        String elsewhere = new RecallHandle("orders", "broker-b", broker.now() + 60_000, "u1")
                .encode(RecallSigner.of(broker.store.catalog(), RandomSource.seeded(1)));
        assertThat(recall("orders", elsewhere).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        broker.pass(60_000);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1");
    }

    @Test
    void whoKnowsOnlyTheUniqueKeyRecallsNothing() {
        String handle = delayed("u1", "TIMER_DELAY_SEC", "60");
        String text = new String(Base64.getUrlDecoder().decode(handle), StandardCharsets.UTF_8);
        assertThat(text.split(" ")).as("as stock clients split it").hasSize(5).contains("broker-a", "orders");
        String unsigned = text.substring(0, text.lastIndexOf('.'));
        String otherTime = text.replace(" " + (broker.now() + 60_001) + " ", " " + (broker.now() + 60_002) + " ");
        String guessed = new RecallHandle("orders", "broker-a", broker.now() + 60_000, "u1")
                .encode(new RecallSigner(new byte[32]));
        for (String forged : List.of(encoded(unsigned), encoded(otherTime), guessed)) {
            Command answer = recall("orders", forged);
            assertThat(answer.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
            assertThat(answer.remark()).contains("signed");
        }
        assertThat(broker.store.timers().pendingTimerCount()).isEqualTo(1);
        broker.crash(5);
        assertThat(recall("orders", handle).code()).as("also in another life").isZero();
    }

    private static String encoded(String text) {
        return Base64.getUrlEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void aFullDiskDelaysDeliveriesAndLosesNone() {
        long due = broker.now() + 1_000;
        String body = "x".repeat(8_000);
        for (int i = 0; i < 400; i++) {
            broker.delayed(
                    "orders", 2, body, SimulatedBroker.properties("u" + i, "TIMER_DELIVER_MS", Long.toString(due)));
        }
        broker.files().disk().capacityBytes(broker.files().disk().usedBytes());
        broker.pass(5_000);
        assertThat(broker.visible("orders", 2)).hasSizeLessThan(400);
        assertThat(broker.store.status().state().isOpen()).isTrue();
        broker.files().disk().capacityBytes(Long.MAX_VALUE);
        broker.pass(5_000);
        assertThat(broker.visibleKeys("orders", 2)).doesNotHaveDuplicates().hasSize(400);
        assertThat(broker.store.timers().pendingTimerCount()).isZero();
    }

    @Test
    void aDeliveryHeldBackByAFullDiskDoesNotWaitForAClockThatIsSetBack() {
        long due = broker.now() + 1_000;
        for (int i = 0; i < 400; i++) {
            broker.delayed(
                    "orders",
                    2,
                    "x".repeat(8_000),
                    SimulatedBroker.properties("u" + i, "TIMER_DELIVER_MS", Long.toString(due)));
        }
        broker.files().disk().capacityBytes(broker.files().disk().usedBytes());
        broker.pass(7_200_000);
        assertThat(broker.visible("orders", 2)).hasSizeLessThan(400);
        broker.clock.set(broker.clock.wallMillis() - 3_600_000);
        broker.files().disk().capacityBytes(Long.MAX_VALUE);
        broker.pass(10_000);
        assertThat(broker.visibleKeys("orders", 2)).doesNotHaveDuplicates().hasSize(400);
    }

    @Test
    void aFrozenStoreIsLeftAloneAndTheNextStartDelivers() {
        delayed("u1", "TIMER_DELAY_SEC", "5");
        broker.files().faults().failFrom(1, Fault.EIO);
        broker.pass(3_600_000);
        assertThat(broker.store.status().state().isOpen()).isFalse();
        broker.files().faults().heal();
        broker.crash(9);
        assertThat(broker.visibleKeys("orders", 2)).containsExactly("u1");
    }
}
