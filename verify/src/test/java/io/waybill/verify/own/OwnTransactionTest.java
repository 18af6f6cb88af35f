/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnTransactionTest {
    @RegisterExtension
    static final TestBroker broker =
            TestBroker.with("transactionTimeoutMillis", "300").and("transactionCheckMillis", "300");

    private final Own own = new Own(broker);
    private final String topic = Own.unique("payments");

    @BeforeEach
    void connect() {
        own.client().admin().topics().create(topic, 4);
    }

    @Test
    void commitIsSeenRollbackIsNotAndSilenceIsAskedFor() {
        Map<String, Decision> truth = new ConcurrentHashMap<>();
        TransactionProducer producer = own.client()
                .transactionProducer("payment-service")
                .listener(listener(
                        m -> switch (m.tag()) {
                            case "commit" -> Decision.COMMIT;
                            case "rollback" -> Decision.ROLLBACK;
                            default -> Decision.UNKNOWN;
                        },
                        m -> truth.getOrDefault(m.messageId(), Decision.UNKNOWN)))
                .build();
        TransactionReceipt committed = producer.send(Own.message(topic, "commit", "k1", "committed"));
        TransactionReceipt rolledBack = producer.send(Own.message(topic, "rollback", "k2", "rolled back"));
        TransactionReceipt laterYes = producer.send(Own.message(topic, "later", "k3", "committed by check"));
        TransactionReceipt laterNo = producer.send(Own.message(topic, "later", "k4", "rolled back by check"));
        truth.put(laterYes.messageId(), Decision.COMMIT);
        truth.put(laterNo.messageId(), Decision.ROLLBACK);
        assertThat(committed.decided()).isTrue();
        assertThat(rolledBack.decided()).isTrue();
        assertThat(laterYes.decision()).isEqualTo(Decision.UNKNOWN);
        assertThat(laterYes.decided()).isFalse();

        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(2);
        awaitNoneOpen(producer);
        assertThat(inbox.texts()).containsExactlyInAnyOrder("committed", "committed by check");
        assertThat(inbox.messages())
                .extracting(ReceivedMessage::messageId)
                .containsExactlyInAnyOrder(committed.messageId(), laterYes.messageId());
    }

    @Test
    void anExceptionInTheListenerIsUndecidedNotLost() {
        TransactionProducer producer = own.client()
                .transactionProducer(Own.unique("payment-service"))
                .listener(listener(
                        m -> {
                            throw new IllegalStateException("the database is away");
                        },
                        m -> Decision.COMMIT))
                .build();
        TransactionReceipt receipt = producer.send(Own.message(topic, "t", "k", "survived"));
        assertThat(receipt.decision()).isEqualTo(Decision.UNKNOWN);
        assertThat(receipt.failure()).hasMessageContaining("the database is away");
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("survived");
    }

    /**
     * The order that was lost: its transaction takes longer than the time to the first check, and whoever is asked finds no order yet and says
     * ROLLBACK, as the common example does, in this process and in another one.
     */
    @Test
    void aTransactionThatTakesLongerThanItsCheckIsNotLost() {
        String group = Own.unique("payment-service");
        AtomicInteger asked = new AtomicInteger();
        Function<ReceivedMessage, Decision> findsNothing = m -> {
            asked.incrementAndGet();
            return Decision.ROLLBACK;
        };
        Admin admin = own.client().admin();
        try (WaybillClient other = WaybillClient.connect(broker.namesrvAddress());
                WaybillClient sender = WaybillClient.connect(broker.namesrvAddress())) {
            other.transactionProducer(group)
                    .topics(topic)
                    .listener(listener(m -> Decision.UNKNOWN, findsNothing))
                    .build();
            TransactionProducer producer = sender.transactionProducer(group)
                    .listener(listener(
                            m -> {
                                Own.await(
                                        "two checks of the running transaction",
                                        () -> admin.transactions().find(m.id()).orElseThrow().checks().stream()
                                                        .filter(check -> "UNKNOWN".equals(check.answer()))
                                                        .count()
                                                >= 2);
                                return Decision.COMMIT;
                            },
                            findsNothing))
                    .build();
            TransactionReceipt receipt = producer.send(Own.message(topic, "t", "k", "paid"));
            assertThat(receipt.decided()).isTrue();
            assertThat(admin.transactions()
                            .find(receipt.messageId())
                            .orElseThrow()
                            .checks())
                    .allSatisfy(check -> {
                        assertThat(check.client()).startsWith(sender.clientId());
                        assertThat(check.why()).contains("sender");
                    });
        }
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("paid");
        assertThat(asked).hasValue(0);
    }

    @Test
    void theFirstChecksOfAThousandGoToTheirSenderAndThenToTheOther() {
        String group = Own.unique("payment-service");
        Set<String> askedSender = ConcurrentHashMap.newKeySet();
        Set<String> askedOther = ConcurrentHashMap.newKeySet();
        try (WaybillClient other = WaybillClient.connect(broker.namesrvAddress())) {
            other.transactionProducer(group)
                    .topics(topic)
                    .listener(listener(m -> Decision.UNKNOWN, m -> {
                        askedOther.add(m.messageId());
                        return Decision.COMMIT;
                    }))
                    .build();
            WaybillClient sender = WaybillClient.connect(broker.namesrvAddress());
            TransactionProducer producer = sender.transactionProducer(group)
                    .listener(listener(m -> Decision.UNKNOWN, m -> {
                        askedSender.add(m.messageId());
                        return Decision.UNKNOWN;
                    }))
                    .build();
            for (int i = 0; i < 1_000; i++) {
                producer.send(Own.message(topic, "t", "k" + i, "order " + i));
            }
            Own.await("checks of all at the sender", () -> askedSender.size() == 1_000);
            assertThat(askedOther).isEmpty();
            sender.close();
            Own.await("checks of all at the other", () -> askedOther.size() == 1_000);
        }
    }

    @Test
    void anotherInstanceOfTheGroupAnswersForOneThatIsGone() {
        String group = Own.unique("payment-service");
        WaybillClient first = own.client();
        TransactionProducer gone = first.transactionProducer(group)
                .listener(listener(m -> Decision.UNKNOWN, m -> Decision.UNKNOWN))
                .build();
        gone.send(Own.message(topic, "t", "k", "orphan"));
        first.close();
        CompletableFuture<String> asked = new CompletableFuture<>();
        own.client()
                .transactionProducer(group)
                .topics(topic)
                .listener(listener(m -> Decision.UNKNOWN, m -> {
                    asked.complete(m.text());
                    return Decision.COMMIT;
                }))
                .build();
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(1);
        assertThat(inbox.texts()).containsExactly("orphan");
        assertThat(asked).isCompletedWithValue("orphan");
    }

    @Test
    void manyAtOnceDeliverExactlyTheCommittedOnes() {
        TransactionProducer producer = own.client()
                .transactionProducer(Own.unique("payment-service"))
                .listener(listener(
                        m -> decisionOf(m.keys().get(0), false),
                        m -> decisionOf(m.keys().get(0), true)))
                .build();
        List<CompletableFuture<TransactionReceipt>> sends = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            sends.add(producer.sendAsync(Own.message(topic, "t", String.valueOf(i), "tx-" + i), null));
            if (decisionOf(String.valueOf(i), true) == Decision.COMMIT) {
                expected.add("tx-" + i);
            }
        }
        sends.forEach(CompletableFuture::join);
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(expected.size());
        awaitNoneOpen(producer);
        assertThat(inbox.texts()).containsExactlyInAnyOrderElementsOf(expected);
    }

    /** After this nothing of the producer can become visible any more. */
    private void awaitNoneOpen(TransactionProducer producer) {
        Admin admin = own.client().admin();
        Own.await(
                "no transaction to be open",
                () -> admin.transactions().list(1_000).stream()
                        .noneMatch(t -> t.producerGroup().equals(producer.group())));
    }

    /** By number: 0 commit, 1 roll back, 2 commit by check, 3 roll back by check. */
    private static Decision decisionOf(String key, boolean asked) {
        int kind = Integer.parseInt(key) % 4;
        if (kind >= 2 && !asked) {
            return Decision.UNKNOWN;
        }
        return kind % 2 == 0 ? Decision.COMMIT : Decision.ROLLBACK;
    }

    private static TransactionListener listener(
            Function<Message, Decision> execute, Function<ReceivedMessage, Decision> check) {
        return new TransactionListener() {
            @Override
            public Decision execute(Message message, Object argument) {
                return execute.apply(message);
            }

            @Override
            public Decision check(ReceivedMessage message) {
                return check.apply(message);
            }
        };
    }
}
