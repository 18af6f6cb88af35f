/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.CrashPointsTest.Flow;
import io.waybill.broker.CrashPointsTest.Life;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.TestFactory;

/** As {@link CrashPointsTest}, for what groups set aside, share, acknowledge at once and take in order. */
class CrashPointsOfGroupsTest {
    private static final String TOPIC = CrashPointsTest.TOPIC;
    private static final String GROUP = CrashPointsTest.GROUP;
    private static final String RETRY = Names.retryTopic(GROUP);

    @TestFactory
    Stream<DynamicContainer> everyPointOfEveryFlow() {
        return CrashPointsTest.everyPointOf(List.of(
                new ReleasedQuarantine(),
                new SecondQuarantine(),
                new DiscardedQuarantine(),
                new Unless(),
                new Diversion(),
                new DiscardedLetter(),
                new EditedLetter(),
                new BatchAck(),
                new OrderedPop()));
    }

    // ---- a member that pulls

    /** What a group's only member does, across the restart. */
    private abstract static class MemberFlow extends Flow {
        /** What it handled, in this order. */
        List<String> handled = new ArrayList<>();

        FakeConnection member;

        MemberFlow(String name) {
            super(name);
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            handled = new ArrayList<>();
            for (String body : List.of("k-0", "b-0", "k-1")) {
                life.send(body, body, "UNIQ_KEY", "u" + body, "__SHARDINGKEY", body.substring(0, 1));
            }
            join(life);
        }

        void join(Life life) {
            member = join(life, "c1", "*");
        }

        static FakeConnection join(Life life, String client, String expression) {
            FakeConnection connection = life.broker.connect();
            SubscriptionData[] wanted = {SubscriptionData.of(TOPIC, expression, 1), SubscriptionData.of(RETRY, "*", 1)};
            assertThat(life.broker
                            .ask(connection, TestBroker.heartbeat(client, GROUP, wanted))
                            .result())
                    .isZero();
            return connection;
        }

        static long committed(Life life, String topic) {
            return Math.max(0, life.broker.features.offsets.query(GROUP, topic, 0));
        }

        List<String> pull(Life life, FakeConnection from, String topic) {
            long offset = committed(life, topic);
            life.client = from;
            Asked pulled = life.ask("pull " + topic, TestBroker.pulling(GROUP, topic, 0, offset, 0, null));
            return pulled.result() == 0 ? TestBroker.bodies(pulled) : List.of();
        }

        /** Reads on from what was committed to the end of what is there, and commits that. */
        List<String> handle(Life life, String topic) {
            List<String> got = pull(life, member, topic);
            handled.addAll(got);
            commit(life, topic);
            return got;
        }

        void commit(Life life, String topic) {
            life.must(
                    "commit " + topic,
                    Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                            .field("consumerGroup", GROUP)
                            .field("topic", topic)
                            .field("queueId", 0)
                            .field(
                                    "commitOffset",
                                    life.broker
                                            .store
                                            .queues()
                                            .offsetRange(topic, 0)
                                            .maxOffset())
                            .build());
        }

        Asked order(Life life, String step, String action) {
            return life.json(
                    step,
                    "",
                    RequestCode.QUARANTINE,
                    "{'group':'shop','topic':'orders','key':'k','action':'" + action + "','by':'kim'}");
        }

        List<JsonObject> keys(Life life) {
            Asked listed = life.json("list", "", RequestCode.QUARANTINE, "{'group':'shop','action':'LIST'}");
            return Json.parse(listed.reply().body()).getArray("keys").objects("keys");
        }

        /** Until nothing is left; a key that is still in quarantine is released. */
        void handleAll(Life life) {
            join(life);
            handle(life, TOPIC);
            for (JsonObject key : keys(life)) {
                if (key.getString("state").equals("QUARANTINED")) {
                    order(life, "release again", "RELEASE");
                }
            }
            for (int i = 0; i < 6; i++) {
                handle(life, RETRY);
                handle(life, TOPIC);
                life.pass(1_000);
            }
            assertThat(keys(life)).isEmpty();
        }

        /** For the first time each. */
        List<String> handledOf(String prefix) {
            return new ArrayList<>(new LinkedHashSet<>(
                    handled.stream().filter(body -> body.startsWith(prefix)).toList()));
        }

