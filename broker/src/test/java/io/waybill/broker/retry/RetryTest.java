/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.send.ClientRetries;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Decision;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Messages given back by consumers, up to the dead letter. */
class RetryTest {
    private static final String RETRY = "%RETRY%shipping";
    private static final String DEAD = "%DLQ%shipping";

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

    private Command sendBack(long position, int level, int max) {
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(
                                position, "shipping", level, "u1", "orders", false, max, SimulatedBroker.NAME))
                        .build());
    }

    private Stored order() {
        return broker.put("orders", 3, "an order", SimulatedBroker.properties("u1", "TAGS", "PAID", "KEYS", "order-1"));
    }

    @Test
    void theFirstRetryComesAfterTenSecondsWithItsOrigin() {
        Stored order = order();
        assertThat(sendBack(order.position(), 0, 16).code()).isZero();
        assertThat(broker.topics.find(RETRY).readQueueNums()).isEqualTo(1);
        broker.pass(9_999);
        assertThat(broker.visible(RETRY, 0)).isEmpty();
        broker.pass(1);
        Message retry = broker.visible(RETRY, 0).get(0);
        assertThat(retry.reconsumeTimes()).isEqualTo(1);
        assertThat(new String(retry.body())).isEqualTo("an order");
        assertThat(retry.flag()).isEqualTo(42);
        assertThat(retry.properties())
                .containsEntry("RETRY_TOPIC", "orders")
                .containsEntry("ORIGIN_MESSAGE_ID", MessageIds.offsetId(SimulatedBroker.HOST, order.position()))
                .containsEntry("WAIT", "false")
                .containsEntry("DELAY", "3")
                .containsEntry("REAL_TOPIC", RETRY)
                .containsEntry("TAGS", "PAID")
                .containsEntry("UNIQ_KEY", "u1");
    }

    @Test
    void sixteenRetriesFollowTheLevelsAndThenItIsADeadLetter() {
        long[] seconds = {10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200};
        Stored order = order();
        long first = broker.now();
        long position = order.position();
        for (int i = 0; i < seconds.length; i++) {
            long at = broker.now();
            assertThat(sendBack(position, 0, 16).code()).isZero();
            broker.pass(seconds[i] * 1_000);
            Message retry = broker.visible(RETRY, 0).get(i);
            assertThat(retry.storeTimestamp() - at).as("retry " + (i + 1)).isEqualTo(seconds[i] * 1_000);
            assertThat(retry.reconsumeTimes()).isEqualTo(i + 1);
            position = retry.position();
        }
        assertThat(sendBack(position, 0, 16).code()).isZero();
        assertThat(broker.topics.find(DEAD).perm()).isEqualTo(6);
        Message dead = broker.visible(DEAD, 0).get(0);
        assertThat(dead.reconsumeTimes()).isEqualTo(17);
        assertThat(new String(dead.body())).isEqualTo("an order");
        assertThat(dead.properties())
                .containsEntry("RETRY_TOPIC", "orders")
                .containsEntry("DLQ_ORIGIN_TOPIC", "orders")
                .containsEntry("DLQ_ORIGIN_MESSAGE_ID", MessageIds.offsetId(SimulatedBroker.HOST, order.position()))
                .containsEntry("DLQ_TRIES", "17")
                .containsEntry("DLQ_MS", Long.toString(broker.now()))
                .containsEntry("DLQ_GROUP", "shipping")
                .containsEntry("DLQ_CLIENT", "127.0.0.1:50017")
                .containsEntry("RETRY_SINCE_MS", Long.toString(first))
                .doesNotContainKeys("DELAY", "REAL_TOPIC", "REAL_QID");
        assertThat(dead.property("DLQ_REASON")).contains("16");
        broker.pass(10 * 3_600_000L);
        assertThat(broker.visible(RETRY, 0)).hasSize(16);
    }

    @Test
    void theConsumerMayChooseTheLevelOrGiveUpAtOnce() {
        sendBack(order().position(), 1, 16);
        broker.pass(1_000);
        assertThat(broker.visible(RETRY, 0)).hasSize(1);
        sendBack(order().position(), -1, 16);
        assertThat(broker.visible(DEAD, 0).get(0).property("DLQ_REASON")).contains("consumer");
        sendBack(order().position(), 0, 0);
        assertThat(broker.visible(DEAD, 0)).hasSize(2);
    }

    @Test
    void withoutALimitFromTheClientTheGroupsOwnHolds() {
        broker.close();
        broker = new SimulatedBroker(BrokerSettings.defaults().with("retryMax", 1));
        sendBack(order().position(), 1, -1);
        broker.pass(1_000);
        sendBack(broker.visible(RETRY, 0).get(0).position(), 1, -1);
        assertThat(broker.visible(DEAD, 0)).hasSize(1);
    }

    @Test
    void retriesSurviveARestart() {
        sendBack(order().position(), 0, 16);
        broker.pass(5_000);
        broker.restart();
        broker.pass(4_999);
        assertThat(broker.visible(RETRY, 0)).isEmpty();
        broker.pass(1);
        assertThat(broker.visible(RETRY, 0)).hasSize(1);
        assertThat(broker.topics.find(RETRY)).isNotNull();
    }

    @Test
    void aCommittedTransactionIsRetriedAsAPlainMessage() {
        long handle = broker.half("orders-service", "orders", 3, SimulatedBroker.properties("u1"));
        broker.stored(done -> broker.store
                .transactions()
                .decide(
                        handle,
                        Decision.COMMIT,
                        false,
                        "test",
                        broker.draft("orders", 3, "an order")
                                .sysFlag(SysFlag.TRANSACTION_COMMIT)
                                .preparedTransactionOffset(handle)
                                .properties(SimulatedBroker.properties("u1"))
                                .build(),
                        0,
                        done));
        sendBack(broker.visible("orders", 3).get(0).position(), 1, 16);
        broker.pass(1_000);
        Message retry = broker.visible(RETRY, 0).get(0);
        assertThat(retry.sysFlag()).isZero();
        assertThat(retry.preparedTransactionOffset()).isZero();
    }

    @Test
    void aWrongPositionAndAnIllegalGroupAreRefusedAndAGroupWithoutRetriesIsContent() {
        Stored order = order();
        assertThat(sendBack(order.position() + 1, 0, 16).code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        Command illegal = broker.request(
                broker.connect(),
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(order.position(), "no/group", 0, "u1", "orders", false, 16, null))
                        .build());
        assertThat(illegal.code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        SubscriptionGroupConfig without = new SubscriptionGroupConfig(
                "shipping", true, true, true, false, 0, 16, null, 0, 1, true, 0, 15, Map.of());
        broker.groups.put(without, outcome -> {});
        broker.settle();
        assertThat(sendBack(order.position(), 0, 16).code()).isZero();
        broker.pass(100_000);
        assertThat(broker.visible(RETRY, 0)).isEmpty();
    }

    /** The dead-letter topic comes into being with its first message. */
    @Test
    void whatAClientSendsToItsRetryTopicWithoutTriesLeftIsADeadLetter() {
        broker.topic(RETRY, 1);
        assertThat(broker.topics.find(DEAD)).isNull();
        SendMessageHeader header = new SendMessageHeader(
                "shipping",
                RETRY,
                "TBW102",
                1,
                0,
                0,
                broker.now(),
                0,
                MessageProperties.encode(SimulatedBroker.properties("u1")),
                17,
                false,
                16,
                false,
                "broker-a");
        Command sent = broker.request(
                broker.connect(),
                Command.request(RequestCode.SEND_MESSAGE_V2)
                        .header(header)
                        .body(new byte[1])
                        .build());
        assertThat(sent.code()).as(sent.remark()).isZero();
        assertThat(broker.topics.find(DEAD)).isNotNull();
        assertThat(broker.visibleKeys(DEAD, 0)).containsExactly("u1");
    }

    @Test
    void whatAClientSendsToItsRetryTopicItselfIsPlacedByItsTries() {
        Map<String, String> properties =
                SimulatedBroker.properties("u1", "DELAY", "4", "RETRY_TOPIC", "orders", "ORIGIN_MESSAGE_ID", "0A");
        ClientRetries.RetryTarget again = broker.retries.place(RETRY, 16, 16, properties, broker.connect());
        assertThat(again.topic()).isEqualTo(RETRY);
        assertThat(again.isDeadLetter()).isFalse();
        assertThat(properties).containsEntry("DELAY", "4");

        ClientRetries.RetryTarget dead = broker.retries.place(RETRY, 17, 16, properties, broker.connect());
        broker.settle();
        assertThat(dead.topic()).isEqualTo(DEAD);
        assertThat(dead.isDeadLetter()).isTrue();
        assertThat(properties)
                .containsEntry("DLQ_ORIGIN_TOPIC", "orders")
                .containsEntry("DLQ_ORIGIN_MESSAGE_ID", "0A")
                .containsEntry("DLQ_TRIES", "17")
                .doesNotContainKey("DELAY");

        assertThat(broker.retries
                        .place(RETRY, 17, -1, SimulatedBroker.properties("u2"), broker.connect())
                        .isDeadLetter())
                .isTrue();
        broker.inOrderGroups.add("shipping");
        assertThat(broker.retries
                        .place(RETRY, 1, 16, SimulatedBroker.properties("u3"), broker.connect())
                        .isDeadLetter())
                .isTrue();
    }

    @Test
    void whatNobodyCouldHaveReceivedCannotBeGivenBack() {
        long handle = broker.half("orders-service", "orders", 3, SimulatedBroker.properties("u1"));
        assertThat(sendBack(handle, 1, 16).code()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        broker.pass(1_000);
        assertThat(broker.visible(RETRY, 0)).isEmpty();
    }
}
