/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Filter;
import io.waybill.client.Groups;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnPopTest {
    private static final Duration LONG = Duration.ofMinutes(10);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private Admin admin;
    private Producer producer;
    private final String topic = Own.unique("jobs");
    private final String group = Own.unique("workers");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 4);
        producer = own.client().producer("shop").build();
    }

    private void send(int from, int to) {
        for (int i = from; i < to; i++) {
            producer.send(Own.message(topic, i % 2 == 0 ? "EVEN" : "ODD", "k" + i, "m" + i));
        }
    }

    private static List<ReceivedMessage> all(SimpleConsumer consumer, int count, Duration invisible) {
        List<ReceivedMessage> messages = new ArrayList<>();
        Own.await(count + " messages", () -> {
            messages.addAll(consumer.receive(32, invisible, Duration.ofMillis(300)));
            return messages.size() >= count;
        });
        return messages;
    }

    private static Set<String> texts(List<ReceivedMessage> messages) {
        Set<String> texts = new TreeSet<>();
        messages.forEach(message -> texts.add(message.text()));
        return texts;
    }

    @Test
    void acknowledgedMessagesAreDoneAndTheOthersComeAgain() {
        send(0, 20);
        SimpleConsumer one = own.client().simpleConsumer(group).subscribe(topic).build();
        List<ReceivedMessage> taken = all(one, 20, LONG);
        assertThat(texts(taken)).hasSize(20);
        assertThat(taken).allMatch(message -> message.delivery().attempt() == 1);
        one.ack(taken.get(0));
        one.ack(List.copyOf(taken.subList(1, 10)));
        ReceivedMessage dead = taken.get(10);
        one.reject(dead);
        assertThat(admin.deadLetters().list(group, 0, 10, false).open()).isEqualTo(1);

        // Another member gets what is given back, and nothing of what is held or done.
        SimpleConsumer two = own.client().simpleConsumer(group).subscribe(topic).build();
        assertThat(two.receive(32, LONG, Duration.ZERO)).isEmpty();
        ReceivedMessage back = taken.get(11);
        one.changeInvisible(back, Duration.ZERO);
        List<ReceivedMessage> again = all(two, 1, LONG);
        assertThat(again).extracting(ReceivedMessage::messageId).containsExactly(back.messageId());
        assertThat(again.get(0).delivery().attempt()).isEqualTo(2);
        two.ack(again);
        // The acknowledgement of one who does not hold it any more ends nothing and is no error.
        one.ack(back);
        one.ack(List.copyOf(taken.subList(12, 20)));
        assertThat(admin.groups().backlog(group).total().ready().messages()).isZero();
        Own.await("nothing in flight", () -> {
            Groups.TopicBacklog total = admin.groups().backlog(group).total();
            return total.inFlight().messages() == 0 && total.ready().messages() == 0;
        });
    }

    @Test
    void whatIsNotAcknowledgedInTimeComesAgain() {
        send(0, 1);
        SimpleConsumer consumer =
                own.client().simpleConsumer(group).subscribe(topic).build();
        ReceivedMessage first = all(consumer, 1, Duration.ofSeconds(1)).get(0);
        ReceivedMessage second = all(consumer, 1, LONG).get(0);
        assertThat(second.messageId()).isEqualTo(first.messageId());
        assertThat(second.delivery().attempt()).isEqualTo(2);
        consumer.ack(second);
    }

    @Test
    void filtersAndBeginningsWork() {
        send(0, 10);
        SimpleConsumer even = own.client()
                .simpleConsumer(Own.unique("even"))
                .subscribe(topic, Filter.tags("EVEN"))
                .build();
        assertThat(texts(all(even, 5, LONG))).containsExactly("m0", "m2", "m4", "m6", "m8");
        SimpleConsumer sql = own.client()
                .simpleConsumer(Own.unique("sql"))
                .subscribe(topic, Filter.sql("KEYS IN ('k1', 'k8')"))
                .build();
        assertThat(texts(all(sql, 2, LONG))).containsExactly("m1", "m8");
        SimpleConsumer last = own.client()
                .simpleConsumer(Own.unique("last"))
                .subscribe(topic)
                .from(StartFrom.LAST)
                .build();
        assertThat(last.receive(32, LONG, Duration.ZERO)).isEmpty();
        SimpleConsumer since = own.client()
                .simpleConsumer(Own.unique("since"))
                .subscribe(topic)
                .from(Instant.now().minusSeconds(3_600))
                .build();
        assertThat(texts(all(since, 10, LONG))).hasSize(10);
    }

    @Test
    void pushConsumersByPopShareWhatThereIsWithoutOwningQueues() {
        Set<String> handled = ConcurrentHashMap.newKeySet();
        Set<String> members = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < 6; i++) { // more members than queues
            WaybillClient client = own.client();
            client.pushConsumer(group)
                    .subscribe(topic)
                    .from(StartFrom.FIRST)
                    .byPop()
                    .threads(1)
                    .maxCachedMessages(4)
                    .onMessage(message -> {
                        if (message.text().equals("m7") && message.delivery().attempt() == 1) {
                            return ConsumeResult.retryAfter(Duration.ofMillis(100));
                        }
                        members.add(client.clientId());
                        handled.add(message.text());
                        return ConsumeResult.SUCCESS;
                    })
                    .start();
        }
        Own.await("six members", () -> admin.groups().members(group).size() == 6);
        send(0, 200);
        Own.await("all messages", () -> handled.size() == 200);
        assertThat(members.size()).isGreaterThan(1);
        Own.await("the backlog to be empty", () -> {
            Groups.TopicBacklog total = admin.groups().backlog(group).total();
            return total.ready().messages() == 0 && total.inFlight().messages() == 0;
        });
    }

    @Test
    void aGroupGoesFromPopToPullAndBackWithoutLosingAnything() {
        send(0, 10);
        WaybillClient popping = own.client();
        SimpleConsumer pop = popping.simpleConsumer(group).subscribe(topic).build();
        pop.ack(all(pop, 10, LONG));
        pop.close();
        send(10, 20);
        WaybillClient pulling = own.client();
        Own.Inbox inbox = new Own.Inbox();
        pulling.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(inbox::add)
                .start();
        inbox.awaitCount(10);
        assertThat(texts(inbox.messages()))
                .hasSize(10)
                .allMatch(text -> text.compareTo("m10") >= 0 && text.length() == 3);
        pulling.close();
        send(20, 30);
        SimpleConsumer again =
                own.client().simpleConsumer(group).subscribe(topic).build();
        assertThat(texts(all(again, 10, LONG))).hasSize(10).allMatch(text -> text.compareTo("m20") >= 0);
    }
}
