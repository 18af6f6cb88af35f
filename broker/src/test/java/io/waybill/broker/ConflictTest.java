/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.message.Message;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Members of one group that want different things: nothing vanishes, and everything goes to one that wants it. */
class ConflictTest {
    private static final String GROUP = "shipping";
    private static final String RETRY = "%RETRY%shipping";

    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private FakeConnection member(String id, SubscriptionData... subscriptions) {
        FakeConnection connection = broker.connect();
        beat(connection, id, subscriptions);
        return connection;
    }

    private void beat(FakeConnection connection, String id, SubscriptionData... subscriptions) {
        List<SubscriptionData> all = new ArrayList<>(List.of(subscriptions));
        all.add(SubscriptionData.of(RETRY, "*", 1));
        Asked asked = broker.ask(connection, TestBroker.heartbeat(id, GROUP, all.toArray(SubscriptionData[]::new)));
        assertThat(asked.result()).as(asked.remark()).isZero();
    }

    private static SubscriptionData orders(String expression) {
        return SubscriptionData.of("orders", expression, 1);
    }

    private static SubscriptionData sql(String expression) {
        return new SubscriptionData("orders", expression, Set.of(), Set.of(), 1, "SQL92", false);
    }

    private Asked pull(FakeConnection connection, String topic, int queueId, long offset) {
        return broker.ask(connection, TestBroker.pulling(GROUP, topic, queueId, offset, 0, null));
    }

    private Asked hold(FakeConnection connection, String topic, int queueId, long offset) {
        return broker.ask(connection, TestBroker.pulling(GROUP, topic, queueId, offset, TestBroker.SUSPEND, null));
    }

    private ConsumerGroup group() {
        return broker.members.consumerGroup(GROUP);
    }

    private static List<String> bodiesOf(Asked asked) {
        return asked.result() == 0 ? TestBroker.bodies(asked) : List.of();
    }

