/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CheckTransactionHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.ResumeCheckHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.SysFlag;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.Decision;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Half messages from the send to every end they can take. Checks: first after 6 s, then after 30, 60, 120, 240 and every 300 s, 15 of them. */
class TransactionTest {
    private static final String GROUP = "orders-service";
    /** From the first check to the last. */
    private static final long LAST_CHECK_MILLIS = 1_000 * (30 + 60 + 120 + 240 + 10 * 300);

    private static final int COMMIT = 8;
    private static final int ROLLBACK = 12;
    private static final int UNKNOWN = 0;

    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 4);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private long half(String key, String... more) {
        return broker.half(GROUP, "orders", 1, SimulatedBroker.properties(key, more));
    }

    private Command end(FakeConnection from, long handle, String group, String key, int decision, boolean checked) {
        EndTransactionHeader header =
                new EndTransactionHeader("orders", group, 0, handle, decision, checked, key, key, "broker-a");
        return broker.request(
                from,
                Command.request(RequestCode.END_TRANSACTION).header(header).build());
    }

    private Command end(long handle, String key, int decision) {
        return end(broker.connect(), handle, GROUP, key, decision, false);
    }

    /** The checks a producer was sent, by transaction id. */
    private static List<CheckTransactionHeader> checks(FakeConnection producer) {
        List<CheckTransactionHeader> checks = new ArrayList<>();
        for (Command command : producer.take()) {
            if (command.code() == RequestCode.CHECK_TRANSACTION_STATE) {
                assertThat(command.isOneway()).isTrue();
                checks.add(CheckTransactionHeader.read(command.fields()));
            }
        }
        return checks;
    }

    private JsonObject ask(int code, String json) {
        Command reply = broker.request(
                broker.connect(), Command.request(code).body(json.getBytes()).build());
        assertThat(reply.code()).as(reply.remark()).isZero();
        return Json.parse(reply.body());
    }

    @Test
    void aHalfIsInvisibleUntilItsCommitAndThenLooksAsOnTheWire() {
        long handle = half("u1", "TAGS", "CREATED", "KEYS", "order-1");
        assertThat(broker.visible("orders", 1)).isEmpty();

        assertThat(end(handle, "u1", COMMIT).code()).isZero();

        Message message = broker.visible("orders", 1).get(0);
        assertThat(message.topic()).isEqualTo("orders");
        assertThat(message.queueId()).isEqualTo(1);
        assertThat(message.queueOffset()).isZero();
        assertThat(message.flag()).isEqualTo(42);
        assertThat(SysFlag.transactionState(message.sysFlag())).isEqualTo(SysFlag.TRANSACTION_COMMIT);
        assertThat(message.preparedTransactionOffset()).isEqualTo(handle);
        assertThat(new String(message.body())).isEqualTo("half of u1");
        assertThat(message.properties())
                .containsEntry("__transactionId__", "u1")
                .containsEntry("PGROUP", GROUP)
                .containsEntry("TAGS", "CREATED")
                .containsEntry("WAIT", "true")
                .containsEntry("TRAN_MSG", "true") // by this a consumer of RocketMQ knows the transaction's id
                .doesNotContainKeys("REAL_TOPIC", "REAL_QID", "TRANSACTION_CHECK_TIMES");
        assertThat(broker.store.transactions().decisionOf(handle).by())
                .contains(GROUP)
                .contains("127.0.0.1");
    }

    @Test
    void aRollbackLeavesNothingToSee() {
        long handle = half("u1");
        assertThat(end(handle, "u1", ROLLBACK).code()).isZero();
        assertThat(broker.store.transactions().decisionOf(handle).outcome()).isEqualTo(Decision.ROLLBACK);
        FakeConnection producer = broker.producer(GROUP);
        broker.pass(120_000);
        assertThat(checks(producer)).isEmpty();
        assertThat(broker.visible("orders", 1)).isEmpty();
    }

    @Test
    void theFirstDecisionWinsAndALaterOneHearsTheTruth() {
        long handle = half("u1");
        end(handle, "u1", COMMIT);
        assertThat(end(handle, "u1", COMMIT).code()).isZero();
        Command late = end(handle, "u1", ROLLBACK);
        assertThat(late.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(late.remark()).contains("committed").contains(GROUP);
        assertThat(broker.visible("orders", 1)).hasSize(1);
    }

    @Test
    void unknownLeavesItOpen() {
        long handle = half("u1");
        assertThat(end(handle, "u1", UNKNOWN).code()).isZero();
        assertThat(broker.store.transactions().openHalf(handle)).isNotNull();
        assertThat(end(handle, "u1", 5).code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void aForeignGroupAnotherIdAndAPositionThatIsNoneAreRefused() {
        long handle = half("u1");
        assertThat(end(broker.connect(), handle, "others", "u1", COMMIT, false).code())
                .isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(end(handle, "of-another-life", COMMIT).code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(end(handle + 1, "u1", COMMIT).code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(broker.store.transactions().openHalf(handle)).isNotNull();
        assertThat(broker.visible("orders", 1)).isEmpty();
    }

    @Test
    void aSilentProducerIsAskedOnTimeAndItsAnswerCounts() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1");
        broker.pass(5_999);
        assertThat(producer.take()).isEmpty();
        broker.pass(1);
        Command check = producer.take().get(0);
        CheckTransactionHeader header = CheckTransactionHeader.read(check.fields());
        assertThat(header.topic()).isEqualTo(Names.HALF_TOPIC);
        assertThat(header.commitLogOffset()).isEqualTo(handle);
        assertThat(header.msgId()).isEqualTo("u1");
        assertThat(header.transactionId()).isEqualTo("u1");
        assertThat(header.offsetMsgId()).isEqualTo(MessageIds.offsetId(SimulatedBroker.HOST, handle));
        Message shown = Message.decode(check.body(), check.body().position());
        assertThat(shown.topic()).isEqualTo("orders");
        assertThat(shown.queueId()).isEqualTo(1);
        assertThat(shown.position()).isEqualTo(handle);
        assertThat(shown.sysFlag()).isZero();
        assertThat(shown.properties()).containsEntry("PGROUP", GROUP).containsEntry("TRANSACTION_CHECK_TIMES", "1");

        end(producer, handle, GROUP, "u1", UNKNOWN, true);
        broker.pass(29_999);
        assertThat(producer.take()).isEmpty();
        broker.pass(1);
        assertThat(checks(producer)).hasSize(1);
        end(producer, handle, GROUP, "u1", COMMIT, true);
        broker.pass(100_000);
        assertThat(checks(producer)).isEmpty();
        assertThat(broker.visible("orders", 1).get(0).properties()).containsEntry("TRANSACTION_CHECK_TIMES", "2");
        assertThat(broker.store.transactions().decisionOf(handle).fromCheck()).isTrue();
    }

    @Test
    void theMessageItselfMayAskForALaterFirstCheck() {
        FakeConnection producer = broker.producer(GROUP);
        half("late", "CHECK_IMMUNITY_TIME_IN_SECONDS", "60");
        half("usual", "CHECK_IMMUNITY_TIME_IN_SECONDS", "-1");
        half("senseless", "CHECK_IMMUNITY_TIME_IN_SECONDS", "soon");
        broker.pass(6_000);
        assertThat(checks(producer)).extracting(CheckTransactionHeader::msgId).containsExactly("usual", "senseless");
        broker.pass(53_999);
        assertThat(checks(producer)).extracting(CheckTransactionHeader::msgId).containsExactly("usual", "senseless");
        broker.pass(1);
        assertThat(checks(producer)).extracting(CheckTransactionHeader::msgId).containsExactly("late");
    }

    @Test
    void afterAllChecksTheMessageIsSetAsideAndNeverDelivered() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1", "TAGS", "CREATED");
        broker.pass(6_000 + LAST_CHECK_MILLIS);
        assertThat(checks(producer)).hasSize(15);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(15);
        broker.pass(299_999);
        assertThat(broker.store.transactions().openHalf(handle)).isNotNull();
        broker.pass(1);
        assertThat(checks(producer)).isEmpty();
        assertThat(broker.store.transactions().openHalf(handle)).isNull();
        assertThat(broker.store.transactions().decisionOf(handle).outcome()).isEqualTo(Decision.EXHAUSTED);
        assertThat(broker.visible("orders", 1)).isEmpty();
        Message aside = broker.visible(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0).get(0);
        assertThat(aside.properties())
                .containsEntry("REAL_TOPIC", "orders")
                .containsEntry("REAL_QID", "1")
                .containsEntry("TRANSACTION_CHECK_TIMES", "15")
                .containsEntry("TAGS", "CREATED");
        Command late = end(handle, "u1", COMMIT);
        assertThat(late.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(late.remark()).contains("given up");
        assertThat(broker.visible("orders", 1)).isEmpty();
    }

    @Test
    void anExhaustedTransactionCanBeResumed() {
        FakeConnection producer = broker.producer(GROUP);
        half("u1", "TAGS", "CREATED");
        broker.pass(6_000 + LAST_CHECK_MILLIS + 300_000);
        checks(producer);
        String id = broker.visible(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0).get(0).offsetId();
        Command resume = Command.request(RequestCode.RESUME_CHECK_HALF_MESSAGE)
                .header(new ResumeCheckHeader("orders", id))
                .build();
        assertThat(broker.request(producer, resume).code()).isZero();
        List<CheckTransactionHeader> checks = checks(producer);
        assertThat(checks).hasSize(1);
        assertThat(broker.request(producer, resume).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        end(producer, checks.get(0).commitLogOffset(), GROUP, "u1", COMMIT, true);
        Message message = broker.visible("orders", 1).get(0);
        assertThat(message.uniqueKey()).isEqualTo("u1");
        assertThat(message.properties()).doesNotContainKeys("REAL_TOPIC", "REAL_QID");
    }

    @Test
    void withoutAProducerNoCheckIsCountedAndTheNextOneIsAskedSoon() {
        FakeConnection first = broker.producer(GROUP);
        long handle = half("u1");
        broker.gone(first);
        broker.pass(24 * 3_600_000L);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isZero();

        FakeConnection second = broker.producer(GROUP);
        assertThat(checks(second)).hasSize(1);
        end(second, handle, GROUP, "u1", COMMIT, true);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
    }

    @Test
    void waitingForAProducerCostsEverLess() {
        half("u1");
        broker.pass(3_600_000);
        long before = broker.store.status().statistics().records();
        broker.pass(24 * 3_600_000L);
        assertThat(broker.store.status().statistics().records() - before).isLessThan(200);
    }

    @Test
    void aConnectionThatDiesUnderTheCheckDoesNotCount() {
        FakeConnection first = broker.producer(GROUP);
        long handle = half("u1");
        first.dieOnSend();
        broker.pass(6_000);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isZero();
        FakeConnection second = broker.producer(GROUP);
        assertThat(checks(second)).hasSize(1);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(1);
    }

    /** Two instances of a service: the one that runs the transaction is asked, not the one that knows nothing of it. */
    @Test
    void theFirstChecksGoToTheSenderAndOnlyAfterItsDeathToTheOther() {
        FakeConnection sender = broker.producer(GROUP);
        FakeConnection other = broker.producer(GROUP);
        for (int i = 0; i < 1_000; i++) {
            broker.half(sender, GROUP, "orders", i % 4, SimulatedBroker.properties("u" + i));
        }
        broker.pass(6_000);
        assertThat(checks(sender)).hasSize(1_000);
        assertThat(checks(other)).isEmpty();
        broker.gone(sender);
        broker.pass(30_000 + 29_999);
        assertThat(checks(other)).as("it may come back").isEmpty();
        broker.pass(1);
        assertThat(checks(other)).hasSize(1_000);
        assertThat(history("u7"))
                .extracting(check -> check.getString("why"))
                .containsExactly(
                        "the sender of the half message", "another one: the sender, client-1, is not connected");
        JsonObject shown = ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u7\"}");
        assertThat(shown.getObject("transaction").getString("sender")).isEqualTo("client-1");
    }

    @Test
    void aSenderThatReconnectedIsAskedOnItsNewConnection() {
        FakeConnection sender = broker.connect();
        broker.heartbeat(sender, "shop@1", GROUP);
        broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.gone(sender);
        FakeConnection other = broker.producer(GROUP);
        broker.pass(10_000);
        FakeConnection again = broker.connect();
        broker.heartbeat(again, "shop@1", GROUP);
        assertThat(checks(again)).hasSize(1);
        assertThat(checks(other)).isEmpty();
        broker.restart();
        FakeConnection earlier = broker.producer(GROUP);
        broker.pass(25_000);
        FakeConnection third = broker.connect();
        broker.heartbeat(third, "shop@1", GROUP);
        broker.pass(30_000);
        assertThat(checks(third)).hasSize(1);
        assertThat(checks(earlier)).isEmpty();
    }

    /** They are taken up in steps after the start: more than one of them takes. */
    @Test
    void manyThatWaitedForAProducerBeforeARestartAreAskedAboutWhenOneComes() {
        for (int i = 0; i < 1_200; i++) {
            broker.half(GROUP, "orders", 0, SimulatedBroker.properties("u" + i));
        }
        broker.pass(10_000);
        broker.restart();
        FakeConnection producer = broker.producer(GROUP);
        broker.settle();
        assertThat(checks(producer)).hasSize(1_200);
    }

    /** A stock client sends before its first heartbeat, and that comes up to 30 s later. */
    @Test
    void aHalfFromBeforeTheFirstHeartbeatIsOfTheClientThatThenNamesItself() {
        FakeConnection other = broker.producer(GROUP);
        FakeConnection sender = broker.connect();
        long handle = broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u2"));
        broker.pass(30_000);
        assertThat(checks(other)).isEmpty();
        broker.heartbeat(sender, "shop@1", GROUP);
        assertThat(checks(sender)).hasSize(2);
        assertThat(broker.store.transactions().openHalf(handle).sender()).isEqualTo("shop@1");
        broker.restart();
        FakeConnection first = broker.producer(GROUP);
        FakeConnection again = broker.connect();
        broker.heartbeat(again, "shop@1", GROUP);
        broker.pass(60_000);
        assertThat(checks(again)).hasSize(2);
        assertThat(checks(first)).isEmpty();
    }

    @Test
    void whoeverNeverNamesItselfIsNotWaitedForWithoutEnd() {
        FakeConnection other = broker.producer(GROUP);
        FakeConnection mute = broker.connect();
        broker.half(mute, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.pass(6_000 + 30_000);
        assertThat(checks(other)).hasSize(1);
        assertThat(history("u1").get(0).getString("why")).contains("not known");
    }

    /** First it is waited for the sender, then for anybody of the group: the sender is both. */
    @Test
    void whoWasWaitedForTwiceIsAskedOnce() {
        FakeConnection sender = broker.connect();
        broker.heartbeat(sender, "shop@1", GROUP);
        long handle = broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.gone(sender);
        broker.pass(6_000 + 30_000 + 5_000);
        FakeConnection again = broker.connect();
        broker.heartbeat(again, "shop@1", GROUP);
        assertThat(checks(again)).hasSize(1);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(1);
    }

    @Test
    void whoeverSaidThatItLeavesIsNotWaitedFor() {
        FakeConnection sender = broker.producer(GROUP);
        FakeConnection other = broker.producer(GROUP);
        broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.request(
                sender,
                Command.request(RequestCode.UNREGISTER_CLIENT)
                        .field("clientID", "client-1")
                        .field("producerGroup", GROUP)
                        .build());
        broker.gone(sender);
        broker.pass(6_000);
        assertThat(checks(other)).hasSize(1);
    }

    /** Two processes with one client id are met in containers: the one that stops does not speak for the one whose connection broke. */
    @Test
    void nobodyElseSaysThatASenderLeft() {
        FakeConnection sender = broker.producer(GROUP);
        FakeConnection other = broker.producer(GROUP);
        broker.half(sender, GROUP, "orders", 0, SimulatedBroker.properties("u1"));
        broker.gone(sender);
        broker.request(
                other,
                Command.request(RequestCode.UNREGISTER_CLIENT)
                        .field("clientID", "client-1")
                        .field("producerGroup", GROUP)
                        .build());
        broker.pass(6_000);
        assertThat(checks(other)).isEmpty();
        broker.pass(30_000);
        assertThat(checks(other)).hasSize(1);
    }

    @Test
    void theTimeBetweenChecksGrows() {
        FakeConnection producer = broker.producer(GROUP);
        half("u1");
        broker.pass(6_000);
        assertThat(checks(producer)).hasSize(1);
        for (int seconds : new int[] {30, 60, 120, 240, 300, 300}) {
            broker.pass(seconds * 1_000 - 1);
            assertThat(checks(producer)).isEmpty();
            broker.pass(1);
            assertThat(checks(producer)).as("after %d s", seconds).hasSize(1);
        }
    }

    @Test
    void checksOfAnUnknownSenderGoRoundTheProducersOfTheGroupAndNobodyElse() {
        FakeConnection a = broker.producer(GROUP);
        FakeConnection b = broker.producer(GROUP);
        FakeConnection stranger = broker.producer("billing");
        IntStream.range(0, 10).forEach(i -> half("u" + i));
        broker.pass(6_000);
        assertThat(checks(a)).hasSize(5);
        assertThat(checks(b)).hasSize(5);
        assertThat(stranger.take()).isEmpty();
    }

    @Test
    void afterARestartAnotherInstanceIsAskedAndDecides() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1");
        broker.pass(6_000);
        assertThat(checks(producer)).hasSize(1);
        broker.restart();
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(1);
        FakeConnection other = broker.producer(GROUP);
        broker.pass(30_000);
        assertThat(checks(other)).hasSize(1);
        end(other, handle, GROUP, "u1", COMMIT, true);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
        broker.restart();
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
        assertThat(end(handle, "u1", ROLLBACK).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
    }

    @Test
    void aHalfThatWaitsLongIsAskedSoonAfterARestartToo() {
        long handle = half("u1");
        broker.pass(48 * 3_600_000L);
        broker.restart();
        FakeConnection producer = broker.producer(GROUP);
        broker.pass(30_000);
        assertThat(checks(producer)).isNotEmpty();
        assertThat(broker.store.transactions().openHalf(handle).checks()).isPositive();
    }

    @Test
    void aPowerCutKeepsWhatWasDecidedAndWhatIsOpen() {
        long committed = half("committed");
        long rolledBack = half("rolled-back");
        long open = half("open");
        end(committed, "committed", COMMIT);
        end(rolledBack, "rolled-back", ROLLBACK);
        broker.crash(3);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("committed");
        assertThat(broker.store.transactions().openHalves(10))
                .extracting(half -> half.handle())
                .containsExactly(open);
        FakeConnection producer = broker.producer(GROUP);
        broker.pass(6_000);
        assertThat(checks(producer)).extracting(CheckTransactionHeader::msgId).containsExactly("open");
    }

    @Test
    void aThousandMixedTransactionsDeliverExactlyTheCommittedSet() {
        FakeConnection producer = broker.producer(GROUP);
        Map<Long, String> keys = new HashMap<>();
        List<String> committed = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            String key = "u" + i;
            long handle = half(key);
            keys.put(handle, key);
            if (i % 4 == 0) {
                end(handle, key, COMMIT);
                committed.add(key);
            } else if (i % 4 == 1) {
                end(handle, key, ROLLBACK);
            }
        }
        broker.pass(6_000);
        for (CheckTransactionHeader check : checks(producer)) {
            boolean yes = check.commitLogOffset() % 2 == 0;
            end(producer, check.commitLogOffset(), GROUP, check.msgId(), yes ? COMMIT : ROLLBACK, true);
            if (yes) {
                committed.add(check.msgId());
            }
        }
        broker.pass(600_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactlyInAnyOrderElementsOf(committed);
        assertThat(broker.store.transactions().openHalves(10)).isEmpty();
    }

    @Test
    void aHalfThatAlsoAsksForADelaySleepsFromItsCommitOn() {
        long handle = half("u1", "TIMER_DELAY_MS", "5000");
        broker.pass(4_000);
        end(handle, "u1", COMMIT);
        broker.pass(4_999);
        assertThat(broker.visible("orders", 1)).isEmpty();
        broker.pass(1);
        Message message = broker.visible("orders", 1).get(0);
        assertThat(SysFlag.transactionState(message.sysFlag())).isEqualTo(SysFlag.TRANSACTION_COMMIT);
        assertThat(message.preparedTransactionOffset()).isEqualTo(handle);
        assertThat(message.properties()).containsKey("TIMER_OUT_MS");
    }

    @Test
    void operatorsListShowAndDecide() {
        long first = half("u1", "KEYS", "order-1");
        broker.pass(1_000);
        half("u2");
        broker.half("billing", "bills", 0, SimulatedBroker.properties("u3"));

        JsonObject all = ask(RequestCode.LIST_TRANSACTIONS, "{}");
        assertThat(all.getLong("open", -1)).isEqualTo(3);
        assertThat(all.getArray("transactions").objects("transactions"))
                .extracting(t -> t.getString("transactionId"))
                .containsExactly("u1", "u2", "u3");
        JsonObject one = all.getArray("transactions").objects("transactions").get(0);
        assertThat(one.getLong("handle", -1)).isEqualTo(first);
        assertThat(one.getString("keys")).isEqualTo("order-1");
        assertThat(one.getLong("ageMillis", -1)).isEqualTo(1_000);
        assertThat(ask(RequestCode.LIST_TRANSACTIONS, "{\"group\":\"billing\"}")
                        .getArray("transactions")
                        .size())
                .isEqualTo(1);
        assertThat(ask(RequestCode.LIST_TRANSACTIONS, "{\"topic\":\"orders\",\"max\":1}")
                        .getArray("transactions")
                        .size())
                .isEqualTo(1);

        JsonObject decided = ask(
                RequestCode.DECIDE_TRANSACTION,
                "{\"id\":\"u1\",\"decision\":\"COMMIT\",\"reason\":\"paid by phone\",\"operator\":\"kim\"}");
        assertThat(decided.getString("state")).isEqualTo("COMMITTED");
        assertThat(decided.getObject("transaction").getString("transactionId")).isEqualTo("u1");
        assertThat(decided.getObject("decision").getString("by"))
                .contains("kim")
                .contains("paid by phone");
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u1");
        ask(RequestCode.DECIDE_TRANSACTION, "{\"id\":\"u2\",\"decision\":\"ROLLBACK\",\"reason\":\"cancelled\"}");
        Command again = broker.request(
                broker.connect(),
                Command.request(RequestCode.DECIDE_TRANSACTION)
                        .body("{\"id\":\"u2\",\"decision\":\"COMMIT\",\"reason\":\"oops\"}".getBytes())
                        .build());
        assertThat(again.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(again.remark()).contains("rolled back").contains("cancelled");

        for (String id : List.of("u1", Long.toString(first), MessageIds.offsetId(SimulatedBroker.HOST, first))) {
            assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"" + id + "\"}")
                            .getString("state"))
                    .isEqualTo("COMMITTED");
        }
        JsonObject committed = ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u1\"}");
        assertThat(committed.getObject("transaction").getString("keys")).isEqualTo("order-1");
        assertThat(committed.getString("body")).isEqualTo(Base64.getEncoder().encodeToString("half of u1".getBytes()));
        JsonObject rolledBack = ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u2\"}");
        assertThat(rolledBack.getString("state")).isEqualTo("ROLLED_BACK");
        assertThat(rolledBack.getObject("transaction").getString("topic")).isEqualTo("orders");
        assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u3\"}").getString("state"))
                .isEqualTo("OPEN");
        broker.restart();
        assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u1\"}").getString("state"))
                .isEqualTo("COMMITTED");
    }

    @Test
    void oneTransactionThatCannotBeCheckedDoesNotStopTheOthers() {
        broker.close();
        broker = new SimulatedBroker(BrokerSettings.defaults().with("transactionCheckMax", 1));
        FakeConnection producer = broker.producer(GROUP);
        FakeConnection dead = broker.producer("dead");
        dead.dieOnSend();
        for (int i = 0; i < 20; i++) {
            broker.half(i % 2 == 0 ? "dead" : GROUP, "orders", 0, SimulatedBroker.properties("u" + i));
        }
        broker.pass(6_000);
        assertThat(checks(producer)).hasSize(10);
        broker.pass(30_000);
        assertThat(broker.visible(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0)).hasSize(10);
        assertThat(broker.store.transactions().openHalves(100)).hasSize(10).allMatch(half -> half.checks() == 0);
    }

    @Test
    void aProducerThatComesAndGoesIsAskedOncePerAppearanceAtMost() {
        long handle = half("u1");
        broker.pass(6_000);
        for (int i = 1; i <= 3; i++) {
            FakeConnection producer = broker.producer(GROUP);
            assertThat(checks(producer)).hasSize(i == 1 ? 1 : 0);
            broker.gone(producer);
        }
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(1);
        broker.pass(30_000);
        FakeConnection producer = broker.producer(GROUP);
        assertThat(checks(producer)).hasSize(1);
        assertThat(broker.store.transactions().openHalf(handle).checks()).isEqualTo(2);
    }

    @Test
    void propertiesThatLeaveNoRoomOrADelayThatCannotBeKeptAreRefusedAtTheSend() {
        assertThatThrownBy(() -> half("u1", "filler", "x".repeat(32_000))).hasMessageContaining("properties");
        assertThatThrownBy(() -> half("u2", "TIMER_DELAY_MS", "soon")).hasMessageContaining("TIMER_DELAY_MS");
        assertThat(broker.store.transactions().openHalves(10)).isEmpty();
    }

    @Test
    void aProducersWordDuringItsCheckAndAnOperatorsDecisionMakeOneDecision() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1");
        broker.pass(6_000);
        assertThat(checks(producer)).hasSize(1);
        ask(RequestCode.DECIDE_TRANSACTION, "{\"id\":\"u1\",\"decision\":\"ROLLBACK\",\"reason\":\"stuck\"}");
        Command late = end(producer, handle, GROUP, "u1", COMMIT, true);
        assertThat(late.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(late.remark()).contains("stuck");
        broker.pass(600_000);
        assertThat(broker.visible("orders", 1)).isEmpty();
    }

    // ---- the immunity a message asks for

    @Test
    void afterItsOwnImmunityOnlyTheAnswerToACheckEndsAHalf() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1", "CHECK_IMMUNITY_TIME_IN_SECONDS", "10");
        long early = half("u2", "CHECK_IMMUNITY_TIME_IN_SECONDS", "10");
        long usual = half("u3");
        long senseless = half("u4", "CHECK_IMMUNITY_TIME_IN_SECONDS", "soon");
        broker.pass(6_001);
        assertThat(end(senseless, "u4", COMMIT).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        broker.pass(3_999);
        assertThat(end(early, "u2", COMMIT).code()).isZero();
        broker.pass(1);
        Command late = end(handle, "u1", COMMIT);
        assertThat(late.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(late.remark()).contains("10001 ms old").contains("check");
        assertThat(end(usual, "u3", COMMIT).code()).isZero();
        assertThat(broker.store.transactions().openHalf(handle)).isNotNull();
        assertThat(end(producer, handle, GROUP, "u1", COMMIT, true).code()).isZero();
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("u2", "u3", "u1");
    }

    // ---- inspection

    private List<String> listed(String wish) {
        return ask(RequestCode.LIST_TRANSACTIONS, wish).getArray("transactions").objects("transactions").stream()
                .map(t -> t.getString("transactionId"))
                .toList();
    }

    @Test
    void theListGoesByAge() {
        half("old");
        broker.pass(5_000);
        half("middle");
        broker.pass(5_000);
        half("young");
        assertThat(listed("{\"minAgeMillis\":5000}")).containsExactly("old", "middle");
        assertThat(listed("{\"maxAgeMillis\":5000}")).containsExactly("middle", "young");
        assertThat(listed("{\"minAgeMillis\":1,\"maxAgeMillis\":9999,\"topic\":\"orders\"}"))
                .containsExactly("middle");
        assertThat(listed("{\"minAgeMillis\":1,\"group\":\"nobody\"}")).isEmpty();
        for (String bad : List.of("{\"minAgeMillis\":-1}", "{\"minAgeMillis\":5,\"maxAgeMillis\":4}")) {
            Command reply = broker.request(
                    broker.connect(),
                    Command.request(RequestCode.LIST_TRANSACTIONS)
                            .body(bad.getBytes())
                            .build());
            assertThat(reply.code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        }
    }

    private List<JsonObject> history(String id) {
        return ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"" + id + "\"}")
                .getArray("checkHistory")
                .objects("checkHistory");
    }

    @Test
    void everyCheckIsShownWithTimeClientAndAnswer() {
        FakeConnection first = broker.producer(GROUP);
        long handle = half("u1");
        assertThat(history("u1")).isEmpty();
        broker.pass(6_000);
        long firstMillis = broker.now();
        broker.pass(100);
        end(first, handle, GROUP, "u1", UNKNOWN, true);
        end(first, handle, GROUP, "u1", UNKNOWN, true); // counts once
        end(broker.connect(), handle, "thief", "u1", UNKNOWN, true);
        end(broker.connect(), handle, GROUP, "u2", UNKNOWN, true);
        broker.gone(first);
        FakeConnection second = broker.producer(GROUP);
        broker.pass(30_000);
        broker.gone(second); // and never says anything
        FakeConnection third = broker.producer(GROUP);
        broker.pass(60_000);
        end(third, handle, GROUP, "u1", COMMIT, true);
        for (int i = 0; i < 2; i++) {
            List<JsonObject> checks = history("u1");
            assertThat(checks).extracting(c -> c.getInt("number", 0)).containsExactly(1, 2, 3);
            assertThat(checks.get(0).getLong("timestamp", 0)).isEqualTo(firstMillis);
            assertThat(checks.get(0).getLong("answeredMillis", 0)).isEqualTo(firstMillis + 100);
            assertThat(checks)
                    .extracting(c -> c.getString("client"))
                    .containsExactly(
                            "client-1 at 127.0.0.1:50001",
                            "client-" + second.id() + " at 127.0.0.1:" + (50_000 + second.id()),
                            "client-" + third.id() + " at 127.0.0.1:" + (50_000 + third.id()));
            assertThat(checks).extracting(c -> c.getString("answer")).containsExactly("UNKNOWN", null, "COMMITTED");
            broker.restart();
        }
        assertThat(broker.store.transactions().decisionOf(handle).by()).contains("client-" + third.id());
    }

    @Test
    void anAnswerThatOvertakesTheRecordOfItsCheckStandsBehindIt() {
        CheckAnswers answers = new CheckAnswers(broker.store.transactions());
        long handle = half("u1");
        answers.asking(handle, GROUP, "u1");
        assertThat(answers.answered(handle, GROUP, Set.of("u1"), "kim", "UNKNOWN"))
                .isTrue();
        assertThat(answers.answered(handle, GROUP, Set.of("u1"), "kim", "UNKNOWN"))
                .isFalse();
        assertThat(broker.store.transactions().checksOf(handle)).isEmpty();
        broker.stored(done -> broker.store
                .transactions()
                .recordCheck(handle, 1, broker.now() + 1_000, "kim", CheckReason.NONE, "", done));
        answers.recorded(handle);
        broker.settle();
        assertThat(broker.store.transactions().checksOf(handle))
                .hasSize(1)
                .allMatch(c -> "UNKNOWN".equals(c.answerOrNull()));
        assertThat(answers.answered(handle, GROUP, Set.of(), "kim", "UNKNOWN")).isFalse();
    }

    @Test
    void whoDecidedByHandFromWhereAndWhyIsKept() {
        long committed = half("u1");
        long rolledBack = half("u2");
        ask(
                RequestCode.DECIDE_TRANSACTION,
                "{\"id\":\"u1\",\"decision\":\"COMMIT\",\"reason\":\"paid by phone\",\"operator\":\"kim\"}");
        ask(
                RequestCode.DECIDE_TRANSACTION,
                "{\"id\":\"u2\",\"decision\":\"ROLLBACK\",\"reason\":\"a test\",\"operator\":\"lee\"}");
        broker.restart();
        for (long handle : new long[] {committed, rolledBack}) {
            JsonObject shown = ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"" + handle + "\"}");
            assertThat(shown.getObject("decision").getString("by"))
                    .startsWith(handle == committed ? "operator kim at " : "operator lee at ")
                    .contains("127.0.0.1")
                    .endsWith(handle == committed ? ": paid by phone" : ": a test");
            assertThat(shown.getObject("decision").getBoolean("fromCheck", true))
                    .isFalse();
        }
        assertThat(end(rolledBack, "u2", COMMIT).remark()).contains("lee").contains("a test");
    }

    // ---- decisions that come too late

    private static String quoted(String json) {
        return json.replace('\'', '"');
    }

    private List<JsonObject> conflicts(String more) {
        return ask(RequestCode.LIST_TRANSACTIONS, quoted("{'conflicts':true" + more + "}"))
                .getArray("conflicts")
                .objects("conflicts");
    }

    private Command publish(String id) {
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.DECIDE_TRANSACTION)
                        .body(quoted("{'id':'" + id
                                        + "','decision':'PUBLISH','reason':'the order is paid','operator':'kim'}")
                                .getBytes())
                        .build());
    }

    /** The order that was lost: the listener of another instance found nothing yet and said ROLLBACK, then the service committed. */
    @Test
    void aCommitAfterTheRollbackIsAnsweredRecordedAndListed() {
        FakeConnection sender = broker.producer(GROUP);
        FakeConnection other = broker.producer(GROUP);
        long handle = broker.half(sender, GROUP, "orders", 1, SimulatedBroker.properties("u1"));
        end(other, handle, GROUP, "u1", ROLLBACK, true);
        broker.pass(1_000);
        long lateMillis = broker.now();
        for (int i = 0; i < 3; i++) {
            Command late = end(sender, handle, GROUP, "u1", COMMIT, false);
            assertThat(late.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
            assertThat(late.fields().get("decided")).isEqualTo("ROLLED_BACK");
            assertThat(late.fields().get("decidedBy")).contains(GROUP).contains("client-2");
            assertThat(late.fields().requireLong("decidedTimestamp")).isEqualTo(lateMillis - 1_000);
        }
        assertThat(end(broker.connect(), handle, "thief", "u1", COMMIT, false)
                        .fields()
                        .get("decided"))
                .isNull();
        assertThat(end(sender, handle, GROUP, "u2", COMMIT, false).fields().get("decided"))
                .isNull();
        for (int i = 0; i < 2; i++) {
            List<JsonObject> found = conflicts("");
            assertThat(found).hasSize(1);
            JsonObject one = found.get(0);
            assertThat(one.getString("transactionId")).isEqualTo("u1");
            assertThat(one.getString("topic")).isEqualTo("orders");
            assertThat(one.getString("producerGroup")).isEqualTo(GROUP);
            assertThat(one.getString("decided")).isEqualTo("ROLLED_BACK");
            assertThat(one.getString("late")).isEqualTo("COMMIT");
            assertThat(one.getString("by")).contains("client-1");
            assertThat(one.getLong("timestamp", 0)).isEqualTo(lateMillis);
            assertThat(conflicts(",'topic':'billing'")).isEmpty();
            assertThat(conflicts(",'group':'" + GROUP + "','max':1")).hasSize(1);
            broker.restart();
        }
        assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u1\"}")
                        .getArray("conflicts")
                        .objects("conflicts"))
                .hasSize(1);
    }

    @Test
    void aRollbackAfterTheCommitIsAConflictAndTheSameWordAgainIsNone() {
        long handle = half("u1");
        end(handle, "u1", COMMIT);
        assertThat(end(handle, "u1", COMMIT).code()).isZero();
        assertThat(end(handle, "u1", ROLLBACK).fields().get("decided")).isEqualTo("COMMITTED");
        long delayed = half("u2", "TIMER_DELAY_MS", "60000");
        end(delayed, "u2", COMMIT);
        assertThat(end(delayed, "u2", ROLLBACK).fields().get("decided")).isEqualTo("COMMITTED");
        assertThat(conflicts("")).extracting(c -> c.getString("late")).containsExactly("ROLLBACK", "ROLLBACK");
    }

    @Test
    void aCommitOfWhatWasGivenUpIsAConflictAndARollbackIsNot() {
        broker.producer(GROUP);
        long handle = half("u1");
        broker.pass(6_000 + LAST_CHECK_MILLIS + 300_000);
        assertThat(end(handle, "u1", ROLLBACK).fields().get("decided")).isNull();
        assertThat(end(handle, "u1", COMMIT).fields().get("decided")).isEqualTo("EXHAUSTED");
        assertThat(conflicts("")).extracting(c -> c.getString("decided")).containsExactly("EXHAUSTED");
        assertThat(publish("u1").remark()).contains("resume it");
    }

    @Test
    void aRolledBackMessageIsPublishedOnceWithItsReason() {
        FakeConnection sender = broker.producer(GROUP);
        long handle = broker.half(
                sender, GROUP, "orders", 1, SimulatedBroker.properties("u1", "TAGS", "CREATED", "KEYS", "order-1"));
        end(handle, "u1", ROLLBACK);
        end(handle, "u1", COMMIT);
        broker.restart(); // found by the conflict, not by what this run remembers
        Command published = publish("u1");
        assertThat(published.code()).as(published.remark()).isZero();
        for (int i = 0; i < 2; i++) {
            assertThat(broker.visible("orders", 1)).hasSize(1);
            Message message = broker.visible("orders", 1).get(0);
            assertThat(message.uniqueKey()).isEqualTo("u1");
            assertThat(message.properties()).containsEntry("TAGS", "CREATED").containsEntry("KEYS", "order-1");
            assertThat(message.preparedTransactionOffset()).isEqualTo(handle);
            assertThat(SysFlag.transactionState(message.sysFlag())).isEqualTo(SysFlag.TRANSACTION_COMMIT);
            assertThat(publish("u1").remark())
                    .contains("delivered after all")
                    .contains("kim")
                    .contains("the order is paid");
            JsonObject shown = ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"" + handle + "\"}");
            assertThat(shown.getString("state")).isEqualTo("ROLLED_BACK");
            assertThat(shown.getObject("published").getString("by")).endsWith(": the order is paid");
            assertThat(conflicts("").get(0).getObject("published").getString("by"))
                    .contains("kim");
            assertThat(end(handle, "u1", COMMIT).code())
                    .as("what the service wants is so")
                    .isZero();
            broker.restart();
        }
    }

    @Test
    void onlyWhatWasRolledBackAndIsKeptIsPublished() {
        long open = half("open");
        long committed = half("committed");
        end(committed, "committed", COMMIT);
        assertThat(publish("open").remark()).contains("commit it instead");
        assertThat(publish("committed").remark()).contains("was committed");
        assertThat(publish("unknown").code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        long delayed = half("delayed", "TIMER_DELAY_MS", "60000");
        end(delayed, "delayed", ROLLBACK);
        assertThat(publish("" + delayed).code()).isZero();
        broker.pass(59_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("committed");
        assertThat(publish("" + delayed).remark()).contains("delivered after all");
        broker.pass(1_000);
        assertThat(broker.visibleKeys("orders", 1)).containsExactly("committed", "delayed");
        assertThat(broker.store.transactions().openHalf(open)).isNotNull();
    }

    @Test
    void whatTellsOfPeersIsKeptWithinBytes() {
        CheckAnswers answers = new CheckAnswers(broker.store.transactions());
        String longest = "k".repeat(32_000);
        for (int i = 0; i < 1_000; i++) {
            answers.asking(i, GROUP, longest);
        }
        assertThat(answers.size()).isBetween(1, CheckAnswers.MOST_BYTES / 64_000);
        assertThat(answers.answered(999, GROUP, Set.of(longest), "kim", "UNKNOWN"))
                .isTrue();
        assertThat(answers.answered(0, GROUP, Set.of(longest), "kim", "UNKNOWN"))
                .isFalse();
    }

    // ---- resumption

    private Command decide(String id, String word) {
        String json = "{\"id\":\"" + id + "\",\"decision\":\"" + word
                + "\",\"reason\":\"the service is back\",\"operator\":\"kim\"}";
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.DECIDE_TRANSACTION)
                        .body(json.getBytes())
                        .build());
    }

    @Test
    void whatWasGivenUpIsResumedByItsIdOnceAndDecidedForGood() {
        FakeConnection producer = broker.producer(GROUP);
        long handle = half("u1", "TAGS", "CREATED", "KEYS", "order-1", "__SHARDINGKEY", "customer-1");
        assertThat(decide("u1", "RESUME").code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        broker.pass(6_000 + LAST_CHECK_MILLIS + 300_000);
        checks(producer);
        Command resumed = decide("u1", "RESUME");
        assertThat(resumed.code()).as(resumed.remark()).isZero();
        long again = Json.parse(resumed.body()).getObject("transaction").getLong("handle", -1);
        assertThat(again).isGreaterThan(handle);
        assertThat(checks(producer))
                .extracting(CheckTransactionHeader::commitLogOffset)
                .containsExactly(again);
        assertThat(decide("u1", "RESUME").remark()).contains("open already");
        end(producer, again, GROUP, "u1", COMMIT, true);
        Message message = broker.visible("orders", 1).get(0);
        assertThat(message.properties())
                .containsEntry("RESUMED_FROM", Long.toString(handle))
                .containsEntry("TAGS", "CREATED")
                .containsEntry("KEYS", "order-1")
                .containsEntry("__SHARDINGKEY", "customer-1")
                .doesNotContainKeys("REAL_TOPIC", "REAL_QID");
        assertThat(message.property("RESUMED_BY")).contains("kim").contains("the service is back");
        assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"u1\"}").getString("state"))
                .isEqualTo("COMMITTED");
        assertThat(ask(RequestCode.SHOW_TRANSACTION, "{\"id\":\"" + handle + "\"}")
                        .getString("state"))
                .isEqualTo("EXHAUSTED");
        broker.restart();
        Command second = broker.request(
                broker.connect(),
                Command.request(RequestCode.RESUME_CHECK_HALF_MESSAGE)
                        .header(new ResumeCheckHeader(
                                "orders",
                                broker.visible(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0)
                                        .get(0)
                                        .offsetId()))
                        .build());
        assertThat(second.code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(second.remark()).contains("resumed before");
        assertThat(decide(Long.toString(handle), "RESUME").code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(broker.visible("orders", 1)).hasSize(1);
    }

    /** The power is cut anywhere in a resumption; then somebody resumes again, and again after the commit. */
    @Test
    void aPowerCutNeverResumesTwice() {
        for (int seed = 0; seed < 20; seed++) {
            broker.close();
            broker = new SimulatedBroker(BrokerSettings.defaults().with("transactionCheckMax", 1));
            broker.topic("orders", 4);
            broker.producer(GROUP);
            long handle = half("u1");
            broker.pass(6_000 + 30_000);
            String json = "{\"id\":\"" + handle + "\",\"decision\":\"RESUME\",\"reason\":\"again\"}";
            Command resume = Command.request(RequestCode.DECIDE_TRANSACTION)
                    .body(json.getBytes())
                    .build();
            broker.submit(broker.connect(), resume);
            for (int steps = seed % 7; steps > 0 && broker.step(); steps--) {
                continue;
            }
            broker.crash(seed);
            broker.request(broker.connect(), resume);
            broker.store
                    .transactions()
                    .openHalves(10)
                    .forEach(open -> end(broker.producer(GROUP), open.handle(), GROUP, "u1", COMMIT, true));
            broker.request(broker.connect(), resume);
            broker.store
                    .transactions()
                    .openHalves(10)
                    .forEach(open -> end(broker.producer(GROUP), open.handle(), GROUP, "u1", COMMIT, true));
            assertThat(broker.visibleKeys("orders", 1)).as("seed " + seed).containsExactly("u1");
        }
    }

    @Test
    void aResumedOneThatIsGivenUpAgainCanBeResumedAgain() {
        broker.producer(GROUP);
        half("u1");
        broker.pass(6_000 + LAST_CHECK_MILLIS + 300_000);
        assertThat(decide("u1", "RESUME").code()).isZero();
        broker.pass(LAST_CHECK_MILLIS + 300_000);
        assertThat(broker.visible(Names.TRANS_CHECK_MAX_TIME_TOPIC, 0)).hasSize(2);
        assertThat(decide("u1", "RESUME").code()).isZero();
        assertThat(decide("u1", "ROLLBACK").code()).isZero();
        assertThat(decide("u1", "RESUME").code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(broker.visible("orders", 1)).isEmpty();
    }

    @Test
    void theWholeMatrixOfWishesIsKeptThroughACommit() {
        long handle = half(
                "u1",
                "TAGS",
                "PAID",
                "KEYS",
                "order-1 customer-7",
                "__SHARDINGKEY",
                "customer-7",
                "_SYS_MSG_PRIORITY_",
                "2",
                "DELAY",
                "3");
        end(handle, "u1", COMMIT);
        assertThat(broker.visible("orders", 1)).isEmpty();
        broker.restart();
        broker.pass(9_999);
        assertThat(broker.visible("orders", 1)).isEmpty();
        broker.pass(1);
        Message message = broker.visible("orders", 1).get(0);
        assertThat(message.tags()).isEqualTo("PAID");
        assertThat(message.keys()).isEqualTo("order-1 customer-7");
        assertThat(message.properties())
                .containsEntry("__SHARDINGKEY", "customer-7")
                .containsEntry("_SYS_MSG_PRIORITY_", "2");
        assertThat(broker.store.messages().findByKey("orders", "customer-7", 10, 0, Long.MAX_VALUE))
                .hasSize(1);
        assertThat(end(handle, "u1", ROLLBACK).code()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
    }
}
