/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
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

/**
 * Members of one group that subscribe to different topics: clients share out the queues of a topic among all members, so some fall to one that does not
 * read them. Their messages go to a member that wants them all the same.
 */
class UnreadQueuesTest {
    private static final String GROUP = "shipping";
    private static final String RETRY = "%RETRY%shipping";

    private final TestBroker broker = new TestBroker();
    private final Map<String, Long> offsets = new LinkedHashMap<>();
    private final List<String> got = new ArrayList<>();

    @AfterEach
    void close() {
        broker.close();
    }

    private FakeConnection member(String id, String... topics) {
        FakeConnection connection = broker.connect();
        List<SubscriptionData> all = new ArrayList<>();
        for (String topic : topics) {
            all.add(SubscriptionData.of(topic, "*", 1));
        }
        all.add(SubscriptionData.of(RETRY, "*", 1));
        Asked asked = broker.ask(connection, TestBroker.heartbeat(id, GROUP, all.toArray(SubscriptionData[]::new)));
        assertThat(asked.result()).as(asked.remark()).isZero();
        return connection;
    }

    /** As a client: pulls a queue once, keeps what it gets and commits. */
    private void consume(FakeConnection member, String topic, int queueId) {
        long offset = offsets.computeIfAbsent(
                topic + queueId, key -> Math.max(0, broker.features.offsets.query(GROUP, topic, queueId)));
        Asked pulled = broker.ask(member, TestBroker.pulling(GROUP, topic, queueId, offset, 0, null));
        if (pulled.result() == ResponseCode.SUCCESS) {
            for (Message message : TestBroker.messages(pulled)) {
                got.add(new String(message.body(), StandardCharsets.UTF_8));
            }
        }
        offsets.put(topic + queueId, pulled.number("nextBeginOffset"));
        broker.features.offsets.commit(GROUP, topic, queueId, pulled.number("nextBeginOffset"));
    }

    /** Answers what the broker asks: these queues are mine. */
    private void answer(FakeConnection member, MessageQueue... own) {
        Map<MessageQueue, ConsumerRunningInfo.QueueInfo> table = new LinkedHashMap<>();
        for (MessageQueue queue : own) {
            table.put(queue, new ConsumerRunningInfo.QueueInfo(0, 0, 0, 0, 0, false, 0, false, 0, 0));
        }
        byte[] info = new ConsumerRunningInfo(Map.of(), List.of(), table, Map.of(), Map.of(), Map.of(), null).toJson();
        for (Command asked : member.take()) {
            if (asked.code() == RequestCode.GET_CONSUMER_RUNNING_INFO) {
                member.answer(
                        Command.response(ResponseCode.SUCCESS, null).body(info).build());
            }
        }
        broker.settle();
    }

    private static MessageQueue orders(int queueId) {
        return new MessageQueue("orders", "broker-a", queueId);
    }

    private Set<String> send(int messages) {
        Set<String> sent = new TreeSet<>();
        for (int i = 0; i < messages; i++) {
            broker.send("orders", i % 4, "m" + i);
            sent.add("m" + i);
        }
        return sent;
    }

    @Test
    void whatLiesInAQueueThatNobodyReadsGoesToAMemberThatWantsIt() {
        FakeConnection a = member("a", "orders");
        FakeConnection b = member("b", "parcels");
        Set<String> sent = send(40);
        for (int second = 0; second < 60; second++) {
            consume(a, "orders", 0);
            consume(a, "orders", 1);
            consume(a, RETRY, 0);
            consume(b, RETRY, 1);
            answer(a, orders(0), orders(1), new MessageQueue(RETRY, "broker-a", 0));
            assertThat(b.take().stream().filter(c -> c.code() == RequestCode.GET_CONSUMER_RUNNING_INFO))
                    .as("it cannot have them")
                    .isEmpty();
            broker.pass(1_000);
        }
        assertThat(new TreeSet<>(got)).isEqualTo(sent);
        assertThat(got).as("each once").hasSize(40);
        for (int queueId = 0; queueId < 4; queueId++) {
            assertThat(broker.features.offsets.query(GROUP, "orders", queueId)).isEqualTo(10);
        }
        Asked doctor = broker.ask(Command.request(RequestCode.DOCTOR)
                .body("{\"group\":\"shipping\",\"topic\":\"orders\"}".getBytes(StandardCharsets.UTF_8))
                .build());
        assertThat(new String(doctor.reply().bodyBytes(), StandardCharsets.UTF_8))
                .contains("CONSUMED");
    }

    @Test
    void theDoctorSaysWhoLacksTheTopic() {
        member("a", "orders");
        member("b", "parcels");
        send(4);
        Asked doctor = broker.ask(Command.request(RequestCode.DOCTOR)
                .body("{\"group\":\"shipping\",\"topic\":\"orders\"}".getBytes(StandardCharsets.UTF_8))
                .build());
        assertThat(new String(doctor.reply().bodyBytes(), StandardCharsets.UTF_8))
                .contains("\"subCause\":\"NO_READER\",\"topic\":\"orders\"")
                .contains("\"withoutTopicCount\":1,\"withoutTopic\":[\"b\"]");
    }

