/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Members of one group with different subscriptions, as a rolling change or a mistake makes them: each message goes to one that wants it. */
@Tag("end-to-end")
class StockSubscriptionsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);
    private final List<DefaultMQPushConsumer> members = new ArrayList<>();

    private Stock.Inbox member(String group, String topic, MessageSelector wanted) throws Exception {
        Stock.Inbox inbox = new Stock.Inbox();
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setPollNameServerInterval(500);
        consumer.subscribe(topic, wanted);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        members.add(consumer);
        return inbox;
    }

    /** What the client does every 20 s: only so it learns of a queue that came. */
    private void awaitRebalancing(String what, java.util.function.BooleanSupplier condition) {
        Stock.await(what, LIMIT, () -> {
            members.forEach(m -> m.getDefaultMQPushConsumerImpl().doRebalance());
            return condition.getAsBoolean();
        });
    }

    private static boolean got(Stock.Inbox inbox, Set<String> wanted) {
        return inbox.bodies().containsAll(wanted);
    }

    @Test
    void eachMessageGoesToTheMemberThatWantsItAndNothingVanishes() throws Exception {
        String topic = Stock.unique("mixed");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 6, null);
        Stock.Inbox created = member(group, topic, MessageSelector.byTag("CREATED"));
        Stock.Inbox paid = member(group, topic, MessageSelector.byTag("PAID"));
        Stock.Inbox large = member(group, topic, MessageSelector.bySql("amount > 50 AND TAGS = 'REFUND'"));
        Set<String> ofCreated = new TreeSet<>();
        Set<String> ofPaid = new TreeSet<>();
        Set<String> ofLarge = new TreeSet<>();
        for (int i = 0; i < 120; i++) {
            String tag = List.of("CREATED", "PAID", "REFUND", "NOBODY").get(i % 4);
            org.apache.rocketmq.common.message.Message sent = message(topic, tag, "", tag + i);
            sent.putUserProperty("amount", "" + i);
            producer.send(sent);
            if (tag.equals("CREATED")) {
                ofCreated.add(tag + i);
            } else if (tag.equals("PAID")) {
                ofPaid.add(tag + i);
            } else if (tag.equals("REFUND") && i > 50) {
                ofLarge.add(tag + i);
            }
        }
        awaitRebalancing(
                "all to have theirs", () -> got(created, ofCreated) && got(paid, ofPaid) && got(large, ofLarge));
        // At least once while members come; but never to one that did not ask for it.
        assertThat(new TreeSet<>(created.bodies())).isEqualTo(ofCreated);
        assertThat(new TreeSet<>(paid.bodies())).isEqualTo(ofPaid);
        assertThat(new TreeSet<>(large.bodies())).isEqualTo(ofLarge);
        for (Stock.Inbox inbox : List.of(created, paid, large)) {
            assertThat(inbox.messages())
                    .extracting(MessageExt::getTopic)
                    .as("a message that came around looks as if it had not")
                    .containsOnly(topic);
            assertThat(inbox.messages()).allMatch(m -> m.getReconsumeTimes() == 0);
        }
    }

    @Test
    void membersWithDifferentTopicsEachGetAllOfTheirs() throws Exception {
        String oranges = Stock.unique("oranges");
        String lemons = Stock.unique("lemons");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", oranges, 4, null);
        producer.createTopic("TBW102", lemons, 4, null);
        Stock.Inbox first = member(group, oranges, MessageSelector.byTag("*"));
        Stock.Inbox second = member(group, lemons, MessageSelector.byTag("*"));
        Set<String> ofOranges = new TreeSet<>();
        Set<String> ofLemons = new TreeSet<>();
        for (int i = 0; i < 40; i++) {
            producer.send(message(oranges, "", "", "o" + i));
            producer.send(message(lemons, "", "", "l" + i));
            ofOranges.add("o" + i);
            ofLemons.add("l" + i);
        }
        awaitRebalancing("each to have all of its topic", () -> got(first, ofOranges) && got(second, ofLemons));
        assertThat(new TreeSet<>(first.bodies())).isEqualTo(ofOranges);
        assertThat(new TreeSet<>(second.bodies())).isEqualTo(ofLemons);
        assertThat(first.messages()).extracting(MessageExt::getTopic).containsOnly(oranges);
        assertThat(second.messages()).extracting(MessageExt::getTopic).containsOnly(lemons);
    }

    @Test
    void aRollingChangeLosesNothingThatTheNewVersionWants() throws Exception {
        String topic = Stock.unique("rolling");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        List<Stock.Inbox> inboxes = new ArrayList<>();
        inboxes.add(member(group, topic, MessageSelector.byTag("OLD")));
        inboxes.add(member(group, topic, MessageSelector.byTag("OLD")));
        Set<String> wanted = new TreeSet<>();
        inboxes.add(member(group, topic, MessageSelector.byTag("OLD || NEW")));
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 20; i++) {
                String body = (i % 2 == 0 ? "OLD" : "NEW") + round + "-" + i;
                producer.send(message(topic, body.substring(0, 3), "", body));
                wanted.add(body);
            }
            if (round < 2) {
                DefaultMQPushConsumer old = members.remove(0);
                inboxes.add(member(group, topic, MessageSelector.byTag("OLD || NEW")));
                old.shutdown();
            }
        }
        awaitRebalancing(
                "everything",
                () -> inboxes.stream()
                        .flatMap(inbox -> inbox.bodies().stream())
                        .toList()
                        .containsAll(wanted));
        assertThat(inboxes.get(0).bodies()).allMatch(body -> body.startsWith("OLD"));
        assertThat(inboxes.get(1).bodies()).allMatch(body -> body.startsWith("OLD"));
    }

    @Test
    void whatIsWantedFromNowOnIsNotPassedByThePullsThatWait() throws Exception {
        String topic = Stock.unique("changed");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        Stock.Inbox inbox = member(Stock.unique("readers"), topic, MessageSelector.byTag("A"));
        producer.send(message(topic, "A", "", "a"));
        Stock.await(
                "the first, so that the next pull waits",
                LIMIT,
                () -> inbox.bodies().contains("a"));
        for (int i = 0; i < 5; i++) {
            String tags = "A || B" + i;
            members.get(0).subscribe(topic, tags);
            producer.send(message(topic, "B" + i, "", "b" + i));
            String wanted = "b" + i;
            Stock.await(tags, LIMIT, () -> inbox.bodies().contains(wanted));
        }
    }
}
