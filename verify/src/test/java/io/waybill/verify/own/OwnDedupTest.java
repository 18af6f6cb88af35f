/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.Decision;
import io.waybill.client.DelayedChange;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.Topics;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionReceipt;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** De-duplication and priority as our producer uses them. */
@Tag("end-to-end")
class OwnDedupTest {
    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private Admin admin;
    private Producer producer;
    private final String topic = Own.unique("orders");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 2);
        admin.topics().changeAttributes(topic, Map.of(Topics.DEDUP, "7d"), Set.of());
        producer = own.client().producer("shop").build();
    }

    private Message.Builder order(String key, String body) {
        return Message.to(topic).dedupKey(key).body(body);
    }

    @Test
    void aSecondSendOfAKeyGetsTheFirstOnesReceipt() {
        SendReceipt first = producer.send(order("order-1", "first").build());
        SendReceipt second = producer.send(order("order-1", "second").build());
        assertThat(first.duplicate()).isFalse();
        assertThat(second.duplicate()).isTrue();
        assertThat(second.messageId()).isEqualTo(first.messageId());
        assertThat(second.storedId()).isEqualTo(first.storedId());
        assertThat(second.queue()).isEqualTo(first.queue());
        assertThat(second.offset()).isEqualTo(first.offset());
        // Without a key of its own the id counts: sending the same object again is one message.
        Message same = Message.to(topic).body("same").build();
        SendReceipt one = producer.send(same);
        assertThat(producer.send(same).storedId()).isEqualTo(one.storedId());

        List<SendReceipt> batch = producer.sendAll(List.of(
                order("order-1", "third").build(),
                order("order-2", "new").build(),
                order("order-3", "new too").build()));
        assertThat(batch).extracting(SendReceipt::duplicate).containsExactly(true, false, false);
        assertThat(batch.get(0).storedId()).isEqualTo(first.storedId());
        assertThat(batch.get(2).offset()).isEqualTo(batch.get(1).offset() + 1);

        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(4);
        producer.send(order("order-4", "last").build());
        inbox.awaitCount(5);
        assertThat(inbox.texts()).containsExactlyInAnyOrder("first", "same", "new", "new too", "last");
    }

    @Test
    void itIsOffUnlessTheTopicAsksForIt() {
        admin.topics().changeAttributes(topic, Map.of(), Set.of(Topics.DEDUP));
        assertThat(admin.topics().attributes(topic)).isEmpty();
        assertThat(producer.send(order("k", "a").build()).duplicate()).isFalse();
        assertThat(producer.send(order("k", "b").build()).duplicate()).isFalse();
    }

    @Test
    void delayedAndTransactionalMessagesTakePart() {
        SendReceipt delayed = producer.send(
                order("d", "later").deliverAfter(Duration.ofHours(1)).build());
        SendReceipt again = producer.send(
                order("d", "later").deliverAfter(Duration.ofHours(1)).build());
        assertThat(again.duplicate()).isTrue();
        assertThat(producer.delayed().cancel(again).answer()).isEqualTo(DelayedChange.Answer.CANCELLED);
        assertThat(producer.delayed().cancel(delayed).answer()).isEqualTo(DelayedChange.Answer.ALREADY_CANCELLED);

        AtomicInteger runs = new AtomicInteger();
        var transactions = own.client()
                .transactionProducer(Own.unique("checkout"))
                .listener(new TransactionListener() {
                    @Override
                    public Decision execute(Message message, Object argument) {
                        runs.incrementAndGet();
                        return Decision.COMMIT;
                    }

                    @Override
                    public Decision check(ReceivedMessage message) {
                        return Decision.COMMIT;
                    }
                })
                .build();
        TransactionReceipt first = transactions.send(order("t", "paid").build());
        TransactionReceipt second = transactions.send(order("t", "paid").build());
        assertThat(first.decided()).isTrue();
        assertThat(second.half().duplicate()).isTrue();
        assertThat(second.decided()).isFalse();
        assertThat(runs).hasValue(1);
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("paid");
    }

    @Test
    void priorityChoosesTheQueueOfAPriorityTopic() {
        String urgent = Own.unique("urgent");
        admin.topics().create(urgent, 4);
        admin.topics().changeAttributes(urgent, Map.of(Topics.MESSAGE_TYPE, "PRIORITY"), Set.of());
        for (int priority : new int[] {0, 2, 3, 9}) {
            SendReceipt receipt = producer.send(
                    Message.to(urgent).priority(priority).body("p" + priority).build());
            assertThat(receipt.queue().id()).isEqualTo(Math.min(priority, 3));
        }
    }
}
