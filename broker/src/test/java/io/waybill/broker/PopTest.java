/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Assignment;
import io.waybill.protocol.body.AssignmentQuery;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.RequestMode;
import io.waybill.protocol.body.RequestModeTable;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.NotificationHeader;
import io.waybill.protocol.header.PeekHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.UpdateOffsetHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageDraft;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PopTest {
    private static final String TOPIC = "orders";
    private static final String GROUP = "shop";
    private static final long INVISIBLE = 60_000;

    private TestBroker broker = new TestBroker();
    private final FakeConnection client = broker.connect();

    @AfterEach
    void close() {
        broker.close();
    }

    // ---- what a client does

    /** A pop to be changed where a test differs. */
    private final class Popping {
        String group = GROUP;
        int queueId = -1;
        int max = 32;
        long invisible = INVISIBLE;
        long poll;
        int initMode = PopHeader.FROM_MIN;
        String tags = "*";
        boolean order;
        String attempt;
        /** How far the client's clock is ahead. */
        long aheadMillis;

        Asked ask() {
            return ask(client);
        }

        Asked ask(FakeConnection from) {
            return broker.ask(
                    from,
                    Command.request(RequestCode.POP_MESSAGE)
                            .header(new PopHeader(
                                    group,
                                    TOPIC,
                                    queueId,
                                    max,
                                    invisible,
                                    poll,
                                    broker.clock.wallMillis() + aheadMillis,
                                    initMode,
                                    "TAG",
                                    tags,
                                    order,
                                    attempt,
                                    "broker-a"))
                            .build());
        }
    }

    private Asked pop() {
        return new Popping().ask();
    }

    private Asked waiting(long pollMillis) {
        Popping popping = new Popping();
        popping.poll = pollMillis;
        return popping.ask();
    }

    private Popping ordered(String attempt) {
        Popping popping = new Popping();
        popping.order = true;
        popping.attempt = attempt;
        popping.queueId = 0;
        return popping;
    }

    private static PopHandle handle(Asked popped, Message message) {
        return new PopHandle(
                message.queueOffset(),
                popped.number("popTime"),
                popped.number("invisibleTime"),
                (int) popped.number("reviveQid"),
                "0",
                "broker-a",
                message.queueId(),
                message.queueOffset());
    }

    private int ack(PopHandle handle) {
        return broker.ask(
                        client,
                        Command.request(RequestCode.ACK_MESSAGE)
                                .header(new AckHeader(
                                        GROUP, TOPIC, handle.queueId(), handle.toString(), handle.offset(), "broker-a"))
                                .build())
                .result();
    }

    private void ackAll(Asked popped) {
        TestBroker.messages(popped)
                .forEach(message -> assertThat(ack(handle(popped, message))).isZero());
    }

    private Asked change(PopHandle handle, long invisible, boolean suspend) {
        return broker.ask(
                client,
                Command.request(RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
                        .header(new ChangeInvisibleHeader(
                                GROUP,
                                TOPIC,
                                handle.queueId(),
                                handle.toString(),
                                handle.offset(),
                                invisible,
                                suspend,
                                "broker-a"))
                        .build());
    }

    private PopHandle changed(PopHandle before, long invisible) {
        Asked answer = change(before, invisible, false);
        assertThat(answer.result()).as(answer.remark()).isZero();
        return new PopHandle(
                before.offset(),
                answer.number("popTime"),
                answer.number("invisibleTime"),
                (int) answer.number("reviveQid"),
                "0",
                "broker-a",
                before.queueId(),
                before.offset());
    }

    private void send(int queueId, String... bodies) {
        for (String body : bodies) {
            broker.send(TOPIC, queueId, body);
        }
    }

    private long committed(int queueId) {
        return broker.store.offsets().committedOffset(GROUP, TOPIC, queueId);
    }

    private static void assertEmpty(Asked popped) {
        assertThat(popped.result()).as(popped.remark()).isEqualTo(ResponseCode.POLLING_TIMEOUT);
        assertThat(popped.number("popTime")).isPositive();
        assertThat(popped.number("invisibleTime")).isEqualTo(INVISIBLE);
        assertThat(popped.number("reviveQid")).isGreaterThanOrEqualTo(0);
        assertThat(popped.number("restNum")).isGreaterThanOrEqualTo(0);
    }

    // ---- taking

    @Test
    void aPopTakesFromAllQueuesAndSaysWhatItTook() {
        send(0, "a", "b");
        send(2, "c");
        Asked popped = pop();
        assertThat(popped.result()).as(popped.remark()).isZero();
        assertThat(TestBroker.bodies(popped)).containsExactlyInAnyOrder("a", "b", "c");
        assertThat(popped.field("startOffsetInfo").split(";")).containsExactlyInAnyOrder("0 0 0", "0 2 0");
        assertThat(popped.field("msgOffsetInfo").split(";")).containsExactlyInAnyOrder("0 0 0,1", "0 2 0");
        assertThat(popped.number("popTime")).isEqualTo(broker.clock.wallMillis());
        assertThat(TestBroker.messages(popped))
                .extracting(Message::reconsumeTimes)
                .containsOnly(0);
        assertEmpty(pop());
    }

    @Test
    void whatIsAcknowledgedNeverComesAgainAndMovesTheOffset() {
        send(0, "a", "b", "c");
        Asked popped = pop();
        List<Message> messages = TestBroker.messages(popped);
        assertThat(ack(handle(popped, messages.get(1)))).isZero();
        broker.pass(2_000);
        assertThat(committed(0)).isZero();
        assertThat(ack(handle(popped, messages.get(0)))).isZero();
        assertThat(ack(handle(popped, messages.get(0)))).isZero();
        broker.pass(2_000);
        assertThat(committed(0)).isEqualTo(2);
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("c");
    }

    @Test
    void whatIsNotAcknowledgedInTimeComesAgainWithItsCount() {
        send(1, "a");
        pop();
        broker.pass(INVISIBLE - 1);
        assertEmpty(pop());
        broker.pass(1);
        Asked again = pop();
        assertThat(TestBroker.messages(again))
                .extracting(Message::reconsumeTimes)
                .containsExactly(1);
        assertThat(TestBroker.messages(again)).extracting(Message::queueOffset).containsExactly(0L);
        broker.pass(INVISIBLE);
        assertThat(TestBroker.messages(pop()))
                .extracting(Message::reconsumeTimes)
                .containsExactly(2);
    }

    @Test
    void anOldHandleNeverEndsANewTaking() {
        send(0, "a");
        Asked first = pop();
        PopHandle old = handle(first, TestBroker.messages(first).get(0));
        broker.pass(INVISIBLE);
        Asked second = pop();
        assertThat(ack(old)).isZero();
        assertThat(change(old, 1_000, false).result()).isEqualTo(ResponseCode.NO_MESSAGE);
        broker.pass(INVISIBLE);
        Asked third = pop();
        assertThat(TestBroker.bodies(third)).containsExactly("a");
        assertThat(second.number("popTime")).isLessThan(third.number("popTime"));
    }

    @Test
    void anAckAfterTheTimeCountsWhileNobodyElseTookTheMessage() {
        send(0, "a");
        Asked popped = pop();
        broker.pass(INVISIBLE * 3);
        ackAll(popped);
        assertEmpty(pop());
    }

    @Test
    void aChangeMakesTheOldHandleVoidAndTheMessageComesWhenItSays() {
        send(0, "a");
        Asked popped = pop();
        PopHandle first = handle(popped, TestBroker.messages(popped).get(0));
        PopHandle second = changed(first, 5_000);
        assertThat(second.popTime()).isGreaterThan(first.popTime());
        assertThat(ack(first)).isZero();
        broker.pass(4_000);
        assertEmpty(pop());
        PopHandle third = changed(second, 5_000);
        broker.pass(4_999);
        assertEmpty(pop());
        broker.pass(2);
        assertThat(TestBroker.messages(pop()))
                .extracting(Message::reconsumeTimes)
                .containsExactly(1);
        assertThat(ack(third)).isZero();
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("a");
    }

    @Test
    void aSuspendedDeliveryDoesNotCount() {
        send(0, "a");
        Asked popped = pop();
        assertThat(change(handle(popped, TestBroker.messages(popped).get(0)), 1_000, true)
                        .result())
                .isZero();
        broker.pass(1_001);
        assertThat(TestBroker.messages(pop()))
                .extracting(Message::reconsumeTimes)
                .containsExactly(0);
    }

    @Test
    void aBatchOfAcksSpeaksOfManyTakings() {
        send(0, "a", "b", "c", "d");
        send(1, "e");
        Asked popped = pop();
        BitSet some = new BitSet();
        some.set(0);
        some.set(2, 4);
        BitSet one = new BitSet();
        one.set(0);
        long popTime = popped.number("popTime");
        BatchAckBody body = new BatchAckBody(
                "broker-a",
                List.of(
                        new BatchAckBody.Entry(GROUP, TOPIC, "0", 0, 0, 0, popTime, INVISIBLE, some),
                        new BatchAckBody.Entry(GROUP, TOPIC, "0", 0, 1, 0, popTime, INVISIBLE, one),
                        new BatchAckBody.Entry(GROUP, "no-such", "0", 0, 1, 0, popTime, INVISIBLE, one)));
        Asked acked = broker.ask(
                client,
                Command.request(RequestCode.BATCH_ACK_MESSAGE)
                        .body(body.toJson())
                        .build());
        assertThat(acked.result()).as(acked.remark()).isZero();
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("b");
    }

    @Test
    void aBatchOfAcknowledgementsIsNoWayToKeepTheBrokerBusy() {
        BitSet bits = new BitSet();
        bits.set(0, 8_192);
        BatchAckBody.Entry entry = new BatchAckBody.Entry(GROUP, TOPIC, "0", 0, 0, 0, 1, 1, bits);
        Asked flood = broker.ask(Command.request(RequestCode.BATCH_ACK_MESSAGE)
                .body(new BatchAckBody("broker-a", Collections.nCopies(512, entry)).toJson())
                .build());
        assertThat(flood.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(flood.remark()).contains("acks", "65536 messages", "4194304 messages");
    }

    @Test
    void aPopTakesNoMoreThanItAskedFor() {
        send(0, "a", "b", "c");
        Popping two = new Popping();
        two.max = 2;
        Asked first = two.ask();
        assertThat(TestBroker.bodies(first)).containsExactly("a", "b");
        assertThat(first.number("restNum")).isEqualTo(1);
        assertThat(TestBroker.bodies(two.ask())).containsExactly("c");
        two.max = 33;
        assertThat(two.ask().result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        two.max = 0;
        assertThat(two.ask().result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void aPopOfOneQueueStaysThere() {
        send(0, "a");
        send(3, "b");
        Popping third = new Popping();
        third.queueId = 3;
        assertThat(TestBroker.bodies(third.ask())).containsExactly("b");
        third.queueId = 99;
        assertThat(third.ask().result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void manyPopsOfOneMessageGoRoundTheQueues() {
        for (int queue = 0; queue < 4; queue++) {
            for (int i = 0; i < 40; i++) {
                send(queue, "m" + queue);
            }
        }
        Popping one = new Popping();
        one.max = 1;
        Set<String> first = new HashSet<>();
        for (int i = 0; i < 24; i++) {
            first.addAll(TestBroker.bodies(one.ask()));
        }
        assertThat(first).containsExactlyInAnyOrder("m0", "m1", "m2", "m3");
    }

    @Test
    void aNewGroupStartsWhereItSays() {
        send(0, "a");
        Popping fromMax = new Popping();
        fromMax.initMode = PopHeader.FROM_MAX;
        assertThat(TestBroker.bodies(fromMax.ask()))
                .as("a young queue loses nothing")
                .containsExactly("a");
    }

    // ---- waiting

    @Test
    void aWaitingPopIsWokenByTheMessage() {
        send(0, "a");
        ackAll(pop());
        Asked waiting = waiting(15_000);
        assertThat(waiting.isOpen()).isTrue();
        broker.pass(3_000);
        send(2, "b");
        broker.settle();
        assertThat(TestBroker.bodies(waiting)).containsExactly("b");
        assertThat(broker.features.pops.longPolling().size()).isZero();
    }

    @Test
    void aWaitingPopIsAnsweredEmptyWhenItsTimeIsOver() {
        send(0, "a");
        ackAll(pop());
        Asked waiting = waiting(15_000);
        broker.pass(14_999);
        assertThat(waiting.isOpen()).isTrue();
        broker.pass(1);
        assertEmpty(waiting);
    }

    @Test
    void aWaitingPopIsWokenByTheEndOfAnInvisibility() {
        send(0, "a");
        Popping shortly = new Popping();
        shortly.invisible = 5_000;
        shortly.ask();
        Asked waiting = waiting(15_000);
        broker.pass(4_999);
        assertThat(waiting.isOpen()).isTrue();
        broker.pass(1);
        assertThat(TestBroker.messages(waiting))
                .extracting(Message::reconsumeTimes)
                .containsExactly(1);
    }

    @Test
    void oneMessageGoesToOneOfThoseWhoWait() {
        send(0, "a");
        ackAll(pop());
        Asked one = waiting(15_000);
        Asked two = waiting(15_000);
        send(0, "b");
        broker.settle();
        assertThat(TestBroker.bodies(one)).containsExactly("b");
        assertThat(two.isOpen()).isTrue();
        send(0, "c");
        broker.settle();
        assertThat(TestBroker.bodies(two)).containsExactly("c");
    }

    @Test
    void aPopOfAClientThatIsGoneTakesNothing() {
        send(0, "a");
        ackAll(pop());
        FakeConnection dying = broker.connect();
        Popping popping = new Popping();
        popping.poll = 15_000;
        popping.ask(dying);
        broker.gone(dying);
        assertThat(broker.features.pops.longPolling().size()).isZero();
        send(0, "b");
        assertThat(TestBroker.bodies(pop())).containsExactly("b");
    }

    @Test
    void aMessageGivenBackAtOnceWakesWhoWaitsHoweverSlowTheDisk() {
        send(0, "a");
        Asked popped = pop();
        Asked waiting = waiting(15_000);
        broker.files.faults().beforeEachChange(() -> broker.clock.advance(5));
        assertThat(change(handle(popped, TestBroker.messages(popped).get(0)), 0, false)
                        .result())
                .isZero();
        broker.files.faults().beforeEachChange(() -> {});
        broker.pass(1_000);
        assertThat(waiting.isOpen()).isFalse();
        assertThat(TestBroker.bodies(waiting)).containsExactly("a");
    }

    @Test
    void anInvisibilityThatEndsWhileAnEarlierOneIsServedWakesTheNextOne() {
        send(0, "a");
        Popping shortly = new Popping();
        shortly.max = 1;
        shortly.invisible = 5_000;
        shortly.ask();
        send(0, "b");
        shortly.invisible = 5_003;
        shortly.ask();
        Popping one = new Popping();
        one.max = 1;
        one.poll = 15_000;
        Asked first = one.ask();
        Asked second = one.ask();
        broker.clock.advance(5_000);
        broker.files.faults().beforeEachChange(() -> broker.clock.advance(5));
        broker.settle();
        broker.files.faults().beforeEachChange(() -> {});
        broker.pass(1_000);
        assertThat(first.isOpen()).isFalse();
        assertThat(second.isOpen()).isFalse();
    }

    @Test
    void timesToWatchDoNotPileUp() {
        for (int i = 0; i < 200; i++) {
            send(0, "m" + i);
        }
        pop();
        int before = broker.features.pops.longPolling().times();
        Popping one = new Popping();
        one.max = 1;
        for (int i = 0; i < 100; i++) {
            Asked popped = one.ask();
            changed(handle(popped, TestBroker.messages(popped).get(0)), 50);
            broker.pass(100);
        }
        assertThat(broker.features.pops.longPolling().times()).isLessThanOrEqualTo(before + 1);
    }

    @Test
    void aWaitingPopOfAGroupAtItsRateLooksAgainOnceForAllThatCame() {
        setRate("1");
        send(0, "first");
        assertThat(TestBroker.bodies(pop())).containsExactly("first");
        Asked waiting = waiting(15_000);
        int before = broker.features.pops.longPolling().times();
        for (int i = 0; i < 50; i++) {
            send(0, "m" + i);
        }
        assertThat(waiting.isOpen()).isTrue();
        assertThat(broker.features.pops.longPolling().times()).isLessThanOrEqualTo(before + 1);
        broker.pass(1_000);
        assertThat(TestBroker.bodies(waiting)).containsExactly("m0");
        broker.pass(1_000);
        assertThat(broker.features.pops.longPolling().times()).isLessThanOrEqualTo(before);
    }

    @Test
    void aPopOfAClientThatIsGoneTakesNothingWhenItsGroupMayGoOn() {
        setRate("1");
        send(0, "first");
        assertThat(TestBroker.bodies(pop())).containsExactly("first");
        FakeConnection dying = broker.connect();
        Popping popping = new Popping();
        popping.poll = 15_000;
        send(0, "second");
        assertThat(popping.ask(dying).isOpen()).isTrue();
        broker.gone(dying);
        broker.pass(3_000);
        assertThat(TestBroker.bodies(pop())).containsExactly("second");
    }

    @Test
    void aBatchOfAcksFreesAQueueOfWhichAGroupHoldsAsMuchAsItMay() {
        send(0, "a");
        MessageDraft draft = MessageDraft.copyOf(
                        broker.store
                                .queues()
                                .readQueue(TOPIC, 0, 0, 1, 4_096, null, null)
                                .slices()
                                .get(0),
                        0)
                .build();
        for (int i = 0; i < 20; i++) {
            broker.store.messages().appendBatch(Collections.nCopies(1_024, draft), outcome -> {});
        }
        broker.settle();
        Asked last = null;
        for (int i = 0; i < 20_000 / 32; i++) {
            last = pop();
            assertThat(TestBroker.messages(last)).hasSize(32);
        }
        Asked waiting = waiting(15_000);
        assertThat(waiting.isOpen()).as("it holds as many as it may").isTrue();
        BitSet all = new BitSet();
        all.set(0, 32);
        long from = TestBroker.messages(last).get(0).queueOffset();
        BatchAckBody body = new BatchAckBody(
                "broker-a",
                List.of(new BatchAckBody.Entry(GROUP, TOPIC, "0", from, 0, 0, last.number("popTime"), INVISIBLE, all)));
        assertThat(broker.ask(
                                client,
                                Command.request(RequestCode.BATCH_ACK_MESSAGE)
                                        .body(body.toJson())
                                        .build())
                        .result())
                .isZero();
        assertThat(waiting.isOpen()).isFalse();
        assertThat(TestBroker.messages(waiting)).hasSize(32);
    }

    @Test
    void theThreadThatConfirmsAnswersAFewGroupsAndLeavesTheRestToOthers() {
        send(0, "a");
        List<Asked> waiting = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            Popping popping = new Popping();
            popping.group = "group-" + i;
            popping.ask();
            popping.poll = 15_000;
            waiting.add(popping.ask());
        }
        assertThat(waiting).allMatch(Asked::isOpen);
        broker.begin(client, TestBroker.sending(TestBroker.sendHeader(TOPIC, 0, new byte[0]), "b"));
        while (broker.store.queues().offsetRange(TOPIC, 0).maxOffset() == 1 && broker.duties.step()) {}
        assertThat(waiting.stream().filter(asked -> !asked.isOpen()).count())
                .as("by the step in which the message became visible")
                .isLessThanOrEqualTo(32);
        broker.settle();
        assertThat(waiting)
                .allSatisfy(asked -> assertThat(TestBroker.bodies(asked)).containsExactly("b"));
    }

    @Test
    void tooManyWaitingPopsAreTurnedAway() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("maxHeldPulls", 16));
        send(0, "a");
        ackAll(pop());
        for (int i = 0; i < 16; i++) {
            assertThat(waiting(15_000).isOpen()).isTrue();
        }
        Asked info = broker.ask(
                client,
                Command.request(RequestCode.POLLING_INFO)
                        .header(new PeekHeader(GROUP, TOPIC, -1, 1, null))
                        .build());
        assertThat(info.number("pollingNum")).isEqualTo(16);
        Asked full = waiting(15_000);
        assertThat(full.result()).isEqualTo(ResponseCode.POLLING_FULL);
        assertThat(full.number("restNum")).isZero();
        assertThat(full.number("popTime")).isPositive();
    }

    // ---- filters

    @Test
    void whatNobodyWantsIsFinished() {
        broker.send(TOPIC, 0, "a", "TAGS", "x");
        broker.send(TOPIC, 0, "b", "TAGS", "y");
        broker.send(TOPIC, 0, "c", "TAGS", "x");
        Popping x = new Popping();
        x.tags = "x";
        Asked popped = x.ask();
        assertThat(TestBroker.bodies(popped)).containsExactly("a", "c");
        assertThat(popped.field("msgOffsetInfo")).isEqualTo("0 0 0,2");
        ackAll(popped);
        broker.pass(2_000);
        assertThat(committed(0)).isEqualTo(3);
    }

    @Test
    void whatAnotherMemberWantsIsLeftToIt() {
        FakeConnection one = member("one", "x");
        FakeConnection two = member("two", "y");
        broker.send(TOPIC, 0, "a", "TAGS", "y");
        broker.send(TOPIC, 0, "b", "TAGS", "x");
        broker.send(TOPIC, 0, "c", "TAGS", "z");
        Popping x = new Popping();
        x.tags = "x";
        Popping y = new Popping();
        y.tags = "y";
        assertThat(TestBroker.bodies(x.ask(one))).containsExactly("b");
        assertEmpty(x.ask(one));
        assertThat(TestBroker.bodies(y.ask(two))).containsExactly("a");
        x.poll = 15_000;
        Asked waiting = x.ask(one);
        broker.send(TOPIC, 0, "d", "TAGS", "y");
        broker.settle();
        assertThat(waiting.isOpen()).isTrue();
        broker.send(TOPIC, 0, "e", "TAGS", "x");
        broker.settle();
        assertThat(TestBroker.bodies(waiting)).containsExactly("e");
        assertThat(TestBroker.bodies(y.ask(two))).containsExactly("d");
    }

    private FakeConnection member(String id, String tags) {
        FakeConnection connection = broker.connect();
        broker.ask(connection, TestBroker.heartbeat(id, GROUP, SubscriptionData.of(TOPIC, tags, 1)));
        return connection;
    }

    // ---- order

    @Test
    void inOrderNothingOvertakes() {
        send(0, "a", "b", "c");
        Popping two = ordered(null);
        two.max = 2;
        Asked popped = two.ask();
        assertThat(TestBroker.bodies(popped)).containsExactly("a", "b");
        assertThat(popped.number("reviveQid")).isEqualTo(PopHandle.ORDERED);
        assertEmpty(two.ask());
        List<Message> messages = TestBroker.messages(popped);
        ack(handle(popped, messages.get(1)));
        assertEmpty(two.ask());
        two.poll = 15_000;
        Asked waiting = two.ask();
        ack(handle(popped, messages.get(0)));
        assertThat(TestBroker.bodies(waiting)).containsExactly("c");
    }

    @Test
    void inOrderAnExpiredMessageComesFirstAndSaysItsCount() {
        send(0, "a", "b");
        Popping one = ordered(null);
        one.max = 1;
        one.ask();
        broker.pass(INVISIBLE);
        one.max = 2;
        Asked again = one.ask();
        assertThat(TestBroker.bodies(again)).containsExactly("a", "b");
        assertThat(again.field("orderCountInfo")).isEqualTo("0 qo0%0 1");
    }

    @Test
    void theSameAttemptGetsTheSameOnceMoreWithoutACount() {
        send(0, "a", "b");
        Popping first = ordered("try-1");
        Asked lost = first.ask();
        broker.pass(1_000);
        Asked again = first.ask();
        assertThat(TestBroker.bodies(again)).isEqualTo(TestBroker.bodies(lost));
        assertThat(again.field("orderCountInfo")).isNull();
        assertThat(ack(handle(lost, TestBroker.messages(lost).get(0)))).isZero();
        assertEmpty(ordered("try-2").ask());
        ackAll(again);
        broker.pass(2_000);
        assertThat(committed(0)).isEqualTo(2);
    }

    @Test
    void aRenewalKeepsAnOrderedQueueHeld() {
        send(0, "a", "b");
        Popping one = ordered(null);
        one.max = 1;
        Asked popped = one.ask();
        PopHandle handle = handle(popped, TestBroker.messages(popped).get(0));
        for (int i = 0; i < 4; i++) {
            broker.pass(INVISIBLE - 1);
            assertEmpty(one.ask());
            handle = changed(handle, INVISIBLE);
        }
        assertThat(ack(handle)).isZero();
        assertThat(TestBroker.bodies(one.ask())).containsExactly("b");
    }

    // ---- dead letters

    @Test
    void afterTheLastTryAMessageIsADeadLetter() {
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(GROUP);
        broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(new SubscriptionGroupConfig(
                                GROUP,
                                true,
                                true,
                                true,
                                false,
                                1,
                                2,
                                usual.groupRetryPolicy(),
                                0,
                                1,
                                true,
                                0,
                                15,
                                usual.attributes())
                        .toJson())
                .build());
        broker.send(TOPIC, 0, "poison", "KEYS", "k1");
        send(0, "good");
        Popping one = new Popping();
        one.max = 1;
        List<Integer> tries = new ArrayList<>();
        one.ask();
        tries.add(0);
        ackAll(pop());
        for (int i = 0; i < 2; i++) {
            broker.pass(INVISIBLE);
            TestBroker.messages(pop()).forEach(message -> tries.add(message.reconsumeTimes()));
        }
        assertThat(tries).containsExactly(0, 1, 2);
        broker.pass(INVISIBLE);
        assertEmpty(pop());
        Message letter =
                TestBroker.messages(broker.pull("%DLQ%" + GROUP, 0, 0, "*")).get(0);
        assertThat(new String(letter.body(), StandardCharsets.UTF_8)).isEqualTo("poison");
        assertThat(letter.reconsumeTimes()).isEqualTo(3);
        assertThat(letter.properties())
                .containsEntry("DLQ_TRIES", "3")
                .containsEntry("DLQ_ORIGIN_TOPIC", TOPIC)
                .containsEntry("KEYS", "k1")
                .containsEntry("DLQ_GROUP", GROUP)
                .containsKey("DLQ_REASON")
                .containsKey("RETRY_SINCE_MS");
        broker.pass(2_000);
        assertThat(committed(0)).isEqualTo(2);
    }

    // ---- a limit per second

    private void setRate(String perSecond) {
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(GROUP);
        broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(new SubscriptionGroupConfig(
                                GROUP,
                                true,
                                true,
                                true,
                                false,
                                1,
                                16,
                                usual.groupRetryPolicy(),
                                0,
                                1,
                                true,
                                0,
                                15,
                                Map.of("waybill.rate", perSecond))
                        .toJson())
                .build());
    }

    @Test
    void aGroupGetsNoMoreThanItsRate() {
        setRate("10");
        for (int i = 0; i < 40; i++) {
            send(0, "m" + i);
        }
        assertThat(TestBroker.bodies(pop())).hasSize(10);
        assertEmpty(pop());
        Asked waiting = waiting(15_000);
        assertThat(waiting.isOpen()).isTrue();
        broker.pass(1_000);
        assertThat(TestBroker.bodies(waiting)).isNotEmpty();
        int got = 10 + TestBroker.bodies(waiting).size();
        for (int second = 0; second < 2; second++) {
            broker.pass(1_000);
            Asked popped = pop();
            got += popped.result() == 0 ? TestBroker.bodies(popped).size() : 0;
        }
        assertThat(got).isBetween(28, 40);
        assertThat(broker.features.pops.longPolling().size()).isZero();
    }

    // ---- offsets from outside

    private void reset(long offset) {
        Asked reset = broker.ask(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                .header(new ResetOffsetHeader(TOPIC, GROUP, 0, true, 0, offset))
                .build());
        assertThat(reset.result()).as(reset.remark()).isZero();
    }

    @Test
    void aResetIsTakenOverAndOldHandlesAreVoid() {
        send(0, "a", "b", "c");
        Asked popped = pop();
        ack(handle(popped, TestBroker.messages(popped).get(0)));
        broker.pass(10);
        reset(0);
        TestBroker.messages(popped)
                .forEach(message -> assertThat(ack(handle(popped, message))).isEqualTo(ResponseCode.NO_MESSAGE));
        assertThat(TestBroker.bodies(pop())).containsExactly("a", "b", "c");
    }

    @Test
    void aResetOfAGroupThatIsOfflineOutlivesACrash() {
        send(0, "a", "b", "c");
        ackAll(pop());
        broker.pass(2_000);
        reset(1);
        broker.crash(5);
        assertThat(TestBroker.bodies(pop())).containsExactly("b", "c");
    }

    @Test
    void aGroupMaySwitchToPullAndBack() {
        send(0, "a", "b", "c", "d");
        Popping two = new Popping();
        two.max = 2;
        ackAll(two.ask());
        two.ask(); // c and d are with somebody
        assertThat(broker.ask(Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                                .header(new UpdateOffsetHeader(GROUP, TOPIC, 0, 3, "broker-a"))
                                .build())
                        .result())
                .isZero();
        assertThat(TestBroker.bodies(pop())).containsExactly("d");
        broker.pass(2_000);
        broker.restart();
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("d");
    }

    // ---- restarts and crashes

    @Test
    void acksSurviveACrashAndHeldMessagesComeAgain() {
        send(0, "a", "b", "c");
        Asked popped = pop();
        ack(handle(popped, TestBroker.messages(popped).get(1)));
        broker.crash(3);
        PopHandle late = handle(popped, TestBroker.messages(popped).get(2));
        assertThat(ack(late)).as("its taking was in the log").isZero();
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("a");
    }

    @Test
    void statesGoWithTheirGroup() {
        send(0, "a");
        ackAll(pop());
        assertThat(broker.store.pops().popKeys()).isNotEmpty();
        broker.ask(Command.request(RequestCode.DELETE_SUBSCRIPTIONGROUP)
                .field("groupName", GROUP)
                .field("cleanOffset", "true")
                .build());
        broker.pass(31_000);
        assertThat(broker.store.pops().popKeys()).isEmpty();
    }

    @Test
    void restingQueuesGiveTheirMemoryBackAndForgetNothing() {
        send(0, "a", "b");
        Popping one = new Popping();
        one.max = 1;
        ackAll(one.ask());
        broker.pass(31_000);
        assertThat(TestBroker.bodies(pop())).containsExactly("b");
    }

    // ---- peek and notification

    @Test
    void aPeekTakesNothing() {
        send(0, "a", "b");
        Command peek = Command.request(RequestCode.PEEK_MESSAGE)
                .header(new PeekHeader(GROUP, TOPIC, 0, 1, "broker-a"))
                .build();
        assertThat(TestBroker.bodies(broker.ask(client, peek))).containsExactly("a");
        assertThat(TestBroker.bodies(broker.ask(client, peek))).containsExactly("a");
        assertThat(TestBroker.bodies(pop())).containsExactly("a", "b");
        Asked nothing = broker.ask(client, peek);
        assertThat(nothing.result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
        assertThat(nothing.number("popTime")).isPositive();
    }

    @Test
    void aNotificationWaitsForAMessageAndTakesNothing() {
        send(0, "a");
        ackAll(pop());
        Asked waiting = broker.ask(client, notification(10_000));
        assertThat(waiting.isOpen()).isTrue();
        send(1, "b");
        broker.settle();
        assertThat(waiting.field("hasMsg")).isEqualTo("true");
        assertThat(broker.ask(client, notification(0)).field("hasMsg")).isEqualTo("true");
        assertThat(TestBroker.bodies(pop())).containsExactly("b");
        Asked none = broker.ask(client, notification(1_000));
        broker.pass(1_000);
        assertThat(none.field("hasMsg")).isEqualTo("false");
    }

    private Command notification(long pollMillis) {
        return Command.request(RequestCode.NOTIFICATION)
                .header(new NotificationHeader(
                        GROUP, TOPIC, -1, pollMillis, broker.clock.wallMillis(), false, null, null, null, "broker-a"))
                .build();
    }

    // ---- modes and shares

    private Assignment assignment(String clientId, String topic, String strategy) {
        Asked asked = broker.ask(
                client,
                Command.request(RequestCode.QUERY_ASSIGNMENT)
                        .body(new AssignmentQuery(topic, GROUP, clientId, strategy, "CLUSTERING").toJson())
                        .build());
        assertThat(asked.result()).as(asked.remark()).isZero();
        return Assignment.parse(asked.reply().body());
    }

    private int setMode(String topic, String mode, int share) {
        return broker.ask(Command.request(RequestCode.SET_MESSAGE_REQUEST_MODE)
                        .body(new RequestMode(topic, GROUP, mode, share).toJson())
                        .build())
                .result();
    }

    @Test
    void theModeDecidesWhatAClientGets() {
        send(0, "a");
        assertThat(assignment("one", TOPIC, "AVG").queues())
                .as("no heartbeat yet")
                .isNull();
        FakeConnection one = member("one", "*");
        member("two", "*");
        Assignment pulled = assignment("one", TOPIC, "AVG");
        assertThat(pulled.mode()).isEqualTo("PULL");
        assertThat(pulled.queues())
                .containsExactly(new MessageQueue(TOPIC, "broker-a", 0), new MessageQueue(TOPIC, "broker-a", 1));
        assertThat(assignment("two", TOPIC, "AVG_BY_CIRCLE").queues())
                .containsExactly(new MessageQueue(TOPIC, "broker-a", 1), new MessageQueue(TOPIC, "broker-a", 3));
        one.take();
        assertThat(setMode(TOPIC, "POP", 0)).isZero();
        assertThat(one.take()).extracting(Command::code).contains(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED);
        Assignment popped = assignment("one", TOPIC, "AVG");
        assertThat(popped.mode()).isEqualTo("POP");
        assertThat(popped.queues()).containsExactly(new MessageQueue(TOPIC, "broker-a", -1));
        assertThat(assignment("one", "%RETRY%" + GROUP, "AVG").mode()).isEqualTo("PULL");
        assertThat(assignment("one", "%RETRY%" + GROUP + "_" + TOPIC, "AVG").queues())
                .isEmpty();
        assertThat(setMode("%RETRY%" + GROUP, "POP", 0)).isEqualTo(ResponseCode.NO_PERMISSION);
        broker.restart();
        Asked all = broker.ask(
                Command.request(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE).build());
        assertThat(RequestModeTable.parse(all.reply().body()).modes())
                .containsExactly(new RequestMode(TOPIC, GROUP, "POP", 0));
    }

    @Test
    void aSharedPopHasTheQueuesOfTheClientsBehindIt() {
        send(0, "a");
        member("a", "*");
        member("b", "*");
        member("c", "*");
        member("d", "*");
        setMode(TOPIC, "POP", 1);
        assertThat(assignment("d", TOPIC, "AVG").queues())
                .extracting(MessageQueue::queueId)
                .containsExactly(3, 0);
        setMode(TOPIC, "POP", 3);
        assertThat(assignment("d", TOPIC, "AVG").queues())
                .extracting(MessageQueue::queueId)
                .containsExactly(-1);
    }

    @Test
    void hostileHandlesAndBodiesAreRefused() {
        send(0, "a");
        for (String handle : List.of("x", "1 2 3", "0 1 2 3 0 b 0 99999999999999999999")) {
            Asked asked = broker.ask(Command.request(RequestCode.ACK_MESSAGE)
                    .header(new AckHeader(GROUP, TOPIC, 0, handle, 0, null))
                    .build());
            assertThat(asked.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        }
        assertThat(ack(new PopHandle(0, 1, 1, 0, "0", "b", 0, 77))).isEqualTo(ResponseCode.NO_MESSAGE);
        assertThat(ack(new PopHandle(0, 1, 1, 0, "0", "b", 9, 0))).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        Asked bad = broker.ask(Command.request(RequestCode.BATCH_ACK_MESSAGE)
                .body(ByteBuffer.wrap("{]".getBytes(StandardCharsets.UTF_8)))
                .build());
        assertThat(bad.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void aChangedInvisibilityEndsToTheMillisecondAlsoAfterARestart() {
        broker.send(TOPIC, 0, "a");
        Asked popped = pop();
        Message message = TestBroker.messages(popped).get(0);
        Asked renewed = change(handle(popped, message), 90_000, false);
        assertThat(renewed.result()).as(renewed.remark()).isZero();
        long ends = broker.clock.wallMillis() + 90_000;
        Asked early = waiting(15_000);
        broker.pass(80_000);
        assertThat(early.result()).isEqualTo(ResponseCode.POLLING_TIMEOUT);
        broker.restart();

        Asked waiting = waiting(15_000);
        broker.pass(ends - broker.clock.wallMillis() - 1);
        assertThat(waiting.isOpen()).isTrue();
        broker.pass(1);
        assertThat(TestBroker.bodies(waiting)).containsExactly("a");
        assertThat(waiting.number("popTime")).isEqualTo(ends);

        // Nobody waits when it ends, and the next one comes before the duty has looked.
        broker.pass(INVISIBLE);
        assertThat(TestBroker.bodies(pop())).containsExactly("a");
    }

    @Test
    void theClocksOfClientsDecideNothing() {
        send(0, "first");
        ackAll(pop());
        for (long ahead :
                new long[] {-16_000, -86_400_000, 16_000, 86_400_000, Long.MIN_VALUE / 2, Long.MAX_VALUE / 2}) {
            Popping popping = new Popping();
            popping.aheadMillis = ahead;
            popping.poll = 15_000;
            Asked held = popping.ask();
            assertThat(held.isOpen())
                    .as("waits with a clock %d ms ahead", ahead)
                    .isTrue();
            broker.pass(14_999);
            assertThat(held.isOpen()).as("no less than it asked for").isTrue();
            broker.pass(1);
            assertEmpty(held);
            send(0, "a");
            Asked popped = popping.ask();
            assertThat(TestBroker.bodies(popped)).containsExactly("a");
            ackAll(popped);
        }
    }

    @Test
    void anInvisibilityLastsAsLongAsItWasAskedForWhateverTheWallClockDoes() {
        for (long jump : new long[] {-3_600_000, 3_600_000, -3_600_000}) {
            send(0, "a" + jump);
            Asked popped = pop();
            assertThat(popped.result()).isZero();
            PopHandle old = handle(popped, TestBroker.messages(popped).get(0));
            broker.pass(INVISIBLE / 2);
            broker.clock.set(broker.clock.wallMillis() + jump);
            broker.pass(INVISIBLE / 2 - 1);
            assertEmpty(pop());
            Asked held = waiting(10_000);
            assertThat(held.isOpen()).isTrue();
            broker.pass(1);
            assertThat(TestBroker.bodies(held)).as("to the millisecond").containsExactly("a" + jump);
            assertThat(held.number("popTime"))
                    .as("no stock client throws it away as too old")
                    .isGreaterThanOrEqualTo(broker.clock.wallMillis());
            assertThat(ack(old)).as("of the taking before").isZero();
            broker.pass(INVISIBLE - 1);
            assertEmpty(pop());
            broker.pass(1);
            Asked again = pop();
            assertThat(TestBroker.bodies(again))
                    .as("the old handle ended nothing")
                    .containsExactly("a" + jump);
            PopHandle longer = changed(handle(again, TestBroker.messages(again).get(0)), 600_000);
            broker.clock.set(broker.clock.wallMillis() - jump / 2);
            broker.pass(599_999);
            assertEmpty(pop());
            assertThat(ack(longer)).isZero();
        }
    }

    @Test
    void anInvisibilityOfARunBeforeLastsNoLongerThanItWasAskedFor() {
        send(0, "a");
        pop();
        broker.clock.set(broker.clock.wallMillis() - 3_600_000);
        for (int i = 0; i < 2; i++) {
            if (i == 0) {
                broker.restart();
            } else {
                broker.kill();
            }
            assertEmpty(pop());
            broker.pass(INVISIBLE);
            Asked popped = pop();
            assertThat(TestBroker.bodies(popped)).containsExactly("a");
        }
    }

    @Test
    void whenAMessageWasTakenFirstIsKeptOnEachLaterDelivery() {
        send(0, "a");
        Asked first = pop();
        String taken = Long.toString(first.number("popTime"));
        assertThat(TestBroker.messages(first).get(0).properties()).doesNotContainKey("1ST_POP_TIME");
        for (int i = 1; i < 4; i++) {
            broker.pass(INVISIBLE);
            Asked again = pop();
            Message message = TestBroker.messages(again).get(0);
            assertThat(message.property("1ST_POP_TIME")).isEqualTo(taken);
            assertThat(message.reconsumeTimes()).isEqualTo(i);
            assertThat(message.queueOffset()).isZero();
            assertThat(message.storeTimestamp())
                    .isEqualTo(TestBroker.messages(first).get(0).storeTimestamp());
            assertThat(message.position())
                    .isEqualTo(TestBroker.messages(first).get(0).position());
            changed(handle(again, message), INVISIBLE);
        }
    }

    @Test
    void aHandleFromTheFutureNamesNothing() {
        send(0, "a");
        Asked popped = pop();
        PopHandle given = handle(popped, TestBroker.messages(popped).get(0));
        for (long time : new long[] {Long.MAX_VALUE, Long.MAX_VALUE / 2, given.popTime() + 2 * 86_400_000L}) {
            PopHandle forged = new PopHandle(
                    given.offset(), time, INVISIBLE, given.reviveQid(), "0", "broker-a", 0, given.offset());
            assertThat(change(forged, 1_000, false).result()).isEqualTo(ResponseCode.NO_MESSAGE);
        }
        broker.restart();
        broker.pass(INVISIBLE);
        assertThat(pop().number("popTime")).isBetween(broker.clock.wallMillis(), broker.clock.wallMillis() + 10);
    }
}