        void expectOrder(Life life) {
            handleAll(life);
            boolean isThere = life.bodies(TOPIC).contains("k-2");
            assertThat(handledOf("k")).isEqualTo(isThere ? List.of("k-0", "k-1", "k-2") : List.of("k-0", "k-1"));
            assertThat(isThere || !life.acked("k-2")).isTrue();
            assertThat(handledOf("b")).containsExactly("b-0");
        }

        void sendLater(Life life) {
            life.send("k-2", "k-2", "UNIQ_KEY", "uk-2", "__SHARDINGKEY", "k");
        }
    }

    private static final class ReleasedQuarantine extends MemberFlow {
        ReleasedQuarantine() {
            super("quarantine");
        }

        @Override
        void run(Life life) {
            order(life, "quarantine", "QUARANTINE");
            assertThat(handle(life, TOPIC)).containsExactly("b-0");
            life.pass(6_000);
            order(life, "release", "RELEASE");
            sendLater(life);
            assertThat(handle(life, TOPIC)).isEmpty();
            assertThat(handle(life, RETRY)).containsExactly("k-0", "k-1");
            life.pass(1_000);
            assertThat(handle(life, RETRY)).containsExactly("k-2");
            life.pass(6_000);
            assertThat(keys(life)).isEmpty();
        }

        @Override
        void verify(Life life) {
            expectOrder(life);
        }
    }

    private static final class SecondQuarantine extends MemberFlow {
        SecondQuarantine() {
            super("quarantine for the second time");
        }

        @Override
        void run(Life life) {
            order(life, "quarantine", "QUARANTINE");
            assertThat(handle(life, TOPIC)).containsExactly("b-0");
            order(life, "release", "RELEASE");
            assertThat(pull(life, member, RETRY)).containsExactly("k-0", "k-1"); // k-0 fails again
            order(life, "quarantine again", "QUARANTINE");
            assertThat(handle(life, RETRY)).isEmpty();
            life.pass(6_000);
            sendLater(life);
            assertThat(handle(life, TOPIC)).isEmpty();
            order(life, "release twice", "RELEASE");
            assertThat(handle(life, RETRY)).containsExactly("k-0", "k-1", "k-2");
            life.pass(6_000);
        }

        @Override
        void verify(Life life) {
            expectOrder(life);
        }
    }

    private static final class DiscardedQuarantine extends MemberFlow {
        DiscardedQuarantine() {
            super("quarantine discarded");
        }

        @Override
        void run(Life life) {
            order(life, "quarantine", "QUARANTINE");
            assertThat(handle(life, TOPIC)).containsExactly("b-0");
            life.pass(6_000);
            order(life, "discard", "DISCARD");
            life.pass(1_000);
            sendLater(life);
            assertThat(handle(life, TOPIC)).containsExactly("k-2");
            life.pass(6_000);
        }

        @Override
        void verify(Life life) {
            handleAll(life);
            List<String> later = life.bodies(TOPIC).contains("k-2") ? List.of("k-2") : List.of();
            List<String> all =
                    Stream.concat(Stream.of("k-0", "k-1"), later.stream()).toList();
            if (life.acked("discard")) {
                assertThat(handledOf("k")).isEqualTo(later);
            } else if (life.begun.contains("discard")) {
                assertThat(handledOf("k")).isIn(later, all);
            } else {
                assertThat(handledOf("k")).isEqualTo(all);
            }
            assertThat(handledOf("b")).containsExactly("b-0");
        }
    }

    /** Two members of one group that want different things. */
    private static final class Diversion extends MemberFlow {
        Diversion() {
            super("message that only another member wants");
        }

        @Override
        void prepare(Life life) {
            life.topic(TOPIC, "");
            handled = new ArrayList<>();
            life.send("a", "a", "UNIQ_KEY", "ua", "TAGS", "A");
            life.send("b", "b", "UNIQ_KEY", "ub", "TAGS", "B");
            join(life);
        }

        private FakeConnection other;

        @Override
        void join(Life life) {
            member = join(life, "c1", "A");
            other = join(life, "c2", "B");
        }

        @Override
        void run(Life life) {
            assertThat(handle(life, TOPIC)).containsExactly("a");
            life.pass(6_000);
            assertThat(ofOther(life)).containsExactly("b");
        }

