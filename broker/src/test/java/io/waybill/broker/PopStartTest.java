/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.message.Message;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What pops left behind when the process was killed: the start reads none of it, and whoever asks is answered by all of it. */
class PopStartTest {
    private static final String TOPIC = "orders";

    private TestBroker broker = new TestBroker();
    private FakeConnection client = broker.connect();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked pop(String group) {
        return pop(group, 60_000);
    }

    private Asked pop(String group, long invisibleMillis) {
        return broker.ask(
                client,
                Command.request(RequestCode.POP_MESSAGE)
                        .header(new PopHeader(
                                group,
                                TOPIC,
                                0,
                                1,
                                invisibleMillis,
                                0,
                                broker.clock.wallMillis(),
                                PopHeader.FROM_MIN,
                                "TAG",
                                "*",
                                false,
                                null,
                                "broker-a"))
                        .build());
    }

    private void ack(String group, Asked popped) {
        Message message = TestBroker.messages(popped).get(0);
        PopHandle handle = new PopHandle(
                message.queueOffset(),
                popped.number("popTime"),
                popped.number("invisibleTime"),
                0,
                "0",
                "broker-a",
                0,
                message.queueOffset());
        Asked acked = broker.ask(
                client,
                Command.request(RequestCode.ACK_MESSAGE)
                        .header(new AckHeader(group, TOPIC, 0, handle.toString(), message.queueOffset(), "broker-a"))
                        .build());
        assertThat(acked.result()).as(acked.remark()).isZero();
    }

    /** Each group acknowledges the first message of two, and that it did so is in the log; the offset it stands for is not. */
    private void popFirst(int groups) {
        broker.send(TOPIC, 0, "first");
        broker.send(TOPIC, 0, "second");
        for (int i = 0; i < groups; i++) {
            ack("g" + i, pop("g" + i));
        }
    }

    private long committed(String group) {
        return broker.features.offsets.query(group, TOPIC, 0);
    }

    private long readsOfAStart(int groups) {
        broker.close();
        broker = new TestBroker();
        client = broker.connect();
        popFirst(groups);
        return broker.killIdle();
    }

    @Test
    void aStartReadsNoneOfTheStates() {
        assertThat(readsOfAStart(300)).isEqualTo(readsOfAStart(3));
    }

    @Test
    void anOffsetIsTheBaseBeforeAndAfterTheStatesWereGoneThrough() {
        popFirst(600);
        broker.killIdle();
        assertThat(broker.store.offsets().committedOffset("g1", TOPIC, 0))
                .as("in the log")
                .isNotEqualTo(1);
        assertThat(committed("g1")).isEqualTo(1);
        broker.features.start();
        broker.settle();
        broker.pass(2_000);
        for (int i = 0; i < 600; i++) {
            assertThat(broker.store.offsets().committedOffset("g" + i, TOPIC, 0))
                    .as("of group %s, in the log", i)
                    .isEqualTo(1);
        }
    }

    @Test
    void whatIsSetAfterTheStartIsNotOverruled() {
        popFirst(3);
        broker.killIdle();
        broker.features.offsets.reset("g0", TOPIC, 0, 0, outcome -> {});
        broker.features.offsets.forget("g1", outcome -> {});
        broker.features.start();
        broker.settle();
        broker.pass(2_000);
        assertThat(committed("g0")).isZero();
        assertThat(committed("g1")).isEqualTo(-1);
        assertThat(committed("g2")).isEqualTo(1);
        assertThat(TestBroker.bodies(pop("g0"))).containsExactly("first");
        assertThat(TestBroker.bodies(pop("g1"))).containsExactly("first");
        assertThat(TestBroker.bodies(pop("g2"))).containsExactly("second");
    }

    @Test
    void aHandleOfTheRunBeforeIsOlderThanEveryNewOneWhateverTheClockShows() {
        popFirst(1);
        Asked before = pop("g0");
        broker.clock.set(broker.clock.wallMillis() - 3_600_000);
        broker.killIdle();
        broker.features.start();
        broker.pass(60_000);
        Asked after = pop("g0");
        assertThat(TestBroker.bodies(after)).containsExactly("second");
        assertThat(after.number("popTime")).isGreaterThan(before.number("popTime"));
        ack("g0", before);
        broker.pass(60_000);
        assertThat(TestBroker.bodies(pop("g0")))
                .as("the old handle ended nothing")
                .containsExactly("second");
    }

    @Test
    void aHandleOfTheRunBeforeIsOlderAlsoThanOneThatIsGivenBeforeTheStatesWereGoneThrough() {
        popFirst(1);
        broker.send(TOPIC, 0, "third");
        broker.clock.set(broker.clock.wallMillis() - 3_600_000);
        broker.pass(120_000); // names of leases go on, times in the log do not
        Asked before = pop("g0", 1_000);
        assertThat(TestBroker.bodies(before)).containsExactly("second");
        broker.pass(999);
        assertThat(TestBroker.bodies(pop("g0"))).containsExactly("third");
        broker.killIdle();
        Asked after = pop("g0");
        assertThat(TestBroker.bodies(after)).containsExactly("second");
        assertThat(after.number("popTime")).isGreaterThan(before.number("popTime"));
        ack("g0", before);
        broker.features.start();
        broker.pass(60_000);
        assertThat(List.of(
                        TestBroker.bodies(pop("g0")).get(0),
                        TestBroker.bodies(pop("g0")).get(0)))
                .as("the old handle ended nothing")
                .containsExactlyInAnyOrder("second", "third");
    }
}
