/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A group whose members broadcast is reset as a whole: each member keeps its own offsets, so each is told. */
class BroadcastTest {
    private final TestBroker broker = new TestBroker();

    @BeforeEach
    void messages() {
        for (int i = 0; i < 3; i++) {
            broker.send("prices", 0, "p" + i);
            broker.send("prices", 1, "q" + i);
        }
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private FakeConnection member(String clientId, String topic) {
        FakeConnection connection = broker.connect();
        beat(connection, clientId, topic);
        return connection;
    }

    private void beat(FakeConnection connection, String clientId, String topic) {
        ConsumerData consumer = new ConsumerData(
                "tickers",
                ConsumerData.CONSUME_PASSIVELY,
                "BROADCASTING",
                ConsumerData.FROM_LAST_OFFSET,
                List.of(SubscriptionData.of(topic, "*", 1)),
                false);
        assertThat(broker.ask(
                                connection,
                                TestBroker.heartbeat(new HeartbeatData(clientId, List.of(consumer), List.of())))
                        .result())
                .isZero();
    }

    private Asked pull(FakeConnection member, int queueId, long offset, int flag) {
        return broker.ask(member, TestBroker.pulling("tickers", "prices", queueId, offset, flag, null));
    }

    private Asked reset(int queueId) {
        return broker.ask(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                .field("topic", "prices")
                .field("group", "tickers")
                .field("queueId", queueId)
                .field("timestamp", 0)
                .field("isForce", true)
                .build());
    }

    @Test
    void everyMemberIsToldForEachQueueOnce() {
        FakeConnection one = member("c1", "prices");
        FakeConnection two = member("c2", "prices");
        FakeConnection three = member("c3", "prices");
        Asked held = pull(one, 0, 3, TestBroker.SUSPEND);
        assertThat(held.isOpen()).isTrue();

        Asked reset = reset(-1);
        assertThat(reset.result()).isZero();
        assertThat(OffsetTable.parse(reset.reply().body()).offsetTable().values())
                .contains(0L);
        assertThat(held.result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
        assertThat(held.number("nextBeginOffset")).isZero();
        for (FakeConnection member : List.of(two, three)) {
            Asked told = pull(member, 0, 3, 0);
            assertThat(told.result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
            assertThat(told.number("nextBeginOffset")).isZero();
        }
        for (FakeConnection member : List.of(one, two, three)) {
            assertThat(pull(member, 1, 3, 0).result()).as("the other queue").isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
            assertThat(TestBroker.bodies(pull(member, 0, 0, 0))).containsExactly("p0", "p1", "p2");
            assertThat(pull(member, 0, 3, 0).result()).as("told once").isEqualTo(ResponseCode.PULL_NOT_FOUND);
        }
        assertThat(broker.store.offsets().committedOffset("tickers", "prices", 0))
                .as("nothing is recorded")
                .isEqualTo(-1);
    }

    @Test
    void aMemberThatReconnectsIsToldAndOneThatComesMuchLaterIsNot() {
        FakeConnection one = member("c1", "prices");
        member("c2", "prices");
        reset(0);
        broker.gone(one);
        FakeConnection back = member("c1", "prices");
        assertThat(pull(back, 0, 3, 0).result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
        broker.pass(601_000);
        FakeConnection late = member("c2", "prices");
        assertThat(pull(late, 0, 3, 0).result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
    }

    @Test
    void theOffsetsOfAnotherGroupCannotBeThoseOfItsMembers() {
        member("c1", "prices");
        broker.ask(TestBroker.heartbeat("c9", "shipping", SubscriptionData.of("prices", "*", 1)));
        broker.features.offsets.commit("shipping", "prices", 0, 1);
        Asked cloned = broker.ask(Command.request(RequestCode.CLONE_GROUP_OFFSET)
                .field("srcGroup", "shipping")
                .field("destGroup", "tickers")
                .field("topic", "prices")
                .field("offline", false)
                .build());
        assertThat(cloned.result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(cloned.remark()).contains("tickers").contains("broadcast");
    }
}