    @Test
    void whatOnlyTheOtherWantsGoesToItThroughTheRetryTopicBeforeTheOffsetPasses() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        hold(a, RETRY, 0, 0);
        Asked waiting = hold(b, RETRY, 1, 0);
        for (String tag : List.of("A", "B", "C", "B", "A")) {
            broker.send("orders", 0, "of-" + tag, "TAGS", tag);
        }
        Asked pulled = pull(a, "orders", 0, 0);
        assertThat(bodiesOf(pulled)).containsExactly("of-A", "of-A");
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(5);
        assertThat(waiting.isOpen()).isFalse();
        List<Message> diverted = new ArrayList<>(TestBroker.messages(waiting));
        diverted.addAll(messagesOf(pull(b, RETRY, 1, waiting.number("nextBeginOffset"))));
        assertThat(diverted).hasSize(2).allSatisfy(message -> {
            assertThat(message.properties())
                    .containsEntry("RETRY_TOPIC", "orders")
                    .containsEntry("TAGS", "B");
            assertThat(message.properties()).containsKey("ORIGIN_MESSAGE_ID");
            assertThat(message.reconsumeTimes()).isZero();
        });
    }

    private static List<Message> messagesOf(Asked asked) {
        return asked.result() == 0 ? TestBroker.messages(asked) : List.of();
    }

    @Test
    void aRepeatedPullCopiesNothingTwiceAndNobodyGetsTheCopiedOneAgain() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        hold(b, RETRY, 1, 0);
        broker.send("orders", 0, "of-B", "TAGS", "B");
        pull(a, "orders", 0, 0);
        pull(a, "orders", 0, 0);
        assertThat(broker.store.queues().offsetRange(RETRY, 1).maxOffset()).isEqualTo(1);
        assertThat(bodiesOf(pull(b, "orders", 0, 0)))
                .as("its copy is on the way")
                .isEmpty();

        broker.gone(a);
        beat(b, "b", orders("B"));
        assertThat(bodiesOf(pull(b, "orders", 0, 0)))
                .as("also without a conflict")
                .isEmpty();
    }

    @Test
    void aCopyIsKeptBeforeTheAnswerAlsoWhenThePowerIsCut() {
        for (long seed = 1; seed <= 20; seed++) {
            try (TestBroker broker = new TestBroker()) {
                FakeConnection a = broker.connect();
                FakeConnection b = broker.connect();
                SubscriptionData retry = SubscriptionData.of(RETRY, "*", 1);
                broker.ask(a, TestBroker.heartbeat("a", GROUP, orders("A"), retry));
                broker.ask(b, TestBroker.heartbeat("b", GROUP, orders("B"), retry));
                broker.send("orders", 0, "of-B", "TAGS", "B");
                Asked pulled = broker.ask(a, TestBroker.pulling(GROUP, "orders", 0, 0, 0, null));
                assertThat(pulled.number("nextBeginOffset")).isEqualTo(1);
                broker.crash(seed);
                assertThat(broker.store.queues().offsetRange(RETRY, 1).maxOffset())
                        .isEqualTo(1);
            }
        }
    }

    @Test
    void withoutRoomForTheCopyTheOffsetDoesNotPass() {
        FakeConnection a = member("a", orders("A"));
        member("b", orders("B"));
        broker.send("orders", 0, "of-A", "TAGS", "A");
        broker.send("orders", 0, "of-B", "TAGS", "B");
        broker.files.faults().failFrom(1, Fault.EIO);
        Asked pulled = pull(a, "orders", 0, 0);
        assertThat(pulled.result()).isNotZero().isNotEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(pulled.remark()).contains("could not be kept elsewhere");
    }

    @Test
    void aResetBringsEverythingAgain() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        broker.send("orders", 0, "of-B", "TAGS", "B");
        pull(a, "orders", 0, 0);
        assertThat(bodiesOf(pull(b, "orders", 0, 0))).isEmpty();
        broker.features.offsets.reset(GROUP, "orders", 0, 0, outcome -> {});
        broker.settle();
        assertThat(pull(b, "orders", 0, 0).result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
        assertThat(bodiesOf(pull(b, "orders", 0, 0))).containsExactly("of-B");
    }

    @Test
    void aWaitingPullHandsOnWhatArrivesForTheOtherAndGoesOnWaiting() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        broker.send("orders", 0, "first", "TAGS", "A");
        Asked held = hold(a, "orders", 0, 1);
        Asked others = hold(b, RETRY, 1, 0);
        broker.send("orders", 0, "for b", "TAGS", "B");
        assertThat(held.isOpen()).isTrue();
        assertThat(bodiesOf(others)).containsExactly("for b");
        broker.send("orders", 0, "for a", "TAGS", "A");
        assertThat(bodiesOf(held)).containsExactly("for a");
        assertThat(held.number("nextBeginOffset")).isEqualTo(3);
    }

    @Test
    void sqlAndTagsMayBeMixed() {
        FakeConnection a = member("a", sql("amount > 100"));
        FakeConnection b = member("b", orders("SMALL"));
        Asked others = hold(b, RETRY, 1, 0);
        broker.send("orders", 0, "large", "amount", "500", "TAGS", "LARGE");
        broker.send("orders", 0, "small", "amount", "5", "TAGS", "SMALL");
        assertThat(bodiesOf(pull(a, "orders", 0, 0))).containsExactly("large");
        assertThat(bodiesOf(others)).containsExactly("small");
    }

    @Test
    void aCopyInTheWrongRetryQueueIsHandedOn() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        // Nobody is known to read queue 1: the copy goes there, and then it turns out that a reads it.
        hold(a, RETRY, 0, 0);
        broker.send("orders", 0, "of-B", "TAGS", "B");
        pull(a, "orders", 0, 0);
        assertThat(broker.store.queues().offsetRange(RETRY, 1).maxOffset()).isEqualTo(1);
        broker.pass(20_000); // the pull of a is over
        Asked right = hold(b, RETRY, 0, 0);
        assertThat(bodiesOf(pull(a, RETRY, 1, 0))).isEmpty();
        assertThat(bodiesOf(right)).containsExactly("of-B");
    }

    @Test
    void aPullFromBeforeTheQueueWentToAnotherMemberDoesNotCopyForEver() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        hold(a, RETRY, 0, 0);
        hold(b, RETRY, 0, 0);
        hold(b, RETRY, 1, 0);
        hold(a, RETRY, 1, 0);
        for (int i = 0; i < 20; i++) {
            broker.send("orders", 0, "of-B" + i, "TAGS", "B");
        }
        Asked pulled = pull(a, "orders", 0, 0);
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(20);
        Set<String> got = new TreeSet<>();
        long[] next = new long[2];
        for (int i = 0; i < 20; i++) {
            for (int queueId = 0; queueId < 2; queueId++) {
                Asked read = pull(b, RETRY, queueId, next[queueId]);
                got.addAll(bodiesOf(read));
                next[queueId] = read.number("nextBeginOffset");
            }
            broker.pass(4_000);
        }
        assertThat(got).hasSize(20);
    }

    /** Two processes with one client id, or members that share out by hand: both read the same queues for ever. */
    @Test
    void twoReadersOfOneRetryQueueDoNotChaseEachOther() {
        List<FakeConnection> members = List.of(member("a", orders("*")), member("b", orders("*")));
        List<Asked> waiting = new ArrayList<>(List.of(hold(members.get(0), RETRY, 0, 0)));
        broker.pass(5_000);
        waiting.add(hold(members.get(1), RETRY, 0, 0));
        int pulls = 2;
        for (int second = 0; second < 60; second++) {
            for (int look = 0; look < 100; look++) { // a client comes again at once
                int member = look % 2;
                if (!waiting.get(member).isOpen()) {
                    waiting.set(member, hold(members.get(member), RETRY, 0, 0));
                    pulls++;
                }
            }
            broker.pass(1_000);
        }
        assertThat(pulls).as("pulls in a minute").isLessThan(30);
    }

    @Test
    void aCopyNobodyCanBeGivenWaitsAndComesBack() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        hold(b, RETRY, 1, 0);
        broker.send("orders", 0, "of-B", "TAGS", "B");
        pull(a, "orders", 0, 0);
        broker.gone(b);
        // b is restarted meanwhile; a has all queues and is not given what it does not want.
        Asked read = pull(a, RETRY, 1, 0);
        assertThat(bodiesOf(read)).isEmpty();
        assertThat(read.number("nextBeginOffset")).isEqualTo(1);
        assertThat(broker.store.timers().pendingTimerCount()).isEqualTo(1);
        FakeConnection again = member("b2", orders("B"));
        broker.pass(5_000);
        List<String> got = new ArrayList<>(bodiesOf(pull(again, RETRY, 0, 0)));
        assertThat(got).containsExactly("of-B");
    }

    @Test
    void whatNobodyWantsForADayBecomesADeadLetter() {
        FakeConnection a = member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        hold(b, RETRY, 1, 0);
        broker.send("orders", 0, "of-B", "TAGS", "B");
        pull(a, "orders", 0, 0);
        broker.gone(b);
        long[] next = new long[2];
        for (int hour = 0; hour < 30; hour++) {
            for (int queueId = 0; queueId < 2; queueId++) {
                Asked read = pull(a, RETRY, queueId, next[queueId]);
                assertThat(bodiesOf(read)).isEmpty();
                next[queueId] = read.number("nextBeginOffset");
            }
            broker.pass(3_600_000);
            beat(a, "a", orders("A"));
            a = a.isOpen() ? a : member("a", orders("A"));
        }
        assertThat(broker.store.queues().offsetRange("%DLQ%shipping", 0).maxOffset())
                .isEqualTo(1);
    }

    @Test
    void aConflictIsToldAndEndsWithItsCause() {
        FakeConnection a = member("a", orders("A"));
        assertThat(group().hasConflict("orders")).isFalse();
        FakeConnection b = member("b", orders("B"), SubscriptionData.of("bills", "*", 1));
        assertThat(group().conflicts())
                .containsExactlyInAnyOrder(
                        new Conflict("orders", Map.of("A", List.of("a"), "B", List.of("b"))),
                        new Conflict("bills", Map.of("*", List.of("b"), Conflict.NOTHING, List.of("a"))));
        assertThat(broker.features.topics.find(RETRY).readQueueNums()).isEqualTo(2);
        beat(b, "b", SubscriptionData.of("orders", "A", 2));
        assertThat(group().conflicts()).isEmpty();
        broker.gone(a);
        assertThat(group().conflicts()).isEmpty();
    }

    @Test
    void aNewerVersionOfOneMemberDoesNotChangeWhatAnotherWants() {
        broker.send("orders", 0, "of-A", "TAGS", "A");
        broker.send("orders", 0, "of-B", "TAGS", "B");
        FakeConnection a = member("a", orders("A"));
        member("b", SubscriptionData.of("orders", "B", 99));
        assertThat(bodiesOf(pull(a, "orders", 0, 0))).containsExactly("of-A");
    }

    @Test
    void aPullWithItsOwnSubscriptionIsLeftAloneUnlessItIsAMembers() {
        member("a", orders("A"));
        FakeConnection b = member("b", orders("B"));
        broker.send("orders", 0, "of-A", "TAGS", "A");
        carrying(broker.connect(), "B", 0);
        carrying(b, "B", PullHeader.FLAG_REPLAY);
        assertThat(broker.store.queues().queuesOf(RETRY)).isEmpty();
        carrying(b, "B", 0);
        assertThat(broker.store.queues().queuesOf(RETRY)).hasSize(1);
    }

    private void carrying(FakeConnection connection, String expression, int flags) {
        broker.ask(
                connection,
                TestBroker.pulling(new PullHeader(
                        GROUP,
                        "orders",
                        0,
                        0,
                        32,
                        TestBroker.SUBSCRIPTION | flags,
                        0,
                        0,
                        expression,
                        0,
                        "TAG",
                        0,
                        null)));
    }

    @Test
    void inEveryHistoryEachMessageReachesAMemberThatWantsIt() {
        for (long seed = 1; seed <= 25; seed++) {
            history(seed);
        }
    }

    /** Members with different tags join, leave and share the queues anew; in the end all wanted messages were given to somebody who wants them. */
    private void history(long seed) {
        RandomSource random = RandomSource.seeded(seed);
        try (TestBroker broker = new TestBroker()) {
            List<String> tags = List.of("A", "B", "C");
            Map<String, FakeConnection> members = new LinkedHashMap<>();
            Map<String, String> wishes = Map.of("m1", "A", "m2", "B", "m3", "A || C");
            Map<String, Set<String>> got = new LinkedHashMap<>();
            Map<String, Long> next = new LinkedHashMap<>();
            Set<String> sent = new TreeSet<>();
            for (String id : wishes.keySet()) {
                join(broker, members, id, wishes.get(id));
            }
            for (int step = 0; step < 120; step++) {
                if (step < 80 && random.nextInt(3) > 0) {
                    String tag = tags.get(random.nextInt(3));
                    String body = tag + "-" + step;
                    broker.send("orders", random.nextInt(3), body, "TAGS", tag);
                    sent.add(body);
                }
                if (step < 80 && random.nextInt(10) == 0) {
                    List<String> ids = List.copyOf(wishes.keySet());
                    String id = ids.get(random.nextInt(ids.size()));
                    if (members.containsKey(id)) {
                        broker.gone(members.remove(id));
                        broker.pass(random.nextInt(2_000));
                    }
                    join(broker, members, id, wishes.get(id));
                }
                round(broker, members, wishes, got, next);
                broker.pass(500);
            }
            for (int i = 0; i < 10; i++) {
                broker.pass(20_000);
                for (String id : wishes.keySet()) {
                    join(broker, members, id, wishes.get(id));
                }
                round(broker, members, wishes, got, next);
            }
            Set<String> all = new TreeSet<>();
            got.forEach((id, bodies) -> {
                all.addAll(bodies);
                assertThat(bodies)
                        .as("seed %d: %s wants %s", seed, id, wishes.get(id))
                        .allMatch(body -> wishes.get(id).contains(body.substring(0, 1)));
            });
            assertThat(all).as("seed %d", seed).isEqualTo(sent);
        }
    }

    private static void join(TestBroker broker, Map<String, FakeConnection> members, String id, String wish) {
        FakeConnection connection = members.computeIfAbsent(id, name -> broker.connect());
        broker.ask(
                connection,
                TestBroker.heartbeat(
                        id, GROUP, SubscriptionData.of("orders", wish, 1), SubscriptionData.of(RETRY, "*", 1)));
    }

    /** Each living member pulls its share, as the clients share out the queues, and takes what it is given. */
    private static void round(
            TestBroker broker,
            Map<String, FakeConnection> members,
            Map<String, String> wishes,
            Map<String, Set<String>> got,
            Map<String, Long> next) {
        List<String> ids = members.keySet().stream().sorted().toList();
        if (broker.features.topics.find("orders") == null) {
            return;
        }
        for (String topic : List.of("orders", RETRY)) {
            int queues = broker.features.topics.find(topic).readQueueNums();
            for (int queueId = 0; queueId < queues; queueId++) {
                String id = ids.get(queueId % ids.size());
                for (int pulls = 0; pulls < 3; pulls++) {
                    String queue = topic + queueId;
                    Asked asked = broker.ask(
                            members.get(id),
                            TestBroker.pulling(GROUP, topic, queueId, next.getOrDefault(queue, 0L), 0, null));
                    bodiesOf(asked).forEach(got.computeIfAbsent(id, i -> new TreeSet<>())::add);
                    next.put(queue, asked.number("nextBeginOffset"));
                }
            }
        }
    }

    @Test
    void toolsAreToldOfAConflict() {
        member("a", orders("A"));
        member("b", sql("amount > 5"));
        Asked asked = broker.ask(Command.request(RequestCode.GROUP_BACKLOG)
                .body("{\"group\":\"shipping\"}".getBytes(StandardCharsets.UTF_8))
                .build());
        assertThat(asked.result()).as(asked.remark()).isZero();
        assertThat(new String(asked.reply().bodyBytes(), StandardCharsets.UTF_8))
                .contains("\"conflicts\":[{\"topic\":\"orders\",\"wants\":["
                        + "{\"expression\":\"A\",\"clients\":[\"a\"]},"
                        + "{\"expression\":\"SQL92: amount > 5\",\"clients\":[\"b\"]}]}]");
    }

    @Test
    void progressAnswersStayAsTheWireWants() {
        member("a", orders("A"));
        member("b", orders("B"));
        Asked asked = broker.ask(Command.request(RequestCode.GET_CONSUMER_CONNECTION_LIST)
                .field("consumerGroup", GROUP)
                .build());
        assertThat(asked.result()).isZero();
        assertThat(new String(asked.reply().bodyBytes(), StandardCharsets.UTF_8))
                .contains("\"orders\"");
    }
}
