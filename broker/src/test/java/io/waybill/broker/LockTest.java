/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LockTest {
    private static final MessageQueue ZERO = new MessageQueue("orders", "broker-a", 0);
    private static final MessageQueue ONE = new MessageQueue("orders", "broker-a", 1);

    private final TestBroker broker = new TestBroker();

    @BeforeEach
    void aTopicWithTwoQueues() {
        broker.send("orders", 1, "any");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked ask(int code, String group, String client, MessageQueue... queues) {
        return broker.ask(Command.request(code)
                .body(new LockBatchBody(group, client, new TreeSet<>(Set.of(queues)), false).toJson())
                .build());
    }

    private Set<MessageQueue> lock(String group, String client, MessageQueue... queues) {
        return LockBatchReply.parse(ask(RequestCode.LOCK_BATCH_MQ, group, client, queues)
                        .reply()
                        .body())
                .lockOKMQSet();
    }

    @Test
    void aQueueHasOneHolderPerGroup() {
        assertThat(lock("shipping", "c1", ZERO)).containsExactly(ZERO);
        assertThat(lock("shipping", "c1", ZERO)).containsExactly(ZERO);
        assertThat(lock("shipping", "c2", ZERO, ONE)).containsExactly(ONE);
        assertThat(lock("audit", "c2", ZERO)).containsExactly(ZERO);
    }

    @Test
    void aLockEndsSixtySecondsAfterItsLastRenewal() {
        lock("shipping", "c1", ZERO);
        broker.pass(50_000);
        lock("shipping", "c1", ZERO);
        broker.pass(60_000);
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        broker.pass(1);
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
    }

    @Test
    void aSetWallClockEndsNoLock() {
        lock("shipping", "c1", ZERO);
        broker.clock.set(broker.clock.wallMillis() + 86_400_000L);
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
    }

    @Test
    void onlyTheHolderUnlocks() {
        lock("shipping", "c1", ZERO);
        assertThat(ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", "c2", ZERO).result())
                .isZero();
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ZERO);
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
    }

    @Test
    void queuesOfOtherBrokersAreNotLockedHere() {
        assertThat(lock("shipping", "c1", new MessageQueue("orders", "broker-b", 0)))
                .isEmpty();
    }

    @Test
    void namesAreChecked() {
        assertThat(ask(RequestCode.LOCK_BATCH_MQ, "ship ping", "c1", ZERO).result())
                .isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(ask(RequestCode.LOCK_BATCH_MQ, "shipping", "", ZERO).result())
                .isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void whatThereIsNotCannotBeLocked() {
        assertThat(lock(
                        "shipping",
                        "c1",
                        new MessageQueue("orders", "broker-a", 9),
                        new MessageQueue("orders", "broker-a", -1),
                        new MessageQueue("nothing", "broker-a", 0)))
                .isEmpty();
        assertThat(ask(RequestCode.LOCK_BATCH_MQ, "shipping", "c".repeat(300), ZERO)
                        .remark())
                .isEqualTo("clientId: must have at most 255 characters, had 300");
    }
}