        /** A copy goes to any queue of the retry topic. */
        private List<String> ofOther(Life life) {
            List<String> got = new ArrayList<>();
            for (int queueId = 0; queueId < 2; queueId++) {
                Asked pulled = life.broker.ask(other, TestBroker.pulling(GROUP, RETRY, queueId, 0, 0, null));
                got.addAll(pulled.result() == 0 ? TestBroker.bodies(pulled) : List.of());
            }
            return got;
        }

        @Override
        void verify(Life life) {
            join(life);
            if (committed(life, TOPIC) == 2) {
                assertThat(ofOther(life)).as("kept before the offset passed it").contains("b");
            }
            handle(life, TOPIC);
            assertThat(handled).contains("a").doesNotContain("b");
            assertThat(ofOther(life)).isIn(List.of("b"), List.of("b", "b"));
        }
    }

    // ---- conditions

    private static final class Unless extends Flow {
        Unless() {
            super("delay unless");
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            life.topic("payments", "");
        }

        @Override
        void run(Life life) {
            life.send(
                    "send",
                    "remind",
                    "UNIQ_KEY",
                    "u1",
                    "KEYS",
                    "order-1",
                    "TIMER_DELAY_MS",
                    "10000",
                    "WAYBILL_UNLESS",
                    "payments|order-1|PAID");
            life.pass(1_000);
            life.must(
                    "pay",
                    TestBroker.sending(
                            TestBroker.sendHeader(
                                    "payments",
                                    0,
                                    TestBroker.properties("UNIQ_KEY", "u2", "KEYS", "order-1", "TAGS", "PAID")),
                            "paid"));
            life.pass(9_000);
            assertThat(life.broker.store.timers().cancelledByKey(TOPIC, "order-1"))
                    .hasSize(1);
        }

        @Override
        void verify(Life life) {
            life.pass(20_000);
            int seen = life.bodies(TOPIC).size();
            int cancelled =
                    life.broker.store.timers().cancelledByKey(TOPIC, "order-1").size();
            boolean paid = !life.bodies("payments").isEmpty();
            assertThat(paid || !life.acked("pay")).isTrue();
            assertThat(seen + cancelled).isIn(life.acked("send") ? Set.of(1) : Set.of(0, 1));
            assertThat(paid ? seen : cancelled).isZero();
            assertThat(life.broker.store.timers().pendingTimerCount()).isZero();
        }
    }

    // ---- dead letters

    private abstract static class LetterFlow extends Flow {
        LetterFlow(String name) {
            super(name);
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            life.send("order", "order");
            life.sendBack("back", life.messages(TOPIC, 0).get(0), -1, 1);
            assertThat(life.bodies(Names.deadLetterTopic(GROUP))).hasSize(1);
        }

        static String state(Life life) {
            Asked list = life.json("list", "", RequestCode.LIST_DEAD, "{'group':'shop','settled':true}");
            List<JsonObject> letters =
                    Json.parse(list.reply().body()).getArray("deadLetters").objects("deadLetters");
            assertThat(letters).hasSize(1);
            return letters.get(0).getString("state");
        }
    }

    private static final class DiscardedLetter extends LetterFlow {
        DiscardedLetter() {
            super("dead letter discarded");
        }

        private static void discard(Life life, String step, String answer) {
            life.json(
                    step,
                    "\"" + answer + "\"",
                    RequestCode.SETTLE_DEAD,
                    "{'group':'shop','offsets':[0],'action':'DISCARD','by':'kim'}");
        }

        @Override
        void run(Life life) {
            discard(life, "discard", "DISCARDED");
        }

        @Override
        void verify(Life life) {
            String state = state(life);
            assertThat(state).isIn(life.acked("discard") ? Set.of("DISCARDED") : Set.of("OPEN", "DISCARDED"));
            discard(life, "discard again", "");
            assertThat(state(life)).isEqualTo("DISCARDED");
            assertThat(life.bodies(TOPIC)).containsExactly("order");
        }
    }

    private static final class EditedLetter extends LetterFlow {
        EditedLetter() {
            super("dead letter edited and re-driven");
        }

        private static void redrive(Life life, String step) {
            life.json(
                    step,
                    "\"REDRIVEN\"",
                    RequestCode.SETTLE_DEAD,
                    "{'group':'shop','offsets':[0],'action':'REDRIVE','by':'kim',"
                            + "'edit':{'properties':{'country':'NO'},'body':'bWVuZGVk'}}");
        }

