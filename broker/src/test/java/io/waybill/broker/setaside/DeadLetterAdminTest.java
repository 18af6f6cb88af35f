/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.setaside;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.store.log.Stored;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an operator does with the dead letters of the group shipping. */
class DeadLetterAdminTest {
    private static final String DEAD = "%DLQ%shipping";

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

    /** A message to queue 3 that the group gives up at once. */
    private void dead(String key, String... more) {
        Stored order = broker.put("orders", 3, "order " + key, SimulatedBroker.properties(key, more));
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(order.position(), "shipping", -1, key, "orders", false, 16, null))
                        .build());
        assertThat(reply.code()).as(reply.remark()).isZero();
    }

    private static Command command(int code, String json) {
        return Command.request(code).body(json.replace('\'', '"').getBytes()).build();
    }

    private Command ask(int code, String json) {
        return broker.request(broker.connect(), command(code, json));
    }

    private JsonObject list(String more) {
        Command reply = ask(RequestCode.LIST_DEAD, "{'group':'shipping'" + more + "}");
        assertThat(reply.code()).as(reply.remark()).isZero();
        return Json.parse(reply.body());
    }

    private List<String> states() {
        return list(",'settled':true").getArray("deadLetters").objects("deadLetters").stream()
                .map(letter -> letter.getString("state"))
                .toList();
    }

    /** The answers, by offset. */
    private static Map<Long, String> answers(Command reply) {
        assertThat(reply.code()).as(reply.remark()).isZero();
        Map<Long, String> answers = new TreeMap<>();
        for (JsonObject one : Json.parse(reply.body()).getArray("results").objects("results")) {
            answers.put(one.requireLong("offset"), one.getString("answer"));
        }
        return answers;
    }

    private Map<Long, String> settle(String more) {
        return answers(ask(RequestCode.SETTLE_DEAD, "{'group':'shipping','by':'kim'," + more + "}"));
    }

    private List<Message> orders() {
        return broker.visible("orders", 3);
    }

    @Test
    void theListTellsWhereEachCameFromAndWhyItIsThere() {
        long first = broker.now();
        dead("u1", "KEYS", "order-1", "TAGS", "PAID");
        broker.pass(1_000);
        dead("u2");
        JsonObject page = list("");
        assertThat(page.getLong("total", -1)).isEqualTo(2);
        assertThat(page.getLong("open", -1)).isEqualTo(2);
        JsonObject letter = page.getArray("deadLetters").objects("deadLetters").get(0);
        Message stored = broker.visible(DEAD, 0).get(0);
        assertThat(letter.getLong("offset", -1)).isZero();
        assertThat(letter.getString("offsetMsgId")).isEqualTo(stored.offsetId());
        assertThat(letter.getString("uniqueKey")).isEqualTo("u1");
        assertThat(letter.getString("originTopic")).isEqualTo("orders");
        assertThat(letter.getString("originMessageId"))
                .isEqualTo(orders().get(0).offsetId());
        assertThat(letter.getInt("tries", -1)).isEqualTo(1);
        assertThat(letter.getLong("firstMillis", -1)).isEqualTo(first);
        assertThat(letter.getLong("deadMillis", -1)).isEqualTo(first);
        assertThat(letter.getString("reason")).contains("consumer");
        assertThat(letter.getString("client")).startsWith("127.0.0.1:");
        assertThat(letter.getString("keys")).isEqualTo("order-1");
        assertThat(letter.getString("tags")).isEqualTo("PAID");
        assertThat(letter.getInt("bodySize", -1)).isEqualTo("order u1".length());
        assertThat(letter.getString("state")).isEqualTo("OPEN");
        assertThat(list(",'from':1").getArray("deadLetters").size()).isEqualTo(1);
        assertThat(list(",'max':1").getArray("deadLetters").size()).isEqualTo(1);
    }

    @Test
    void aRedriveIsAFreshLifeInTheQueueItCameFrom() {
        dead("u1", "KEYS", "order-1", "TAGS", "PAID", "TIMER_DELAY_MS", "5", "color", "red");
        broker.pass(60_000);
        assertThat(settle("'offsets':[0],'action':'REDRIVE','reason':'fixed'")).containsEntry(0L, "REDRIVEN");
        assertThat(orders()).hasSize(2);
        Message again = orders().get(1);
        assertThat(again.reconsumeTimes()).isZero();
        assertThat(new String(again.body())).isEqualTo("order u1");
        assertThat(again.storeTimestamp()).isEqualTo(broker.now());
        assertThat(again.properties())
                .containsEntry("UNIQ_KEY", "u1")
                .containsEntry("KEYS", "order-1")
                .containsEntry("TAGS", "PAID")
                .containsEntry("color", "red")
                .containsEntry("REDRIVEN_FROM", broker.visible(DEAD, 0).get(0).offsetId())
                .containsEntry("REDRIVEN_GROUP", "shipping")
                .containsEntry("REDRIVEN_TRIES", "1")
                .containsEntry("REDRIVEN_TIMES", "1")
                .containsEntry("REDRIVEN_MS", Long.toString(broker.now()))
                .containsKeys("REDRIVEN_REASON", "REDRIVEN_SINCE_MS", "REDRIVEN_DLQ_MS", "REDRIVEN_CLIENT")
                .doesNotContainKeys("RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "RETRY_SINCE_MS", "TIMER_DELAY_MS")
                .allSatisfy((name, value) -> assertThat(name).doesNotStartWith("DLQ_"));
        assertThat(again.property("REDRIVEN_BY"))
                .startsWith("kim at 127.0.0.1:")
                .endsWith(": fixed");

        assertThat(states()).containsExactly("REDRIVEN");
        assertThat(list("").getArray("deadLetters").size()).isZero();
        assertThat(list("").getLong("open", -1)).isZero();
        assertThat(settle("'offsets':[0],'action':'DISCARD'")).containsEntry(0L, "ALREADY_SETTLED");
        broker.restart();
        assertThat(states()).containsExactly("REDRIVEN");
        assertThat(settle("'offsets':[0],'action':'REDRIVE'")).containsEntry(0L, "ALREADY_SETTLED");
        assertThat(orders()).hasSize(2);
    }

    @Test
    void whatFailsAgainTellsOfBothLives() {
        dead("u1");
        settle("'offsets':[0],'action':'REDRIVE'");
        broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(
                                orders().get(1).position(), "shipping", -1, "u1", "orders", false, 16, null))
                        .build());
        Message second = broker.visible(DEAD, 0).get(1);
        assertThat(second.properties())
                .containsEntry("DLQ_TRIES", "1")
                .containsEntry("REDRIVEN_TIMES", "1")
                .containsEntry("DLQ_ORIGIN_MESSAGE_ID", orders().get(1).offsetId());
        settle("'offsets':[1],'action':'REDRIVE'");
        assertThat(orders().get(2).properties()).containsEntry("REDRIVEN_TIMES", "2");
    }

    @Test
    void onlyTheGroupGetsItAgainWhenThatIsWanted() {
        dead("u1");
        broker.topic("%RETRY%shipping", 1);
        assertThat(settle("'offsets':[0],'action':'REDRIVE','toGroupOnly':true"))
                .containsEntry(0L, "REDRIVEN");
        assertThat(orders()).hasSize(1);
        Message again = broker.visible("%RETRY%shipping", 0).get(0);
        assertThat(again.reconsumeTimes()).isZero();
        assertThat(again.properties())
                .containsEntry("RETRY_TOPIC", "orders")
                .containsEntry("ORIGIN_MESSAGE_ID", orders().get(0).offsetId())
                .doesNotContainKey("DLQ_TRIES");
    }

    @Test
    void aLetterIsEditedOnItsWay() {
        dead("u1", "TAGS", "PAID", "color", "red");
        assertThat(settle("'offsets':[0],'action':'REDRIVE',"
                        + "'edit':{'properties':{'TAGS':'FIXED','color':'','size':'9'},'body':'bmV3'}"))
                .containsEntry(0L, "REDRIVEN");
        Message again = orders().get(1);
        assertThat(new String(again.body())).isEqualTo("new");
        assertThat(again.properties())
                .containsEntry("TAGS", "FIXED")
                .containsEntry("size", "9")
                .doesNotContainKey("color");
        assertThat(again.uniqueKey()).isEqualTo("u1");
    }

    @Test
    void aDiscardIsForGood() {
        dead("u1");
        dead("u2");
        assertThat(settle("'offsets':[1],'action':'DISCARD','reason':'test data'"))
                .containsEntry(1L, "DISCARDED");
        assertThat(states()).containsExactly("OPEN", "DISCARDED");
        broker.restart();
        assertThat(settle("'offsets':[0,1],'action':'REDRIVE'"))
                .containsEntry(0L, "REDRIVEN")
                .containsEntry(1L, "ALREADY_SETTLED");
        assertThat(states()).containsExactly("REDRIVEN", "DISCARDED");
        assertThat(broker.visibleKeys("orders", 3)).containsExactly("u1", "u2", "u1");
    }

    @Test
    void allThatAreOpenGoAndEachGetsItsAnswer() {
        for (int i = 0; i < 20; i++) {
            dead("u" + i);
        }
        settle("'offsets':[4],'action':'DISCARD'");
        Map<Long, String> answers = settle("'all':true,'action':'REDRIVE'");
        assertThat(answers).hasSize(19).doesNotContainKey(4L);
        assertThat(answers.values()).containsOnly("REDRIVEN");
        assertThat(orders()).hasSize(39);
        assertThat(settle("'all':true,'action':'REDRIVE'")).isEmpty();
        assertThat(settle("'offsets':[7,70],'action':'REDRIVE'"))
                .containsEntry(7L, "ALREADY_SETTLED")
                .containsEntry(70L, "NOT_FOUND");
    }

    @Test
    void aRateIsKeptAndTheAnswerComesWhenAllIsDone() {
        for (int i = 0; i < 6; i++) {
            dead("u" + i);
        }
        FakeRequest request = broker.submit(
                broker.connect(),
                command(
                        RequestCode.SETTLE_DEAD,
                        "{'group':'shipping','all':true,'action':'REDRIVE','maxPerSecond':2,'by':'kim'}"));
        broker.settle();
        assertThat(orders()).hasSize(7);
        broker.pass(499);
        assertThat(orders()).hasSize(7);
        for (int done = 2; done <= 6; done++) {
            assertThat(request.reply()).isNull();
            broker.pass(done == 2 ? 1 : 500);
            assertThat(orders()).hasSize(6 + done);
        }
        assertThat(answers(request.reply())).hasSize(6);
    }

    @Test
    void workWithARateEndsWhenNobodyWaitsForIt() {
        for (int i = 0; i < 6; i++) {
            dead("u" + i);
        }
        FakeConnection operator = broker.connect();
        broker.submit(
                operator,
                command(
                        RequestCode.SETTLE_DEAD,
                        "{'group':'shipping','all':true,'action':'REDRIVE','maxPerSecond':1,'by':'kim'}"));
        broker.pass(1_000);
        operator.close();
        broker.pass(60_000);
        assertThat(orders()).hasSize(8);
        assertThat(list("").getLong("open", -1)).isEqualTo(4);
    }

    @Test
    void twoOperatorsSettleALetterOnce() {
        for (int i = 0; i < 8; i++) {
            dead("u" + i);
        }
        FakeRequest slow = broker.submit(
                broker.connect(),
                command(
                        RequestCode.SETTLE_DEAD,
                        "{'group':'shipping','all':true,'action':'REDRIVE','maxPerSecond':2,'by':'kim'}"));
        FakeRequest fast = broker.submit(
                broker.connect(),
                command(RequestCode.SETTLE_DEAD, "{'group':'shipping','all':true,'action':'REDRIVE','by':'lee'}"));
        broker.pass(60_000);
        List<String> keys = broker.visibleKeys("orders", 3);
        assertThat(keys).hasSize(16);
        assertThat(keys.subList(8, 16)).doesNotHaveDuplicates();
        List<String> all = new ArrayList<>(answers(slow.reply()).values());
        all.addAll(answers(fast.reply()).values());
        assertThat(all.stream().filter("REDRIVEN"::equals)).hasSize(8);
    }

    @Test
    void withoutATopicToGoToALetterStaysAsItIs() {
        dead("u1");
        broker.put(DEAD, 0, "sent here by hand", SimulatedBroker.properties("u2"));
        assertThat(settle("'offsets':[0,1],'action':'REDRIVE','toGroupOnly':true"))
                .containsEntry(0L, "FAILED")
                .containsEntry(1L, "FAILED");
        assertThat(states()).containsExactly("OPEN", "OPEN");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'offsets':[0]",
                "'offsets':[0],'action':'BURN'",
                "'action':'REDRIVE'",
                "'offsets':[0],'all':true,'action':'REDRIVE'",
                "'offsets':[0],'action':'REDRIVE','maxPerSecond':-1",
                "'offsets':[0,1,2],'action':'REDRIVE','maxPerSecond':0.1",
                "'offsets':[0],'action':'REDRIVE','edit':{'properties':{'DLQ_REASON':'none'}}",
                "'offsets':[0],'action':'REDRIVE','edit':{'properties':{'DELAY':'3'}}",
                "'offsets':[0],'action':'REDRIVE','edit':{'body':'*'}",
                "'offsets':[0,1],'action':'REDRIVE','edit':{'body':'bmV3'}",
                "'offsets':[0],'action':'REDRIVE','reason':''",
                "'offsets':['x'],'action':'REDRIVE'",
            })
    void whatMakesNoSenseIsRefusedAsAWhole(String members) {
        dead("u1");
        Command reply = ask(RequestCode.SETTLE_DEAD, "{'group':'shipping','by':'kim'," + members + "}");
        assertThat(reply.code()).as(reply.remark()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(states()).containsExactly("OPEN");
    }

    @Test
    void aGroupWithoutLettersIsUnknown() {
        assertThat(ask(RequestCode.LIST_DEAD, "{'group':'nobody'}").code()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
        assertThat(ask(RequestCode.SETTLE_DEAD, "{'group':'nobody','all':true,'action':'DISCARD','by':'kim'}")
                        .code())
                .isEqualTo(ResponseCode.QUERY_NOT_FOUND);
    }

    @Test
    void aReaderOfDeadLettersBeginsAnewWithThem() {
        dead("u1");
        Message letter = broker.visible(DEAD, 0).get(0);
        broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(letter.position(), "readers", 1, "u1", DEAD, false, 1, null))
                        .build());
        broker.pass(1_000);
        Message retry = broker.visible("%RETRY%readers", 0).get(0);
        assertThat(retry.reconsumeTimes()).isEqualTo(1);
        assertThat(retry.properties()).containsEntry("RETRY_TOPIC", DEAD);
        broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(retry.position(), "readers", 1, "u1", DEAD, false, 1, null))
                        .build());
        Message twice = broker.visible("%DLQ%readers", 0).get(0);
        assertThat(twice.properties())
                .containsEntry("DLQ_ORIGIN_TOPIC", "orders")
                .containsEntry("DLQ_ORIGIN_MESSAGE_ID", orders().get(0).offsetId())
                .containsEntry("DLQ_GROUP", "readers");
    }

    /** The power is cut at any moment of many re-drives: of each letter there is one copy exactly if it is settled. */
    @Test
    void aPowerCutNeitherLosesNorDoublesARedrive() {
        for (int seed = 0; seed < 40; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            broker.close();
            broker = new SimulatedBroker();
            broker.topic("orders", 4);
            int letters = 5 + random.nextInt(20);
            for (int i = 0; i < letters; i++) {
                dead("u" + i);
            }
            for (int round = 0; round < 4; round++) {
                FakeRequest request = broker.submit(
                        broker.connect(),
                        command(
                                RequestCode.SETTLE_DEAD,
                                "{'group':'shipping','all':true,'action':'REDRIVE','by':'kim'}"));
                for (int steps = random.nextInt(12); steps > 0 && broker.step(); steps--) {
                    continue;
                }
                Command reply = request.reply();
                broker.crash(seed * 31L + round);
                List<String> keys = broker.visibleKeys("orders", 3);
                List<String> again = keys.subList(letters, keys.size());
                assertThat(again).as("seed " + seed).doesNotHaveDuplicates();
                List<String> states = states();
                for (int i = 0; i < letters; i++) {
                    assertThat(states.get(i)).isEqualTo(again.contains("u" + i) ? "REDRIVEN" : "OPEN");
                }
                if (reply != null) {
                    assertThat(again).hasSize(letters);
                }
            }
        }
    }

    @Test
    void theNewIdLeadsToTheCopy() {
        dead("u1");
        Command reply =
                ask(RequestCode.SETTLE_DEAD, "{'group':'shipping','by':'kim','offsets':[0],'action':'REDRIVE'}");
        String id = Json.parse(reply.body())
                .getArray("results")
                .objects("results")
                .get(0)
                .getString("offsetMsgId");
        assertThat(MessageIds.decode(id).position()).isEqualTo(orders().get(1).position());
    }
}
