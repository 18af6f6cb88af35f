/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Filter;
import io.waybill.client.Groups;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.verify.embedded.TestBroker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

@Tag("end-to-end")
class OwnConsumerTest {
    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private Admin admin;
    private final String topic = Own.unique("sales");
    private final String group = Own.unique("sellers");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 2);
    }

    private Message sale(String tag, int amount) {
        return Message.to(topic)
                .tag(tag)
                .property("amount", Integer.toString(amount))
                .body(tag + amount)
                .build();
    }

    private void sendSales(Producer producer) {
        producer.send(sale("A", 50));
        producer.send(sale("A", 150));
        producer.send(sale("B", 250));
        producer.send(sale("C", 350));
        producer.send(Message.to(topic).body("no properties").build());
    }

    @Test
    void sqlFiltersAtTheBrokerForPushAndPull() {
        sendSales(own.client().producer("shops").build());
        Own.Inbox inbox = new Own.Inbox();
        own.client()
                .pushConsumer(group)
                .subscribe(topic, Filter.sql("amount > 100 AND TAGS IN ('A', 'B')"))
                .from(StartFrom.FIRST)
                .onMessage(inbox::add)
                .start();
        inbox.awaitCount(2);
        assertThat(inbox.texts()).containsExactlyInAnyOrder("A150", "B250");

        List<String> pulled = new ArrayList<>();
        try (PullConsumer consumer = own.client()
                .pullConsumer(Own.unique("auditors"))
                .filter(Filter.sql("amount IS NULL OR amount BETWEEN 300 AND 400"))
                .build()) {
            consumer.assign(topic);
            Own.await("two messages", () -> {
                consumer.poll(Duration.ofMillis(200)).forEach(message -> pulled.add(message.text()));
                return pulled.size() >= 2;
            });
        }
        assertThat(pulled).containsExactlyInAnyOrder("C350", "no properties");
    }

    @Test
    void aWrongConditionIsToldBeforeAnythingBegins() {
        PushConsumer.Builder wrong = own.client()
                .pushConsumer(group)
                .subscribe(topic, Filter.sql("amount >> 100"))
                .onMessage(message -> ConsumeResult.SUCCESS);
        assertThatThrownBy(wrong::start)
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.INVALID));
    }

    @Test
    void broadcastGivesEveryMemberEverythingAndGoesOnFromItsDirectory(@TempDir Path directory) {
        Producer producer = own.client().producer("shops").build();
        Own.Inbox one = new Own.Inbox();
        Own.Inbox two = new Own.Inbox();
        WaybillClient first = own.client();
        broadcast(first, directory, one);
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .broadcast()
                .onMessage(two::add)
                .start();
        for (int i = 0; i < 20; i++) {
            producer.send(sale("A", i));
        }
        one.awaitCount(20);
        two.awaitCount(20);
        first.close();
        producer.send(sale("B", 1));
        two.awaitCount(21);

        Own.Inbox again = new Own.Inbox();
        broadcast(own.client(), directory, again);
        again.awaitCount(1);
        assertThat(again.texts()).containsExactly("B1");
    }

    private void broadcast(WaybillClient client, Path directory, Own.Inbox inbox) {
        client.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .broadcast(directory)
                .onMessage(inbox::add)
                .start();
    }

    @Test
    void aRejectedMessageIsDeadAtOnceAndADelayIsKept() {
        Producer producer = own.client().producer("shops").build();
        ConcurrentLinkedQueue<Integer> attempts = new ConcurrentLinkedQueue<>();
        Own.Inbox inbox = new Own.Inbox();
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(message -> {
                    if (message.tag().equals("BAD")) {
                        attempts.add(message.delivery().attempt());
                        return ConsumeResult.REJECT;
                    }
                    if (message.tag().equals("LATER") && message.delivery().attempt() == 1) {
                        return ConsumeResult.retryAfter(Duration.ofMillis(900));
                    }
                    return inbox.add(message);
                })
                .start();
        producer.send(sale("BAD", 1));
        producer.send(sale("LATER", 1));
        inbox.awaitCount(1);
        assertThat(inbox.messages().get(0).delivery().attempt()).isEqualTo(2);
        Own.await(
                "a dead letter",
                () -> admin.deadLetters().list(group, 0, 10, true).open() == 1);
        assertThat(attempts).containsExactly(1);
    }

    @Test
    void aHandlerThatHangsDoesNotKeepItsMessage() throws InterruptedException {
        CountDownLatch never = new CountDownLatch(1);
        Own.Inbox inbox = new Own.Inbox();
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .handlerTimeout(Duration.ofMillis(300))
                .maxAttempts(1)
                .onMessage(message -> {
                    if (message.text().equals("A1")) {
                        never.await();
                    }
                    return inbox.add(message);
                })
                .start();
        Producer producer = own.client().producer("shops").build();
        producer.send(sale("A", 1));
        Own.await(
                "a dead letter",
                () -> admin.deadLetters().list(group, 0, 10, false).open() == 1);
        producer.send(sale("A", 2));
        inbox.awaitCount(1);
        never.countDown();
    }

    @Test
    void operatorsAskOurMembersWithOurToolsAndWithTheStockOnes() throws Exception {
        Own.Inbox inbox = new Own.Inbox();
        WaybillClient client = own.client();
        client.pushConsumer(group)
                .subscribe(topic, "A || B")
                .from(StartFrom.FIRST)
                .onMessageInOrder(inbox::add)
                .start();
        SendReceipt receipt = own.client().producer("shops").build().send(sale("A", 7));
        inbox.awaitCount(1);

        assertThat(admin.groups().members(group))
                .extracting(Groups.Member::clientId)
                .containsExactly(client.clientId());
        Groups.MemberInfo info = admin.groups().runningInfo(group, client.clientId(), true);
        assertThat(info.subscriptions()).containsEntry(topic, "A || B").containsKey("%RETRY%" + group);
        assertThat(info.queues().stream().filter(queue -> queue.queue().topic().equals(topic)))
                .hasSize(2)
                .allMatch(Groups.HeldQueue::locked)
                .anyMatch(queue -> queue.committed() == 1);
        assertThat(info.properties()).containsEntry("PROP_CONSUMEORDERLY", "true");
        assertThat(info.topics().get(topic).handledPerSecond()).isPositive();
        assertThat(info.stacks()).contains("waybill-client-timers");
        assertThatThrownBy(() -> admin.groups().runningInfo(group, "nobody", false))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));

        Groups.HandledOnce once = admin.groups().consumeDirectly(group, client.clientId(), topic, receipt.messageId());
        assertThat(once.success()).isTrue();
        assertThat(inbox.texts()).containsExactly("A7", "A7");

        DefaultMQAdminExt stock = new DefaultMQAdminExt(10_000);
        stock.setNamesrvAddr(broker.namesrvAddress());
        stock.setInstanceName(Own.unique("tools"));
        stock.start();
        try {
            ConsumerRunningInfo stockInfo = stock.getConsumerRunningInfo(group, client.clientId(), true);
            assertThat(stockInfo.formatString())
                    .contains(topic, "PROP_CONSUMEORDERLY", client.clientId().substring(0, 3));
            assertThat(stockInfo.getMqTable()).hasSize(3);
            assertThat(stockInfo.getJstack()).contains("waybill");
            assertThat(stock.consumeMessageDirectly(group, client.clientId(), topic, receipt.storedId())
                            .getConsumeResult()
                            .name())
                    .isEqualTo("CR_SUCCESS");
        } finally {
            stock.shutdown();
        }
    }

    @Test
    void groupsAreSetClonedMovedAndDeleted() {
        Producer producer = own.client().producer("shops").build();
        for (int i = 0; i < 10; i++) {
            producer.send(sale("A", i));
        }
        WaybillClient client = own.client();
        Own.Inbox inbox = new Own.Inbox();
        client.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(inbox::add)
                .start();
        inbox.awaitCount(10);
        client.close();
        Groups groups = admin.groups();
        assertThat(groups.names()).contains(group);

        groups.put(groups.settings(group)
                .maxRetries(5)
                .backoff(Groups.Backoff.steps(Duration.ofSeconds(1), Duration.ofSeconds(7)))
                .attribute(Groups.RATE, "500"));
        groups.changeAttributes(group, Map.of(Groups.QUARANTINE_AFTER, "3"), Set.of());
        Groups.GroupSettings kept = groups.settings(group);
        assertThat(kept.maxRetries()).isEqualTo(5);
        assertThat(kept.attributes()).containsEntry(Groups.RATE, "500").containsEntry(Groups.QUARANTINE_AFTER, "3");
        assertThat(kept.backoff().waitBefore(9)).isEqualTo(Duration.ofSeconds(7));
        groups.put(kept.attribute(Groups.RATE, null).backoff(null));
        assertThat(groups.settings(group).attributes()).containsOnlyKeys(Groups.QUARANTINE_AFTER);

        String other = Own.unique("others");
        groups.put(Groups.GroupSettings.defaults(other));
        admin.offsets().copy(group, other, topic);
        assertThat(admin.offsets().progress(other).lag()).isZero();
        assertThat(admin.offsets().progress(other).queues().stream()
                        .filter(queue -> queue.queue().topic().equals(topic)))
                .hasSize(2);

        for (int i = 0; i < 5; i++) {
            producer.send(sale("B", i));
        }
        assertThat(admin.offsets().progress(other).lag()).isEqualTo(5);
        admin.offsets().skipBacklog(other, topic);
        assertThat(admin.offsets().progress(other).lag()).isZero();

        groups.delete(group);
        assertThat(groups.names()).doesNotContain(group).contains(other);
        admin.topics().delete(topic);
        assertThat(admin.topics().names()).doesNotContain(topic);
    }

    @Test
    void aQuestionGetsTheAnswerOfWhoeverHandlesIt() {
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(message -> ConsumeResult.reply("price of " + message.text()))
                .start();
        Producer producer = own.client().producer("shops").build();
        for (int i = 0; i < 5; i++) {
            ReceivedMessage answer = producer.request(sale("A", i), Duration.ofSeconds(30));
            assertThat(answer.text()).isEqualTo("price of A" + i);
        }
        // An ordinary message to the same consumer disturbs nothing.
        producer.send(sale("A", 9));
        assertThat(producer.request(sale("B", 9), Duration.ofSeconds(30)).text())
                .isEqualTo("price of B9");

        String deaf = Own.unique("deaf");
        admin.topics().create(deaf, 1);
        assertThatThrownBy(
                        () -> producer.request(Message.to(deaf).body("hello?").build(), Duration.ofMillis(300)))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.TIMEOUT));
    }

    @Test
    void messagesSentAtOnceTravelTogetherAndEachGetsItsReceipt() {
        Own.Inbox inbox = own.consume(group, topic, "*");
        Producer producer =
                own.client().producer("shops").linger(Duration.ofMillis(5)).build();
        List<java.util.concurrent.CompletableFuture<SendReceipt>> sent = new ArrayList<>();
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Message message = sale("A", i);
            messages.add(message);
            sent.add(producer.sendAsync(message));
        }
        for (int i = 0; i < 500; i++) {
            SendReceipt receipt = sent.get(i).join();
            assertThat(receipt.messageId()).isEqualTo(messages.get(i).id());
            assertThat(receipt.duplicate()).isFalse();
        }
        inbox.awaitCount(500);
        assertThat(inbox.messages()).extracting(ReceivedMessage::messageId).doesNotHaveDuplicates();
        ReceivedMessage found =
                admin.messages().byId(topic, messages.get(321).id()).orElseThrow();
        SendReceipt receipt = sent.get(321).join();
        assertThat(found.delivery().queue()).isEqualTo(receipt.queue());
        assertThat(found.delivery().offset()).isEqualTo(receipt.offset());
    }
}
