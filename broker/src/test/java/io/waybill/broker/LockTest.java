/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
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

    /** The connection of each client that needs no other. */
    private final Map<String, FakeConnection> connections = new HashMap<>();

    private FakeConnection of(String client) {
        return connections.computeIfAbsent(client, c -> broker.connect());
    }

    private Asked ask(int code, String group, String client, MessageQueue... queues) {
        return ask(of(client), code, group, client, queues);
    }

    private Asked ask(FakeConnection connection, int code, String group, String client, MessageQueue... queues) {
        return broker.ask(
                connection,
                Command.request(code)
                        .body(new LockBatchBody(group, client, new TreeSet<>(Set.of(queues)), false).toJson())
                        .build());
    }

    private Set<MessageQueue> lock(String group, String client, MessageQueue... queues) {
        return lock(of(client), group, client, queues);
    }

    private Set<MessageQueue> lock(FakeConnection connection, String group, String client, MessageQueue... queues) {
        return LockBatchReply.parse(ask(connection, RequestCode.LOCK_BATCH_MQ, group, client, queues)
                        .reply()
                        .body())
                .lockOKMQSet();
    }

    private void heartbeat(FakeConnection connection, String client) {
        assertThat(broker.ask(
                                connection,
                                TestBroker.heartbeat(client, "shipping", SubscriptionData.of("orders", "*", 1)))
                        .result())
                .isZero();
    }

    /** As consumers do: without waiting for an answer. */
    private void commit(FakeConnection connection, long offset) {
        broker.ask(connection, committing(offset).oneway().build());
    }

    private static Command.Builder committing(long offset) {
        return Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                .field("consumerGroup", "shipping")
                .field("topic", "orders")
                .field("queueId", 0)
                .field("commitOffset", offset);
    }

    private long committed() {
        return broker.features.offsets.query("shipping", "orders", 0);
    }

    private void fill(int messages) {
        for (int i = 0; i < messages; i++) {
            broker.send("orders", 0, "m" + i);
        }
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

    // ---- two processes with one client id

    @Test
    void theSameClientIdOnAnotherLivingConnectionIsAnotherHolder() {
        FakeConnection one = broker.connect();
        FakeConnection other = broker.connect();
        assertThat(lock(one, "shipping", "c1", ZERO, ONE)).containsExactlyInAnyOrder(ZERO, ONE);
        for (int round = 0; round < 10; round++) {
            assertThat(lock(other, "shipping", "c1", ZERO, ONE)).isEmpty();
            broker.pass(20_000);
            assertThat(lock(one, "shipping", "c1", ZERO, ONE)).containsExactlyInAnyOrder(ZERO, ONE);
        }
        ask(other, RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ZERO);
        assertThat(lock("shipping", "c2", ZERO))
                .as("the other one unlocks nothing")
                .isEmpty();
        assertThat(lock(one, "shipping", "c1", ZERO)).containsExactly(ZERO);
    }

    @Test
    void theOtherProcessGetsTheLockAtOnceWhenItIsGivenBackAndAfterItsTimeWhenTheHolderDied() {
        FakeConnection one = broker.connect();
        FakeConnection other = broker.connect();
        lock(one, "shipping", "c1", ZERO, ONE);
        lock(other, "shipping", "c1", ZERO, ONE);
        broker.pass(20_000);
        lock(one, "shipping", "c1", ZERO, ONE);

        ask(one, RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ONE);
        assertThat(lock(other, "shipping", "c1", ZERO, ONE)).containsExactly(ONE);

        broker.gone(one);
        assertThat(lock(other, "shipping", "c1", ZERO))
                .as("the process that had it may work on, as any client whose connection broke")
                .isEmpty();
        broker.pass(60_001);
        assertThat(lock(other, "shipping", "c1", ZERO)).containsExactly(ZERO);
    }

    @Test
    void aClientThatReconnectsKeepsItsLock() {
        FakeConnection old = broker.connect();
        heartbeat(old, "c1");
        lock(old, "shipping", "c1", ZERO);
        broker.gone(old);
        FakeConnection fresh = broker.connect();
        assertThat(lock(fresh, "shipping", "c1", ZERO)).containsExactly(ZERO);
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        fill(3);
        commit(fresh, 2);
        assertThat(committed()).isEqualTo(2);
    }

    /** The network broke, and the broker does not know that the old connection is dead: a write finds out. */
    @Test
    void aClientThatReconnectsBesideADeadConnectionKeepsItsLock() {
        FakeConnection old = broker.connect();
        heartbeat(old, "c1");
        lock(old, "shipping", "c1", ZERO);
        old.onClose(() -> broker.features.connectionClosed(old));
        old.dieOnSend();
        FakeConnection fresh = broker.connect();
        assertThat(lock(fresh, "shipping", "c1", ZERO)).as("not known yet").isEmpty();
        assertThat(lock(fresh, "shipping", "c1", ZERO))
                .as("the try before found out")
                .containsExactly(ZERO);
    }

    /** As before, and what the broker writes vanishes: the lock moves when a stock client would no longer trust its own either. */
    @Test
    void aClientThatReconnectsBesideASilentConnectionKeepsItsLock() {
        FakeConnection old = broker.connect();
        lock(old, "shipping", "c1", ZERO);
        FakeConnection fresh = broker.connect();
        assertThat(lock(fresh, "shipping", "c1", ZERO)).isEmpty();
        broker.pass(30_001);
        assertThat(lock("shipping", "c2", ZERO)).as("it is locked all the time").isEmpty();
        assertThat(lock(fresh, "shipping", "c1", ZERO)).containsExactly(ZERO);
        assertThat(lock(old, "shipping", "c1", ZERO))
                .as("should it live after all")
                .isEmpty();
    }

    @Test
    void twoProcessesWithOneClientIdAreFoundAndShown() {
        FakeConnection one = broker.connect();
        FakeConnection other = broker.connect();
        heartbeat(one, "c1");
        heartbeat(other, "c1");
        assertThat(broker.members.shared().ids()).as("it may have reconnected").isEmpty();
        broker.pass(30_000);
        heartbeat(one, "c1");
        heartbeat(other, "c1");
        assertThat(broker.members.shared().ids()).containsExactly("c1");
        assertThat(broker.members.shared().addresses("c1")).hasSize(2);
        assertThat(broker.members.shared().count()).isEqualTo(1);
        Asked doctor = broker.ask(Command.request(RequestCode.DOCTOR)
                .body("{\"group\":\"shipping\"}".getBytes(StandardCharsets.UTF_8))
                .build());
        assertThat(new String(doctor.reply().bodyBytes(), StandardCharsets.UTF_8))
                .contains("CLIENT_ID_SHARED")
                .containsPattern("\"client\":\"c1\",\"addresses\":\\[\"[^\"]+\",\"[^\"]+\"\\]");

        broker.gone(other);
        assertThat(broker.members.shared().ids()).isEmpty();
    }

    @Test
    void aClientThatReconnectedIsNotTakenForTwo() {
        FakeConnection old = broker.connect();
        heartbeat(old, "c1");
        for (int i = 0; i < 3; i++) {
            FakeConnection fresh = broker.connect();
            heartbeat(fresh, "c1");
            broker.pass(30_000);
            heartbeat(fresh, "c1");
        }
        assertThat(broker.members.shared().count()).isZero();
    }

    // ---- commits of who lost the queue

    @Test
    void whoLostTheLockDoesNotPutTheGroupBack() {
        fill(150);
        FakeConnection frozen = of("c1");
        FakeConnection second = of("c2");
        heartbeat(frozen, "c1");
        heartbeat(second, "c2");
        lock("shipping", "c1", ZERO);
        commit(frozen, 24);
        broker.pass(60_001); // c1 stands still
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
        commit(second, 150);

        commit(frozen, 24);
        assertThat(committed()).isEqualTo(150);
        broker.ask(
                frozen,
                TestBroker.pulling(new PullHeader(
                        "shipping", "orders", 0, 24, 32, TestBroker.COMMIT, 24, 0, null, 1, "TAG", 0, "broker-a")));
        assertThat(committed()).as("by a pull").isEqualTo(150);
        Asked answered = broker.ask(frozen, committing(24).build());
        assertThat(answered.result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(answered.remark()).contains("queue 0 of topic 'orders' is locked for group 'shipping' by c2 at ");
        commit(frozen, 150);
        commit(second, 149);
        assertThat(committed()).as("the holder may go back").isEqualTo(149);
        commit(second, 150);

        ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", "c2", ZERO);
        commit(frozen, 24);
        assertThat(committed()).as("after the other one is done").isEqualTo(150);
        commit(broker.connect(), 24);
        assertThat(committed()).as("on a new connection").isEqualTo(150);

        assertThat(lock("shipping", "c1", ZERO)).containsExactly(ZERO);
        commit(frozen, 30);
        assertThat(committed()).as("the holder again").isEqualTo(30);
    }

    @Test
    void ofTwoProcessesWithOneClientIdOnlyTheHolderCommits() {
        fill(10);
        FakeConnection one = broker.connect();
        FakeConnection other = broker.connect();
        heartbeat(one, "c1");
        heartbeat(other, "c1");
        lock(one, "shipping", "c1", ZERO);
        lock(other, "shipping", "c1", ZERO);
        commit(other, 3);
        assertThat(committed()).isEqualTo(-1);
        commit(one, 5);
        assertThat(committed()).isEqualTo(5);
        broker.pass(30_001); // the first one stands still
        assertThat(lock(other, "shipping", "c1", ZERO)).containsExactly(ZERO);
        commit(other, 9);
        commit(one, 5);
        assertThat(committed()).isEqualTo(9);
        broker.gone(other);
        commit(one, 5);
        assertThat(committed()).as("also when the other one is gone").isEqualTo(9);
    }

    /** Clients up to 4.9 lock and commit on a connection beside the one of their heartbeats and pulls. */
    @Test
    void aClientThatCommitsBesideTheConnectionOfItsLockIsTheHolder() {
        fill(10);
        FakeConnection plain = broker.connect();
        FakeConnection vip = broker.connect();
        heartbeat(plain, "c1");
        assertThat(lock(vip, "shipping", "c1", ZERO)).containsExactly(ZERO);
        commit(plain, 4);
        assertThat(committed()).isEqualTo(4);
        commit(vip, 5);
        assertThat(committed()).isEqualTo(5);
        FakeConnection second = of("c2");
        heartbeat(second, "c2");
        commit(second, 1);
        assertThat(committed()).isEqualTo(5);
    }

    @Test
    void groupsThatDoNotLockCommitAsEverAndToolsSetAnOffsetOnceTheLockIsOver() {
        fill(10);
        FakeConnection one = of("c1");
        heartbeat(one, "c1");
        commit(one, 8);
        commit(broker.connect(), 2);
        assertThat(committed()).isEqualTo(2);
        lock("shipping", "c1", ZERO);
        commit(one, 7);
        Asked tool = broker.ask(committing(1).build());
        assertThat(tool.result()).as("the holder would overwrite it").isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ZERO);
        assertThat(broker.ask(committing(1).build()).result()).isZero();
        assertThat(committed()).isEqualTo(1);
        broker.pass(5 * 60_000 + 1);
        commit(broker.connect(), 0);
        assertThat(committed()).as("nobody remembers the lock").isZero();
    }

    // ---- over a restart

    @Test
    void aRestartedBrokerKeepsTheQueueForWhoHeldIt() {
        lock("shipping", "c1", ZERO);
        lock("audit", "c2", ZERO);
        restart();
        assertThat(lock("shipping", "c2", ZERO, ONE)).containsExactly(ONE);
        broker.pass(40_000);
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        assertThat(lock("shipping", "c1", ZERO)).as("its holder comes back").containsExactly(ZERO);
        broker.pass(50_000);
        assertThat(lock("shipping", "c2", ZERO)).as("renewed since").isEmpty();
        broker.pass(10_001);
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
        assertThat(lock("shipping", "c1", ZERO)).isEmpty();
    }

    @Test
    void aHolderThatDoesNotComeBackIsWaitedForAsIfItHadRenewedAtTheRestart() {
        lock("shipping", "c1", ZERO);
        broker.pass(50_000);
        restart();
        broker.pass(60_000);
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        broker.pass(1);
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
        restart();
        assertThat(lock("shipping", "c1", ZERO)).isEmpty();
        assertThat(lock("shipping", "c2", ZERO)).containsExactly(ZERO);
    }

    @Test
    void whatWasGivenBackOrHasEndedIsFreeAfterARestart() {
        lock("shipping", "c1", ZERO, ONE);
        ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ZERO);
        restart();
        assertThat(lock("shipping", "c2", ZERO, ONE)).containsExactly(ZERO);
        broker.pass(121_000); // neither renews
        restart();
        assertThat(lock("shipping", "c3", ZERO, ONE)).containsExactlyInAnyOrder(ZERO, ONE);
    }

    @Test
    void afterAPowerCutNobodyElseHasWhatWasGranted() {
        for (int seed = 0; seed < 50; seed++) {
            String first = "first-" + seed;
            String second = "second-" + seed;
            assertThat(lock("shipping", first, ZERO, ONE)).containsExactlyInAnyOrder(ZERO, ONE);
            ask(RequestCode.UNLOCK_BATCH_MQ, "shipping", first, ONE);
            assertThat(lock("shipping", second, ONE)).containsExactly(ONE);
            broker.crash(seed);
            connections.clear();
            assertThat(lock("shipping", "third", ZERO, ONE)).as("seed " + seed).isEmpty();
            assertThat(lock("shipping", first, ZERO, ONE)).containsExactly(ZERO);
            assertThat(lock("shipping", second, ZERO, ONE)).containsExactly(ONE);
            broker.pass(60_001);
        }
    }

    @Test
    void aGrantIsAnsweredWhenItIsRecordedAndARenewalRecordsNothing() {
        LockBatchBody body = new LockBatchBody("shipping", "c1", new TreeSet<>(Set.of(ZERO)), false);
        Command asking =
                Command.request(RequestCode.LOCK_BATCH_MQ).body(body.toJson()).build();
        Asked asked = broker.begin(of("c1"), asking);
        assertThat(asked.reply()).as("not confirmed").isNull();
        assertThat(broker.begin(of("c1"), asking).reply())
                .as("nor for a second try")
                .isNull();
        Asked other = broker.begin(
                of("c2"),
                Command.request(RequestCode.LOCK_BATCH_MQ)
                        .body(new LockBatchBody("shipping", "c2", new TreeSet<>(Set.of(ZERO)), false).toJson())
                        .build());
        assertThat(LockBatchReply.parse(other.reply().body()).lockOKMQSet()).isEmpty();
        broker.settle();
        assertThat(LockBatchReply.parse(asked.reply().body()).lockOKMQSet()).containsExactly(ZERO);

        long end = broker.store.status().positions().appended();
        assertThat(LockBatchReply.parse(broker.begin(of("c1"), asking).reply().body())
                        .lockOKMQSet())
                .as("at once")
                .containsExactly(ZERO);
        broker.settle();
        assertThat(broker.store.status().positions().appended()).isEqualTo(end);
    }

    @Test
    void whatCannotBeRecordedIsNotGranted() {
        lock("shipping", "c1", ZERO);
        broker.files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        assertThat(lock("shipping", "c2", ONE)).isEmpty();
        assertThat(lock("shipping", "c1", ZERO, ONE))
                .as("a renewal needs no record")
                .containsExactly(ZERO);
    }

    /** Which of the two comes back first says nothing about which of them works on a message. */
    @Test
    void ofTwoProcessesWithOneClientIdNoneGetsTheQueueRightAfterARestart() {
        FakeConnection one = broker.connect();
        FakeConnection other = broker.connect();
        lock(one, "shipping", "c1", ZERO);
        lock(other, "shipping", "c1", ZERO);
        broker.pass(20_000);
        lock(one, "shipping", "c1", ZERO); // two are alive
        restart();
        FakeConnection back = broker.connect();
        assertThat(lock(back, "shipping", "c1", ZERO)).isEmpty();
        assertThat(lock("shipping", "c2", ZERO)).isEmpty();
        ask(back, RequestCode.UNLOCK_BATCH_MQ, "shipping", "c1", ZERO);
        broker.pass(60_000);
        assertThat(lock(back, "shipping", "c1", ZERO)).isEmpty();
        broker.pass(1);
        assertThat(lock(back, "shipping", "c1", ZERO)).containsExactly(ZERO);
        restart();
        assertThat(lock("shipping", "c1", ZERO)).as("one process now").containsExactly(ZERO);
    }

    @Test
    void afterARestartOnlyTheRecordedHolderCommits() {
        fill(10);
        heartbeat(of("c2"), "c2");
        lock("shipping", "c2", ZERO);
        commit(of("c2"), 8);
        assertThat(committed()).isEqualTo(8);
        restart();
        heartbeat(of("c1"), "c1");
        commit(of("c1"), 3);
        assertThat(committed()).isEqualTo(8);
        Asked answered = broker.ask(of("c1"), committing(3).build());
        assertThat(answered.remark()).contains("is locked for group 'shipping' by c2: the offset 3 of c1 at ");
        heartbeat(of("c2"), "c2");
        commit(of("c2"), 9);
        assertThat(committed()).isEqualTo(9);
    }

    private void restart() {
        broker.restart();
        connections.clear();
    }
}
