/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Cancelling, moving and listing delayed messages by name, with true answers. */
class ChangeTimerTest {
    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 2);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private void delayed(String uniqueKey, String keys, long delayMillis) {
        broker.delayed(
                "orders",
                1,
                "body",
                SimulatedBroker.properties(uniqueKey, "KEYS", keys, "TIMER_DELAY_MS", Long.toString(delayMillis)));
    }

    private JsonObject ask(int code, String json) {
        Command reply = broker.request(
                broker.connect(),
                Command.request(code)
                        .body(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                        .build());
        assertThat(reply.code()).as(reply.remark()).isZero();
        return Json.parse(reply.body());
    }

    private JsonObject change(String json) {
        return ask(RequestCode.CHANGE_TIMER, json);
    }

    private static List<String> answers(JsonObject reply) {
        return reply.getArray("messages").objects("messages").stream()
                .map(m -> m.getString("answer"))
                .toList();
    }

    private String answer(String json) {
        return change(json).getString("answer");
    }

    @Test
    void aBusinessKeyNamesAllItsMessagesAndEachIsAnswered() {
        delayed("u1", "order-1 anna", 1_000);
        delayed("u2", "order-1", 5_000);
        delayed("u3", "order-2", 5_000);
        broker.pass(1_000);
        JsonObject reply = change("{'topic':'orders','key':'order-1','action':'CANCEL','by':'anna'}");
        assertThat(reply.getString("answer")).isEqualTo("CANCELLED");
        assertThat(answers(reply)).containsExactly("CANCELLED", "ALREADY_DELIVERED");
        assertThat(reply.getArray("messages").objects("messages").get(0).getString("uniqueKey"))
                .isEqualTo("u2");
        assertThat(answer("{'topic':'orders','key':'anna','action':'CANCEL'}")).isEqualTo("ALREADY_DELIVERED");
        JsonObject again = change("{'topic':'orders','uniqueKey':'u2','action':'CANCEL'}");
        assertThat(answers(again)).containsExactly("ALREADY_CANCELLED");
        assertThat(answer("{'topic':'orders','key':'order-3','action':'CANCEL'}"))
                .isEqualTo("NEVER_EXISTED");
        broker.pass(5_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1", "u3");
        assertThat(broker.store.timers().cancelledByKey("orders", "u2").get(0).by())
                .contains("anna");
    }

    @Test
    void movedMessagesComeAtTheirNewTimeEarlierOrLaterAlsoAfterARestart() {
        delayed("u1", "a", 10_000);
        delayed("u2", "b", 10_000);
        long now = broker.now();
        JsonObject moved =
                change("{'topic':'orders','key':'a','action':'RESCHEDULE','deliverTimeMillis':" + (now + 20_000) + "}");
        assertThat(moved.getString("answer")).isEqualTo("MOVED");
        assertThat(answer(
                        "{'topic':'orders','key':'b','action':'RESCHEDULE','deliverTimeMillis':" + (now + 5_000) + "}"))
                .isEqualTo("MOVED");
        broker.restart();
        broker.pass(4_999);
        assertThat(broker.visible("orders", 1)).isEmpty();
        broker.pass(1);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u2");
        broker.pass(14_999);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u2");
        broker.pass(1);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u2", "u1");
        assertThat(broker.visible("orders", 1).get(1).properties())
                .containsEntry("TIMER_OUT_MS", Long.toString(now + 20_000));
        assertThat(answer(
                        "{'topic':'orders','key':'a','action':'RESCHEDULE','deliverTimeMillis':" + broker.now() + "}"))
                .isEqualTo("ALREADY_DELIVERED");
    }

    @Test
    void aTimeThatHasPassedMeansAtOnce() {
        delayed("u1", "a", 10_000);
        assertThat(answer("{'topic':'orders','uniqueKey':'u1','action':'RESCHEDULE','deliverTimeMillis':1}"))
                .isEqualTo("MOVED");
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
    }

    @Test
    void aHandleNamesOneMessageOfItsTopic() {
        broker.topic("bills", 1);
        delayed("u1", "a", 10_000);
        long handle = broker.store.timers().handlesByUniqueKey("orders", "u1").get(0);
        assertThat(answer("{'topic':'bills','handle':" + handle + ",'action':'CANCEL'}"))
                .isEqualTo("NEVER_EXISTED");
        assertThat(answer("{'topic':'orders','handle':" + (handle + 1) + ",'action':'CANCEL'}"))
                .isEqualTo("NEVER_EXISTED");
        assertThat(answer("{'topic':'orders','handle':" + handle + ",'action':'CANCEL'}"))
                .isEqualTo("CANCELLED");
        assertThat(answer("{'topic':'orders','handle':" + handle + ",'action':'CANCEL'}"))
                .isEqualTo("ALREADY_CANCELLED");
        delayed("u2", "a", 10);
        long second = broker.store.timers().handlesByUniqueKey("orders", "u2").get(0);
        broker.pass(10);
        assertThat(answer("{'topic':'orders','handle':" + second + ",'action':'CANCEL'}"))
                .isEqualTo("ALREADY_DELIVERED");
    }

    @Test
    void whatWasSentForAPastTimeIsAlreadyDeliveredAndWhatWasNeverDelayedNeverWasATimer() {
        broker.put(
                "orders",
                1,
                "at once",
                SimulatedBroker.properties("u1", "KEYS", "a", "TIMER_DELIVER_MS", "" + (broker.now() - 1)));
        broker.put("orders", 1, "plain", SimulatedBroker.properties("u2", "KEYS", "b"));
        assertThat(answer("{'topic':'orders','key':'a','action':'CANCEL'}")).isEqualTo("ALREADY_DELIVERED");
        assertThat(answer("{'topic':'orders','key':'b','action':'CANCEL'}")).isEqualTo("NEVER_EXISTED");
    }

    @Test
    void aRefusedQuestionNamesItsField() {
        for (String[] bad : new String[][] {
            {"{'topic':'orders','action':'CANCEL'}", "exactly one"},
            {"{'topic':'orders','key':'a','handle':1,'action':'CANCEL'}", "exactly one"},
            {"{'topic':'or ders','key':'a','action':'CANCEL'}", "topic"},
            {"{'topic':'orders','key':'a','action':'STOP'}", "CANCEL or RESCHEDULE"},
            {"{'topic':'orders','key':'a','action':'RESCHEDULE'}", "deliverTimeMillis"},
            {"{'topic':'orders','key':'a','action':'RESCHEDULE','deliverTimeMillis':9223372036854775807}", "timerMax"},
            {"{'topic':'orders','key':'a','action':'RESCHEDULE','deliverTimeMillis':-5}", "deliverTimeMillis"},
            {"{'topic':'orders','handle':-1,'action':'CANCEL'}", "handle"},
            {"{'topic':'orders','key':'a','action':'CANCEL','by':' '}", "by"},
        }) {
            assertThat(refusal(RequestCode.CHANGE_TIMER, bad[0])).as(bad[0]).contains(bad[1]);
        }
        assertThat(refusal(RequestCode.LIST_TIMERS, "{'key':'a'}")).contains("topic");
    }

    private String refusal(int code, String json) {
        Command reply = broker.request(
                broker.connect(),
                Command.request(code)
                        .body(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8))
                        .build());
        assertThat(reply.code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        return reply.remark();
    }

    @Test
    void theListShowsWhatWaitsTheNextFirst() {
        broker.topic("bills", 1);
        delayed("u1", "a b", 3_000);
        delayed("u2", "a", 1_000);
        broker.delayed(
                "bills",
                0,
                "x",
                SimulatedBroker.properties("u3", "DELAY", "1", "WAYBILL_UNLESS", "orders|order-1|PAID"));
        JsonObject all = ask(RequestCode.LIST_TIMERS, "{}");
        assertThat(all.getLong("pending", -1)).isEqualTo(3);
        assertThat(keys(all)).containsExactly("u2", "u3", "u1");
        assertThat(all.getArray("timers").objects("timers").get(1).getString("unless"))
                .isEqualTo("orders|order-1|PAID");
        JsonObject orders = ask(RequestCode.LIST_TIMERS, "{'topic':'orders','max':1}");
        assertThat(orders.getLong("pending", -1)).isEqualTo(2);
        assertThat(keys(orders)).containsExactly("u2");
        assertThat(keys(ask(RequestCode.LIST_TIMERS, "{'topic':'orders','key':'b'}")))
                .containsExactly("u1");
        broker.pass(3_000);
        assertThat(ask(RequestCode.LIST_TIMERS, "{}").getLong("pending", -1)).isZero();
    }

    private static List<String> keys(JsonObject list) {
        return list.getArray("timers").objects("timers").stream()
                .map(t -> t.getString("uniqueKey"))
                .toList();
    }
}
