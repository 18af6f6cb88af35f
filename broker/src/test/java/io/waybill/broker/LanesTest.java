/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What peers may make expensive is done where nobody else waits, and in turns. */
class LanesTest {
    /** Walks a property of every message: legal, and up to two milliseconds of a processor for each. */
    private static final String HEAVY = "a CONTAINS 'x' AND a CONTAINS 'y'";

    private static final String LIGHT = "a = 'none'";

    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private static Command pull(String expression, long offset, boolean waits) {
        int flags = TestBroker.SUBSCRIPTION | (waits ? TestBroker.SUSPEND : 0);
        return Command.request(RequestCode.PULL_MESSAGE)
                .header(new PullHeader(
                        "readers", "orders", 0, offset, 32, flags, 0, 15_000, expression, 0, "SQL92", 0, null))
                .build();
    }

    private boolean waitsIn(String lane) {
        return broker.duties.toString().contains("task of " + lane);
    }

    @Test
    void aHeavyFilterIsNeverAskedByAnEventLoopOrByTheThreadThatConfirms() {
        broker.send("orders", 0, "m", "a", "b".repeat(20_000));
        Asked first = broker.begin(broker.connect(), pull(HEAVY, 0, false));
        assertThat(first.isOpen()).isTrue();
        assertThat(waitsIn("broker-filter")).isTrue();
        broker.settle();
        assertThat(first.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);

        List<Asked> held = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            held.add(broker.begin(broker.connect(), pull(HEAVY, 1, true)));
            broker.settle();
        }
        assertThat(broker.features.pulls.longPolling().size()).isEqualTo(32);
        broker.send("orders", 0, "n", "a", "b");
        broker.send("orders", 0, "wanted", "a", "xy");
        broker.settle();
        held.forEach(pull -> assertThat(TestBroker.bodies(pull)).containsExactly("wanted"));
    }

    @Test
    void aLightFilterIsAskedAtOnceUntilItsTurnIsSpent() {
        for (int i = 0; i < 5; i++) {
            broker.send("orders", 0, "m" + i, "a", "b");
        }
        Asked few = broker.begin(broker.connect(), pull(LIGHT, 0, false));
        assertThat(few.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(few.number("nextBeginOffset")).isEqualTo(5);

        // 30 KB of properties are a thousand units for each message: 32 of them are one turn.
        for (int i = 0; i < 100; i++) {
            broker.send("orders", 0, "large" + i, "a", "b".repeat(30_000));
        }
        broker.send("orders", 0, "wanted", "a", "none");
        Asked many = broker.begin(broker.connect(), pull(LIGHT, 5, false));
        assertThat(many.isOpen()).isTrue();
        assertThat(waitsIn("broker-filter")).isTrue();
        broker.settle();
        assertThat(TestBroker.bodies(many)).containsExactly("wanted");
    }

    @Test
    void questionsOfOperatorsReadsAndReturnsDoNotWaitForEachOther() {
        broker.send("orders", 0, "m");
        List<Asked> questions = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            questions.add(broker.begin(
                    broker.connect(),
                    Command.request(RequestCode.QUERY_MESSAGE)
                            .field("topic", "orders")
                            .field("key", "k")
                            .field("maxNum", 32)
                            .field("beginTimestamp", 0)
                            .field("endTimestamp", Long.MAX_VALUE)
                            .build()));
        }
        assertThat(waitsIn("broker-operator")).isTrue();
        assertThat(waitsIn("broker-cold-read")).isFalse();
        broker.ask(TestBroker.heartbeat("c1", "readers"));
        broker.begin(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .field("offset", 0)
                        .field("group", "readers")
                        .field("delayLevel", 0)
                        .field("originTopic", "orders")
                        .build());
        assertThat(waitsIn("broker-return")).isTrue();
        broker.settle();
    }
}