        @Override
        void run(Life life) {
            redrive(life, "redrive");
        }

        @Override
        void verify(Life life) {
            boolean open = state(life).equals("OPEN");
            assertThat(open && life.acked("redrive")).isFalse();
            assertThat(life.bodies(TOPIC)).isEqualTo(open ? List.of("order") : List.of("order", "mended"));
            redrive(life, "redrive again");
            assertThat(life.bodies(TOPIC)).containsExactly("order", "mended");
            assertThat(life.messages(TOPIC, 0).get(1).properties()).containsEntry("country", "NO");
        }
    }

    // ---- pops

    private static final class BatchAck extends Flow {
        BatchAck() {
            super("batch of acknowledgements");
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            for (int i = 0; i < 4; i++) {
                life.send("m" + i, "m" + i);
            }
        }

        @Override
        void run(Life life) {
            Asked popped = life.pop("pop");
            assertThat(TestBroker.messages(popped)).hasSize(4);
            BitSet offsets = new BitSet();
            offsets.set(0, 2);
            offsets.set(3);
            BatchAckBody.Entry entry = new BatchAckBody.Entry(
                    GROUP,
                    TOPIC,
                    "0",
                    0,
                    0,
                    (int) popped.number("reviveQid"),
                    popped.number("popTime"),
                    popped.number("invisibleTime"),
                    offsets);
            life.must(
                    "ack",
                    Command.request(RequestCode.BATCH_ACK_MESSAGE)
                            .body(new BatchAckBody("broker-a", List.of(entry)).toJson())
                            .build());
        }

        @Override
        void verify(Life life) {
            life.pass(CrashPointsTest.INVISIBLE);
            List<String> left = life.popped();
            if (life.acked("ack")) {
                assertThat(left).containsExactly("m2");
            } else if (life.begun.contains("ack")) {
                assertThat(left).isIn(List.of("m2"), List.of("m0", "m1", "m2", "m3"));
            } else {
                assertThat(left).containsExactly("m0", "m1", "m2", "m3");
            }
        }
    }

    private static final class OrderedPop extends Flow {
        OrderedPop() {
            super("pop in order");
        }

        @Override
        void prepare(Life life) {
            super.prepare(life);
            for (int i = 0; i < 4; i++) {
                life.send("m" + i, "m" + i);
            }
        }

        private static Asked pop(Life life, String step) {
            return life.ask(
                    step,
                    Command.request(RequestCode.POP_MESSAGE)
                            .header(new PopHeader(
                                    GROUP,
                                    TOPIC,
                                    0,
                                    2,
                                    CrashPointsTest.INVISIBLE,
                                    0,
                                    life.now(),
                                    PopHeader.FROM_MIN,
                                    "TAG",
                                    "*",
                                    true,
                                    null,
                                    "broker-a"))
                            .build());
        }

        private static void ack(Life life, Asked popped) {
            for (Message message : TestBroker.messages(popped)) {
                String body = new String(message.body(), StandardCharsets.UTF_8);
                life.ack("ack " + body, Life.handle(popped, message));
            }
        }

        @Override
        void run(Life life) {
            Asked first = pop(life, "pop");
            assertThat(TestBroker.bodies(first)).containsExactly("m0", "m1");
            assertThat(pop(life, "too early").result()).isNotZero();
            ack(life, first);
            Asked second = pop(life, "pop more");
            assertThat(TestBroker.bodies(second)).containsExactly("m2", "m3");
            ack(life, second);
        }

        @Override
        void verify(Life life) {
            life.pass(CrashPointsTest.INVISIBLE);
            Set<String> before = Set.copyOf(life.acked);
            List<String> left = new ArrayList<>();
            for (Asked popped = pop(life, "rest"); popped.result() == 0; popped = pop(life, "rest")) {
                left.addAll(TestBroker.bodies(popped));
                assertThat(pop(life, "too early").result())
                        .as("while the others are held")
                        .isNotZero();
                ack(life, popped);
            }
            assertThat(left).isSorted().doesNotHaveDuplicates();
            for (int i = 0; i < 4; i++) {
                if (before.contains("ack m" + i)) {
                    assertThat(left).doesNotContain("m" + i);
                } else if (!life.begun.contains("ack m" + i)) {
                    assertThat(left).contains("m" + i);
                }
            }
        }
    }
}
