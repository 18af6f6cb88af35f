/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The attribute waybill.rate, on simulated time. */
class RateLimitTest {
    private static final int MESSAGES = 300;
    private final TestBroker broker = new TestBroker();
    private FakeConnection member;

    @BeforeEach
    void fill() {
        member = broker.connect();
        broker.ask(member, TestBroker.heartbeat("c1", "slow", SubscriptionData.of("orders", "*", 1)));
        broker.ask(member, TestBroker.heartbeat("c1", "free", SubscriptionData.of("orders", "*", 1)));
        for (int i = 0; i < MESSAGES; i++) {
            broker.send("orders", i % 2, "m" + i, "TAGS", i % 4 < 2 ? "even" : "odd");
        }
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked rate(String value) {
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of("slow");
        return broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(usual.withAttributes(Map.of("waybill.rate", value)).toJson())
                .build());
    }

    private Asked pull(String group, int queueId, long offset, int flags) {
        return broker.ask(member, TestBroker.pulling(group, "orders", queueId, offset, flags, null));
    }

    @Test
    void aGroupGetsItsRateAndNoMoreHoweverOftenItAsks() {
        assertThat(rate("10").result()).isZero();
        long startNanos = broker.clock.nanoTime();
        long[] next = new long[2];
        int got = 0;
        int pulls = 0;
        while (got < 200) {
            for (int queueId = 0; queueId < 2; queueId++) {
                Asked asked = pull("slow", queueId, next[queueId], TestBroker.SUSPEND);
                pulls++;
                while (asked.isOpen()) {
                    broker.pass(10);
                }
                if (asked.result() == 0) {
                    got += TestBroker.messages(asked).size();
                }
                next[queueId] = asked.number("nextBeginOffset");
                double seconds = (broker.clock.nanoTime() - startNanos) / 1e9;
                assertThat((double) got).isLessThanOrEqualTo(10 * (seconds + 1) + 1e-6);
            }
        }
        double seconds = (broker.clock.nanoTime() - startNanos) / 1e9;
        assertThat(seconds).as("and it gets its rate").isBetween(18.9, 21.0);
        assertThat(pulls).as("held, not answered with nothing").isLessThan(230);
    }

    @Test
    void anotherGroupIsNotSlowedDown() {
        rate("1");
        pull("slow", 0, 0, TestBroker.SUSPEND);
        pull("slow", 0, 1, TestBroker.SUSPEND);
        assertThat(TestBroker.messages(pull("free", 0, 0, 0))).hasSize(32);
    }

    @Test
    void aPullThatDoesNotWantToWaitIsHeldAllTheSame() {
        rate("2");
        assertThat(TestBroker.messages(pull("slow", 0, 0, 0))).hasSize(2);
        Asked held = pull("slow", 0, 2, 0);
        assertThat(held.isOpen()).isTrue();
        broker.pass(600);
        assertThat(TestBroker.messages(held)).hasSize(1);
    }

    @Test
    void whatIsFilteredOutOrNotThereCostsNothing() {
        rate("5");
        for (int i = 0; i < 50; i++) {
            assertThat(pull("slow", 0, MESSAGES / 2, 0).result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
        }
        assertThat(TestBroker.messages(pull("slow", 0, 0, 0))).hasSize(5);
    }

    @Test
    void aChangeHoldsAtOnceAndNonsenseIsRefused() {
        rate("1");
        assertThat(TestBroker.messages(pull("slow", 0, 0, 0))).hasSize(1);
        rate("0");
        assertThat(TestBroker.messages(pull("slow", 0, 1, 0))).hasSize(32);
        for (String bad : new String[] {"-1", "fast", "1.5", "", "999999999999"}) {
            Asked refused = rate(bad);
            assertThat(refused.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
            assertThat(refused.remark()).contains("waybill.rate").contains("whole number");
        }
    }

    @Test
    void whoIsGoneUsesNothingUp() {
        rate("2");
        assertThat(TestBroker.messages(pull("slow", 0, 0, 0))).hasSize(2);
        FakeConnection dying = broker.connect();
        int flags = TestBroker.SUSPEND | TestBroker.SUBSCRIPTION;
        Asked held = broker.ask(dying, TestBroker.pulling("slow", "orders", 0, 2, flags, "*"));
        assertThat(held.isOpen()).isTrue();
        broker.gone(dying);
        broker.pass(1_000);
        assertThat(TestBroker.messages(pull("slow", 0, 2, 0))).hasSize(2);
    }

    @Test
    void whenTheTimeOfAHeldPullIsOverItIsAnsweredWithoutProgress() {
        rate("1");
        pull("slow", 0, 0, 0);
        Asked a = pull("slow", 0, 1, TestBroker.SUSPEND);
        Asked b = pull("slow", 1, 0, TestBroker.SUSPEND);
        broker.pass(16_000);
        assertThat(a.isOpen()).isFalse();
        assertThat(b.isOpen()).isFalse();
        assertThat(broker.features.pulls.longPolling().size()).isZero();
    }

    @Test
    void aClosedConnectionLeavesNothingBehind() {
        rate("1");
        pull("slow", 0, 0, 0);
        pull("slow", 0, 1, TestBroker.SUSPEND);
        assertThat(broker.features.pulls.longPolling().size()).isEqualTo(1);
        broker.gone(member);
        assertThat(broker.features.pulls.longPolling().size()).isZero();
        broker.pass(5_000);
    }
}
