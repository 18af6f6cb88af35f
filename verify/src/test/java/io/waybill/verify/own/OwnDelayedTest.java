/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedChange.Answer;
import io.waybill.client.DelayedMessages;
import io.waybill.client.DelayedMessages.Selector;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.SendReceipt;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Cancel, move and condition of delayed messages, by business key and by receipt. */
@Tag("end-to-end")
class OwnDelayedTest {
    private static final Duration LONG = Duration.ofHours(2);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private Admin admin;
    private Producer producer;
    private final String topic = Own.unique("timeouts");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 2);
        producer = own.client().producer("shop").build();
    }

    private SendReceipt delayed(String key, String body, Duration delay) {
        return producer.send(
                Message.to(topic).key(key).body(body).deliverAfter(delay).build());
    }

    @Test
    void everyAnswerIsDefinite() {
        SendReceipt byReceipt = delayed("k1", "one", LONG);
        assertThat(producer.delayed().cancel(byReceipt).answer()).isEqualTo(Answer.CANCELLED);
        assertThat(producer.delayed().cancel(byReceipt).answer()).isEqualTo(Answer.ALREADY_CANCELLED);
        assertThat(producer.delayed().reschedule(byReceipt, Instant.now()).answer())
                .isEqualTo(Answer.ALREADY_CANCELLED);

        delayed("k2", "two", LONG);
        delayed("k2", "three", LONG);
        delayed("k3", "four", LONG);
        DelayedChange both = producer.delayed().cancel(topic, "k2");
        assertThat(both.answer()).isEqualTo(Answer.CANCELLED);
        assertThat(both.messages()).hasSize(2).allMatch(part -> part.answer() == Answer.CANCELLED);

        assertThat(producer.delayed().cancel(topic, "never").answer()).isEqualTo(Answer.NEVER_EXISTED);

        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        assertThat(producer.delayed()
                        .reschedule(topic, "k3", Instant.now().plusMillis(200))
                        .answer())
                .isEqualTo(Answer.MOVED);
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("four");
        assertThat(producer.delayed().cancel(topic, "k3").answer()).isEqualTo(Answer.ALREADY_DELIVERED);
        assertThat(producer.delayed()
                        .reschedule(topic, "k3", Instant.now().plus(LONG))
                        .answer())
                .isEqualTo(Answer.ALREADY_DELIVERED);
    }

    @Test
    void operatorsListCancelAndMove() {
        SendReceipt first = delayed("a", "one", LONG);
        delayed("b", "two", LONG.plusHours(1));
        DelayedMessages delayed = admin.delayed();
        DelayedMessages.Waiting waiting = delayed.list(topic, null, 10);
        assertThat(waiting.pending()).isGreaterThanOrEqualTo(2);
        assertThat(waiting.messages()).hasSize(2);
        DelayedMessages.DelayedMessage one = waiting.messages().get(0);
        assertThat(one.messageId()).isEqualTo(first.messageId());
        assertThat(one.keys()).containsExactly("a");
        assertThat(one.topic()).isEqualTo(topic);
        assertThat(one.deliverAt()).isAfter(Instant.now().plus(LONG.minusMinutes(5)));
        assertThat(delayed.list(topic, "b", 10).messages())
                .extracting(DelayedMessages.DelayedMessage::keys)
                .containsExactly(java.util.List.of("b"));

        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        assertThat(delayed.cancel(one.selector(), "ann").answer()).isEqualTo(Answer.CANCELLED);
        assertThat(delayed.reschedule(Selector.key(topic, "b"), Instant.now(), "ann")
                        .answer())
                .isEqualTo(Answer.MOVED);
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("two");
        assertThat(delayed.list(topic, null, 10).messages()).isEmpty();
        assertThat(delayed.cancel(Selector.message(topic, first.messageId()), "bob")
                        .answer())
                .isEqualTo(Answer.ALREADY_CANCELLED);
    }

    @Test
    void aPaidOrderIsNotRemindedOf() {
        String payments = Own.unique("payments");
        admin.topics().create(payments, 2);
        Own.Inbox reminders = own.consume(Own.unique("readers"), topic, "*");
        for (String order : new String[] {"order-1", "order-2", "order-3"}) {
            producer.send(Message.to(topic)
                    .key(order)
                    .body("remind of " + order)
                    .deliverAfter(Duration.ofMillis(1_500))
                    .unless(payments, order, "PAID")
                    .build());
        }
        producer.send(Own.message(payments, "PAID", "order-1", "paid"));
        producer.send(Own.message(payments, "FAILED", "order-2", "not paid"));
        assertThat(admin.delayed().list(topic, "order-1", 1).messages())
                .allSatisfy(message -> assertThat(message.unless()).isEqualTo(payments + "|order-1|PAID"));
        reminders.awaitCount(2);
        assertThat(reminders.texts()).containsExactlyInAnyOrder("remind of order-2", "remind of order-3");
        assertThat(producer.delayed().cancel(topic, "order-1").answer()).isNotEqualTo(Answer.CANCELLED);
        assertThat(reminders.texts()).hasSize(2);
    }
}