    private void untouched(FakeConnection a, Runnable eachSecond) {
        for (int second = 0; second < 60; second++) {
            eachSecond.run();
            broker.pass(1_000);
        }
        for (int queueId = 0; queueId < 4; queueId++) {
            assertThat(broker.store.queues().offsetRange(RETRY, queueId).maxOffset())
                    .isZero();
        }
        assertThat(a.isOpen()).isTrue();
    }

    @Test
    void aQueueThatAMemberSaysItHoldsIsLeftAloneHoweverSlowItIs() {
        FakeConnection a = member("a", "orders");
        member("b", "parcels");
        send(4);
        untouched(a, () -> answer(a, orders(0), orders(1), orders(2), orders(3)));
    }

    @Test
    void aQueueThatAMemberPopsIsLeftAlone() {
        FakeConnection a = member("a", "orders");
        member("b", "parcels");
        send(4);
        byte[] info = new ConsumerRunningInfo(
                        Map.of(),
                        List.of(),
                        Map.of(),
                        Map.of(orders(-1), new ConsumerRunningInfo.PopInfo(0, false, 0)),
                        Map.of(),
                        Map.of(),
                        null)
                .toJson();
        untouched(a, () -> {
            for (Command asked : a.take()) {
                if (asked.code() == RequestCode.GET_CONSUMER_RUNNING_INFO) {
                    a.answer(Command.response(ResponseCode.SUCCESS, null)
                            .body(info)
                            .build());
                }
            }
            broker.settle();
        });
    }

    /** A stock DefaultMQPullConsumer tells no queues, and it alone knows when it pulls again. */
    @Test
    void whileAMemberPullsByHandNothingIsTakenFromIt() {
        FakeConnection a = member("a", "orders");
        member("b", "parcels");
        for (SubscriptionData[] wanted :
                List.of(new SubscriptionData[] {SubscriptionData.of("orders", "*", 1)}, new SubscriptionData[0])) {
            FakeConnection byHand = broker.connect();
            broker.ask(byHand, TestBroker.heartbeat("c", GROUP, wanted));
            send(4);
            broker.ask(byHand, TestBroker.pulling(GROUP, "orders", 2, 0, TestBroker.SUBSCRIPTION, "*"));
            untouched(a, () -> {
                answer(a, orders(0), orders(1), orders(3));
                answer(byHand);
            });
            broker.gone(byHand);
        }
    }

    @Test
    void amemberThatDoesNotAnswerIsTakenForTheOwner() {
        FakeConnection a = member("a", "orders");
        FakeConnection silent = member("c", "orders");
        member("b", "parcels");
        send(4);
        untouched(a, () -> {
            answer(a);
            silent.take();
        });
    }

    @Test
    void membersThatAllSubscribeAreNeverAsked() {
        FakeConnection a = member("a", "orders");
        FakeConnection b = member("b", "orders");
        send(4);
        untouched(a, () -> {
            for (FakeConnection member : List.of(a, b)) {
                assertThat(member.take().stream().filter(c -> c.code() == RequestCode.GET_CONSUMER_RUNNING_INFO))
                        .isEmpty();
            }
        });
    }

    @Test
    void aPowerCutLosesNothing() {
        for (long seed = 1; seed <= 10; seed++) {
            try (TestBroker crashed = new TestBroker()) {
                UnreadQueuesTest other = new UnreadQueuesTest();
                other.crashing(crashed, seed);
            }
        }
    }

    private void crashing(TestBroker crashed, long seed) {
        SubscriptionData retry = SubscriptionData.of(RETRY, "*", 1);
        FakeConnection a = crashed.connect();
        FakeConnection b = crashed.connect();
        crashed.ask(a, TestBroker.heartbeat("a", GROUP, SubscriptionData.of("orders", "*", 1), retry));
        crashed.ask(b, TestBroker.heartbeat("b", GROUP, SubscriptionData.of("parcels", "*", 1), retry));
        for (int i = 0; i < 4; i++) {
            crashed.send("orders", 2, "m" + i);
        }
        crashed.ask(a, TestBroker.pulling(GROUP, RETRY, 0, 0, 0, null));
        byte[] none =
                new ConsumerRunningInfo(Map.of(), List.of(), Map.of(), Map.of(), Map.of(), Map.of(), null).toJson();
        for (int second = 0; second < 10 + seed; second++) {
            crashed.pass(1_000);
            for (Command asked : a.take()) {
                if (asked.code() == RequestCode.GET_CONSUMER_RUNNING_INFO) {
                    a.answer(Command.response(ResponseCode.SUCCESS, null)
                            .body(none)
                            .build());
                }
            }
            crashed.duties.step();
        }
        crashed.crash(seed);
        long committed = Math.max(0, crashed.features.offsets.query(GROUP, "orders", 2));
        long copies = crashed.store.queues().offsetRange(RETRY, 0).maxOffset()
                + crashed.store.queues().offsetRange(RETRY, 1).maxOffset()
                + crashed.store.timers().pendingTimerCount();
        assertThat(copies).as("what the group passed is copied").isGreaterThanOrEqualTo(committed);
        broker.settle();
        close();
    }
}
