/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.DeadLetters;
import io.waybill.client.DeadLetters.Outcome;
import io.waybill.client.DeadLetters.Redrive;
import io.waybill.client.DeadLetters.Selection;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Dead letters of stock consumers: read by stock consumers, and re-driven to them. */
@Tag("end-to-end")
class StockDeadLetterTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("messageDelayLevels", "100ms 200ms 300ms");

    private static WaybillClient operator;
    private final Stock stock = new Stock(broker);

    @BeforeAll
    static void startBroker() throws Exception {
        operator = WaybillClient.connect(broker.namesrvAddress());
    }

    @AfterAll
    static void stopBroker() throws Exception {
        operator.close();
    }

    /** A group that gives up what is in {@code broken}, and what it received. */
    private record Reader(String topic, String group, Set<String> broken, ConcurrentLinkedQueue<MessageExt> seen) {
        long times(String body) {
            return seen.stream().filter(m -> Stock.text(m).equals(body)).count();
        }

        MessageExt last(String body) {
            return seen.stream()
                    .filter(m -> Stock.text(m).equals(body))
                    .reduce((a, b) -> b)
                    .orElseThrow();
        }
    }

    private Reader reader(String topic, String... broken) throws Exception {
        Reader reader = new Reader(
                topic, Stock.unique("readers"), ConcurrentHashMap.newKeySet(), new ConcurrentLinkedQueue<>());
        reader.broken.addAll(List.of(broken));
        stock.consumer(reader.group, topic, "*", (messages, context) -> {
            reader.seen.addAll(messages);
            context.setDelayLevelWhenNextConsume(-1);
            return messages.stream().anyMatch(m -> reader.broken.contains(Stock.text(m)))
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                    : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        return reader;
    }

    private static DeadLetters deadLetters() {
        return operator.admin().deadLetters();
    }

    private static void awaitLetters(Reader reader, int count) {
        Stock.await(
                "dead letters",
                LIMIT,
                () -> deadLetters().list(reader.group, 0, 100, false).open() == count);
    }

    private static List<Outcome.Answer> answers(List<Outcome> outcomes) {
        return outcomes.stream().map(Outcome::answer).toList();
    }

    @Test
    void lettersAreListedRedrivenOnceAndArriveAsFreshMessages() throws Exception {
        String topic = Stock.unique("dead");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        Reader reader = reader(topic, "bad-1", "bad-2", "bad-3");
        Reader bystander = reader(topic);
        for (String body : List.of("bad-1", "good", "bad-2", "bad-3")) {
            producer.send(message(topic, "PAID", "key-of-" + body, body));
        }
        awaitLetters(reader, 3);
        List<DeadLetters.DeadLetter> letters =
                deadLetters().list(reader.group, 0, 100, false).deadLetters();
        assertThat(letters).allSatisfy(letter -> {
            assertThat(letter.originTopic()).isEqualTo(topic);
            assertThat(letter.tries()).isEqualTo(1);
            assertThat(letter.reason()).contains("consumer");
            assertThat(letter.tag()).isEqualTo("PAID");
        });
        long second = letters.stream()
                .filter(letter -> letter.keys().contains("key-of-bad-2"))
                .findFirst()
                .orElseThrow()
                .offset();
        reader.broken.clear();
        Stock.await("the bystander", LIMIT, () -> bystander.times("bad-3") == 1);
        List<Outcome> one =
                deadLetters().redrive(reader.group, Selection.at(null, second), Redrive.unchanged(), "kim", "fixed");
        assertThat(answers(one)).containsExactly(Outcome.Answer.REDRIVEN);
        Stock.await("the letter again", LIMIT, () -> reader.times("bad-2") == 2 && bystander.times("bad-2") == 2);
        MessageExt again = reader.last("bad-2");
        assertThat(again.getTopic()).isEqualTo(topic);
        assertThat(again.getReconsumeTimes()).isZero();
        assertThat(again.getKeys()).isEqualTo("key-of-bad-2");
        assertThat(again.getProperty("REDRIVEN_BY")).contains("kim").contains("fixed");
        assertThat(again.getProperty("RETRY_TOPIC")).isNull();
        assertThat(again.getProperty("DLQ_REASON")).isNull();

        List<Outcome> twice =
                deadLetters().redrive(reader.group, Selection.at(null, second), Redrive.unchanged(), "kim", null);
        assertThat(answers(twice)).containsExactly(Outcome.Answer.ALREADY_SETTLED);
        List<Outcome> rest = deadLetters()
                .redrive(reader.group, Selection.allOpen(), Redrive.unchanged().onlyToTheGroup(), "kim", null);
        // The retry topic of a push consumer that never failed this way exists since its first heartbeat.
        assertThat(answers(rest)).containsOnly(Outcome.Answer.REDRIVEN).hasSize(2);
        Stock.await("both letters again", LIMIT, () -> reader.times("bad-1") == 2 && reader.times("bad-3") == 2);
        assertThat(reader.last("bad-1").getTopic()).isEqualTo(topic);
        assertThat(bystander.times("bad-1")).isEqualTo(1);
        assertThat(bystander.times("bad-3")).isEqualTo(1);
        assertThat(reader.times("bad-2")).isEqualTo(2);
        DeadLetters.Page page = deadLetters().list(reader.group, 0, 100, true);
        assertThat(page.open()).isZero();
        assertThat(page.deadLetters()).hasSize(3).allMatch(l -> l.state() == DeadLetters.State.REDRIVEN);
    }

    @Test
    void aLetterIsEditedAndAnotherDiscarded() throws Exception {
        String topic = Stock.unique("dead");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        Reader reader = reader(topic, "wrong", "useless");
        producer.send(message(topic, "PAID", "k", "wrong"));
        producer.send(message(topic, "PAID", "k", "useless"));
        awaitLetters(reader, 2);
        List<DeadLetters.DeadLetter> letters =
                deadLetters().list(reader.group, 0, 100, false).deadLetters();
        for (DeadLetters.DeadLetter letter : letters) {
            String body = new String(
                    deadLetters().read(reader.group, letter).orElseThrow().body(), StandardCharsets.UTF_8);
            Selection it = Selection.at(null, letter.offset());
            if (body.equals("useless")) {
                assertThat(answers(deadLetters().discard(reader.group, it, "kim", "a test")))
                        .containsExactly(Outcome.Answer.DISCARDED);
            } else {
                Redrive edited =
                        Redrive.unchanged().property("color", "blue").body("right".getBytes(StandardCharsets.UTF_8));
                assertThat(answers(deadLetters().redrive(reader.group, it, edited, "kim", null)))
                        .containsExactly(Outcome.Answer.REDRIVEN);
            }
        }
        Stock.await("the edited letter", LIMIT, () -> reader.times("right") == 1);
        assertThat(reader.last("right").getProperty("color")).isEqualTo("blue");
        assertThat(reader.times("useless")).isEqualTo(1);
        assertThat(deadLetters().list(reader.group, 0, 100, true).deadLetters())
                .extracting(DeadLetters.DeadLetter::state)
                .containsExactlyInAnyOrder(DeadLetters.State.REDRIVEN, DeadLetters.State.DISCARDED);
    }

    @Test
    void aStockConsumerOfDeadLettersMayFailToo() throws Exception {
        String topic = Stock.unique("dead");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        Reader reader = reader(topic, "bad");
        producer.send(message(topic, "PAID", "k", "bad"));
        awaitLetters(reader, 1);
        stock.awaitRoute("%DLQ%" + reader.group);
        ConcurrentLinkedQueue<MessageExt> seen = new ConcurrentLinkedQueue<>();
        stock.consumer(Stock.unique("dead-readers"), "%DLQ%" + reader.group, "*", (messages, context) -> {
            seen.addAll(messages);
            context.setDelayLevelWhenNextConsume(1);
            return seen.size() < 2
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                    : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Stock.await("the letter twice", LIMIT, () -> seen.size() == 2);
        assertThat(seen).allMatch(m -> Stock.text(m).equals("bad"));
        MessageExt retried = List.copyOf(seen).get(1);
        assertThat(retried.getTopic()).isEqualTo("%DLQ%" + reader.group);
        assertThat(retried.getReconsumeTimes()).isEqualTo(1);
        // What its reader does with it settles nothing.
        assertThat(deadLetters().list(reader.group, 0, 100, false).open()).isEqualTo(1);
        assertThat(answers(deadLetters().redrive(reader.group, Selection.allOpen(), Redrive.unchanged(), "kim", null)))
                .containsExactly(Outcome.Answer.REDRIVEN);
    }
}
