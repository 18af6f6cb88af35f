/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.DeadLetters;
import io.waybill.client.DeadLetters.DeadLetter;
import io.waybill.client.DeadLetters.Outcome;
import io.waybill.client.DeadLetters.Redrive;
import io.waybill.client.DeadLetters.Selection;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionInspector;
import io.waybill.client.TransactionInspector.Query;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.TransactionListener;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.verify.embedded.TestBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What an operator decides by hand: dead letters and transactions. */
@Tag("end-to-end")
class OwnSettlementTest {
    @RegisterExtension
    static final TestBroker broker =
            TestBroker.with("transactionTimeoutMillis", "300").and("transactionCheckMillis", "300");

    private final Own own = new Own(broker);
    private Admin admin;
    private final String topic = Own.unique("bills");
    private final String group = Own.unique("billing");

    @BeforeEach
    void start() {
        admin = own.client().admin();
        admin.topics().create(topic, 2);
    }

    @Test
    void deadLettersAreReadEditedRedrivenAndDiscardedEachOnce() {
        AtomicBoolean healthy = new AtomicBoolean();
        Own.Inbox billed = new Own.Inbox();
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(message -> healthy.get() ? billed.add(message) : ConsumeResult.REJECT)
                .start();
        Own.Inbox others = own.consume(Own.unique("archive"), topic, "*");
        Producer producer = own.client().producer("shop").build();
        for (int i = 0; i < 6; i++) {
            producer.send(Own.message(topic, "t", "order-" + i, "bill " + i));
        }
        DeadLetters letters = admin.deadLetters();
        Own.await("six dead letters", () -> letters.list(group, 0, 10, false).open() == 6);
        others.awaitCount(6);
        DeadLetters.Page page = letters.list(group, 0, 10, false);
        assertThat(page.total()).isEqualTo(6);
        assertThat(page.deadLetters()).hasSize(6).allSatisfy(letter -> {
            assertThat(letter.originTopic()).isEqualTo(topic);
            assertThat(letter.state()).isEqualTo(DeadLetters.State.OPEN);
            assertThat(letter.deadSince()).isNotNull();
            assertThat(letter.reason()).isNotBlank();
            assertThat(letter.keys()).hasSize(1);
        });
        assertThat(letters.read(group, page.deadLetters().get(0)).orElseThrow().text())
                .startsWith("bill ");

        healthy.set(true);
        DeadLetter first = page.deadLetters().get(0);
        List<Outcome> one = letters.redrive(
                group,
                Selection.at(first.broker(), first.offset()),
                Redrive.unchanged()
                        .onlyToTheGroup()
                        .body("corrected".getBytes(StandardCharsets.UTF_8))
                        .property("corrected-by", "ann"),
                "ann",
                "typing mistake");
        assertThat(one)
                .singleElement()
                .satisfies(outcome -> assertThat(outcome.answer()).isEqualTo(Outcome.Answer.REDRIVEN));
        billed.awaitCount(1);
        ReceivedMessage corrected = billed.messages().get(0);
        assertThat(corrected.text()).isEqualTo("corrected");
        assertThat(corrected.property("corrected-by")).isEqualTo("ann");
        assertThat(corrected.topic()).isEqualTo(topic);
        assertThat(letters.redrive(
                                group, Selection.at(first.broker(), first.offset()), Redrive.unchanged(), "bob", null)
                        .get(0)
                        .answer())
                .isEqualTo(Outcome.Answer.ALREADY_SETTLED);

        DeadLetter second = page.deadLetters().get(1);
        assertThat(letters.discard(group, Selection.at(second.broker(), second.offset()), "ann", "paid by cheque")
                        .get(0)
                        .answer())
                .isEqualTo(Outcome.Answer.DISCARDED);
        assertThat(letters.list(group, 0, 10, false).open()).isEqualTo(4);

        List<Outcome> rest =
                letters.redrive(group, Selection.allOpen(), Redrive.unchanged().rate(200), "ann", "fixed");
        assertThat(rest).hasSize(4).allMatch(outcome -> outcome.answer() == Outcome.Answer.REDRIVEN);
        billed.awaitCount(5);
        others.awaitCount(10); // to the topic: everybody gets those again
        assertThat(billed.texts()).doesNotContain("bill x").hasSize(5);
        assertThat(letters.list(group, 0, 10, false).open()).isZero();
        assertThat(letters.list(group, 0, 10, true).deadLetters())
                .extracting(DeadLetter::state)
                .containsOnly(DeadLetters.State.REDRIVEN, DeadLetters.State.DISCARDED);
    }

    @Test
    void transactionsAreListedWithTheirChecksAndDecidedWithAReason() {
        String producerGroup = Own.unique("checkout");
        WaybillClient service = own.client();
        Message message = Own.message(topic, "t", "order-7", "pay");
        service.transactionProducer(producerGroup)
                .listener(new TransactionListener() {
                    @Override
                    public Decision execute(Message half, Object argument) {
                        return Decision.UNKNOWN;
                    }

                    @Override
                    public Decision check(ReceivedMessage half) {
                        return Decision.UNKNOWN;
                    }
                })
                .build()
                .send(message);
        TransactionInspector inspector = admin.transactions();
        Own.await(
                "two checks",
                () -> inspector.find(message.id()).orElseThrow().checks().stream()
                                .filter(check -> check.answer() != null)
                                .count()
                        >= 2);
        assertThat(inspector.list(Query.first(100).topic(topic).producerGroup(producerGroup)))
                .extracting(TransactionState::messageId)
                .containsExactly(message.id());
        assertThat(inspector.list(Query.first(100).topic(topic).olderThan(Duration.ofHours(1))))
                .isEmpty();
        assertThat(inspector.list(Query.first(100).topic(topic).youngerThan(Duration.ofHours(1))))
                .hasSize(1);
        TransactionInspector.Check check =
                inspector.find(message.id()).orElseThrow().checks().get(0);
        assertThat(check.number()).isEqualTo(1);
        assertThat(check.client()).contains(service.clientId());
        assertThat(check.answer()).isEqualTo("UNKNOWN");

        TransactionState decided = inspector.decide(message.id(), Decision.COMMIT, "the bank has the money", "ann");
        assertThat(decided.stage()).isEqualTo(TransactionState.Stage.COMMITTED);
        assertThat(decided.decidedBy()).contains("ann").contains("the bank has the money");
        Own.Inbox inbox = own.consume(group, topic, "*");
        inbox.awaitCount(1);
        assertThatThrownBy(() -> inspector.decide(message.id(), Decision.ROLLBACK, "no", "bob"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.REFUSED));
        assertThat(inspector.find(message.id()).orElseThrow().checks()).isNotEmpty();
        assertThat(inspector.find("nothing")).isEmpty();
    }
}
