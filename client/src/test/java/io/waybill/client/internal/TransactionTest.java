/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.TransactionInspector;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TransactionTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 1);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final BlockingQueue<ReceivedMessage> checks = new LinkedBlockingQueue<>();
    private volatile Decision decision = Decision.COMMIT;
    private volatile Decision answer = Decision.COMMIT;
    private volatile RuntimeException thrown;
    private volatile Object argument;
    private volatile Consumer<Message> working = message -> {};

    private final TransactionListener listener = new TransactionListener() {
        @Override
        public Decision execute(Message message, Object value) {
            argument = value;
            working.accept(message);
            if (thrown != null) {
                throw thrown;
            }
            return decision;
        }

        @Override
        public Decision check(ReceivedMessage message) {
            checks.add(message);
            if (thrown != null) {
                throw thrown;
            }
            return answer;
        }
    };
    private final TransactionProducer producer =
            client.transactionProducer("tx").listener(listener).build();

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private Message order() {
        return Message.to("orders").key("o1").body("order").build();
    }

    private List<Command> ends() {
        return broker.seen(RequestCode.END_TRANSACTION);
    }

    @Test
    void theBrokerKnowsTheGroupThenGetsTheHalfThenTheDecision() {
        Message message = order();
        TransactionReceipt receipt = producer.send(message, 42);
        assertThat(receipt.decision()).isEqualTo(Decision.COMMIT);
        assertThat(receipt.decided()).isTrue();
        assertThat(receipt.failure()).isNull();
        assertThat(receipt.messageId()).isEqualTo(message.id());
        assertThat(argument).isEqualTo(42);
        assertThat(broker.producers("tx")).hasSize(1);
        SendMessageHeader half = SendMessageHeader.read(
                broker.seen(RequestCode.SEND_MESSAGE_V2).get(0).fields());
        assertThat(half.sysFlag()).isEqualTo(SysFlag.TRANSACTION_PREPARED);
        assertThat(MessageProperties.decode(half.properties()))
                .containsEntry("TRAN_MSG", "true")
                .containsEntry("PGROUP", "tx");
        EndTransactionHeader end = EndTransactionHeader.read(ends().get(0).fields());
        assertThat(end.producerGroup()).isEqualTo("tx");
        assertThat(end.tranStateTableOffset()).isEqualTo(7);
        assertThat(end.commitLogOffset()).isZero();
        assertThat(end.commitOrRollback()).isEqualTo(8);
        assertThat(end.fromTransactionCheck()).isFalse();
        assertThat(end.msgId()).isEqualTo(message.id());
    }

    @Test
    void aRollbackIsTold() {
        decision = Decision.ROLLBACK;
        TransactionReceipt receipt = producer.send(order());
        assertThat(receipt.decided()).isTrue();
        assertThat(EndTransactionHeader.read(ends().get(0).fields()).commitOrRollback())
                .isEqualTo(12);
    }

    @Test
    void anUndecidedOrBrokenListenerLeavesItToTheCheck() {
        decision = Decision.UNKNOWN;
        assertThat(producer.send(order()).decided()).isFalse();
        thrown = new IllegalStateException("database away");
        TransactionReceipt broken = producer.send(order());
        assertThat(broken.decision()).isEqualTo(Decision.UNKNOWN);
        assertThat(broken.failure()).hasMessage("database away");
        await().until(() -> ends().size() == 2);
        assertThat(ends()).allMatch(Command::isOneway);
        assertThat(ends().get(1).remark()).contains("database away");
    }

    @Test
    void aHalfMessageThatWasNotStoredRunsNothing() {
        broker.refuseNext(RequestCode.SEND_MESSAGE_V2, 13, "too big");
        assertThatThrownBy(() -> producer.send(order(), "ran")).isInstanceOf(WaybillException.class);
        assertThat(argument).isNull();
        assertThat(ends()).isEmpty();
    }

    @Test
    void aHalfMessageThatMayBeStoredIsNotSentAgain() {
        broker.next(RequestCode.SEND_MESSAGE_V2, request -> request.connection().close());
        assertThatThrownBy(() -> producer.send(order(), "ran"))
                .isInstanceOfSatisfying(
                        WaybillException.class,
                        e -> assertThat(e.mayHaveBeenStored()).isTrue());
        assertThat(argument).isNull();
        assertThat(broker.seen(RequestCode.SEND_MESSAGE_V2)).hasSize(1);
    }

    @Test
    void aHalfMessageThatIsNotSafeIsRolledBack() {
        broker.next(
                RequestCode.SEND_MESSAGE_V2,
                request -> request.reply(Command.response(10, "FLUSH_DISK_TIMEOUT")
                        .field("msgId", broker.offsetId(0))
                        .field("queueId", 0)
                        .field("queueOffset", 3)
                        .build()));
        TransactionReceipt receipt = producer.send(order(), "ran");
        assertThat(receipt.decision()).isEqualTo(Decision.ROLLBACK);
        assertThat(argument).isNull();
        assertThat(EndTransactionHeader.read(ends().get(0).fields()).commitOrRollback())
                .isEqualTo(12);
    }

    @Test
    void aDecisionThatDoesNotArriveIsSaid() {
        broker.refuseNext(RequestCode.END_TRANSACTION, 1, "no such half");
        TransactionReceipt receipt = producer.send(order());
        assertThat(receipt.decided()).isFalse();
        assertThat(receipt.failure()).hasMessageContaining("no such half");
    }

    @Test
    void aDecisionThatComesTooLateIsAnExceptionOfItsOwn() {
        for (boolean async : new boolean[] {false, true}) {
            broker.next(
                    RequestCode.END_TRANSACTION,
                    request -> request.reply(Command.response(604, "the transaction was rolled back")
                            .field("decided", "ROLLED_BACK")
                            .field("decidedTimestamp", 1_500)
                            .field("decidedBy", "producer group tx, client other at 10.0.0.2:4711")
                            .build()));
            Message message = order();
            assertThatThrownBy(() -> {
                        if (async) {
                            producer.sendAsync(message, null).get();
                        } else {
                            producer.send(message);
                        }
                    })
                    .satisfies(thrown -> {
                        Throwable inner = ClientExceptions.unwrap(thrown);
                        assertThat(inner).isInstanceOfSatisfying(TransactionConflictException.class, conflict -> {
                            assertThat(conflict.messageId()).isEqualTo(message.id());
                            assertThat(conflict.decision()).isEqualTo(Decision.COMMIT);
                            assertThat(conflict.outcome())
                                    .isEqualTo(TransactionInspector.TransactionState.Stage.ROLLED_BACK);
                            assertThat(conflict.decidedAt()).isEqualTo(Instant.ofEpochMilli(1_500));
                            assertThat(conflict.decidedBy()).contains("client other");
                            assertThat(conflict.code()).isEqualTo(604);
                            assertThat(conflict)
                                    .hasMessageContaining("waybill tx publish " + message.id())
                                    .hasMessageContaining("10.0.0.2");
                        });
                    });
            answer = Decision.ROLLBACK;
        }
        broker.refuseNext(RequestCode.END_TRANSACTION, 604, "only the answer to a check ends it now");
        assertThat(producer.send(order()).decided()).isFalse();
    }

    @Test
    void anAsyncTransactionEndsTheSame() {
        assertThat(producer.sendAsync(order(), 1).join().decided()).isTrue();
    }

    @Test
    void aCheckIsAnsweredWithItsOwnNumbers() throws Exception {
        TransactionReceipt sent = producer.send(order());
        answer = Decision.ROLLBACK;
        broker.check("tx", 12_345, broker.at(0), sent.messageId());
        ReceivedMessage asked = checks.poll(10, TimeUnit.SECONDS);
        assertThat(asked.messageId()).isEqualTo(sent.messageId());
        assertThat(asked.text()).isEqualTo("order");
        assertThat(asked.keys()).containsExactly("o1");
        await().until(() -> ends().size() == 2);
        Command end = ends().get(1);
        EndTransactionHeader header = EndTransactionHeader.read(end.fields());
        assertThat(end.isOneway()).isTrue();
        assertThat(header.commitLogOffset()).isEqualTo(12_345);
        assertThat(header.tranStateTableOffset()).isEqualTo(7);
        assertThat(header.fromTransactionCheck()).isTrue();
        assertThat(header.commitOrRollback()).isEqualTo(12);
    }

    private List<Integer> checkAnswers() {
        return ends().stream()
                .map(end -> EndTransactionHeader.read(end.fields()))
                .filter(EndTransactionHeader::fromTransactionCheck)
                .map(EndTransactionHeader::commitOrRollback)
                .toList();
    }

    /** The listener of the public examples: it looks for a row that its own transaction has not committed yet. */
    @Test
    void theListenerIsNotAskedWhileItsTransactionRuns() {
        answer = Decision.ROLLBACK;
        working = message -> {
            broker.check("tx", 0, broker.at(0), message.id());
            await().until(() -> checkAnswers().size() == 1);
        };
        TransactionReceipt receipt = producer.send(order());
        assertThat(receipt.decided()).isTrue();
        assertThat(checkAnswers()).containsExactly(0);
        assertThat(checks).isEmpty();
    }

    @Test
    void noListenerIsAskedAboutASendOfAnotherClientOfThisProcess() {
        answer = Decision.ROLLBACK;
        try (ConnectedClient second = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
                TransactionProducer idle = second.transactionProducer("tx")
                        .listener(listener)
                        .topics("orders")
                        .build()) {
            working = message -> {
                await().until(() -> broker.producers("tx").size() == 2);
                broker.check(0, "tx", 0, broker.at(0), message.id());
                broker.check(1, "tx", 0, broker.at(0), message.id());
                await().until(() -> checkAnswers().size() == 2);
            };
            assertThat(producer.sendAsync(order(), null).join().decided()).isTrue();
            assertThat(idle.group()).isEqualTo("tx");
        }
        assertThat(checkAnswers()).containsExactly(0, 0);
        assertThat(checks).isEmpty();
    }

    @Test
    void aSendWithoutAnAnswerYetIsRunning() {
        answer = Decision.ROLLBACK;
        Message message = order();
        AtomicReference<Request> unanswered = new AtomicReference<>();
        broker.next(RequestCode.SEND_MESSAGE_V2, unanswered::set);
        CompletableFuture<TransactionReceipt> sent = producer.sendAsync(message, null);
        await().until(() -> unanswered.get() != null);
        broker.check("tx", 5_000, broker.half(message), message.id());
        await().until(() -> checkAnswers().size() == 1);
        assertThat(checkAnswers()).containsExactly(0);
        unanswered
                .get()
                .reply(Command.response(0, null)
                        .field("msgId", broker.offsetId(5_000))
                        .field("queueId", 0)
                        .field("queueOffset", 7)
                        .build());
        assertThat(sent.join().decided()).isTrue();
        assertThat(checks).isEmpty();
    }

    @Test
    void untilTheBrokerHasAnsweredItTheDecisionOfExecuteIsTheAnswer() {
        answer = Decision.ROLLBACK;
        AtomicReference<Request> unanswered = new AtomicReference<>();
        broker.next(RequestCode.END_TRANSACTION, unanswered::set);
        Message message = order();
        CompletableFuture<TransactionReceipt> sent = producer.sendAsync(message, null);
        await().until(() -> unanswered.get() != null);
        broker.check("tx", 0, broker.at(0), message.id());
        await().until(() -> checkAnswers().size() == 1);
        assertThat(checkAnswers()).containsExactly(8);
        unanswered.get().reply(Command.response(0, null).build());
        assertThat(sent.join().decided()).isTrue();
        broker.check("tx", 0, broker.at(0), message.id());
        await().until(() -> checkAnswers().size() == 2);
        assertThat(checks)
                .as("the broker knows; why it asks is the listener's to say")
                .hasSize(1);
    }

    @Test
    void aDecisionThatNeverArrivedIsTheAnswerToTheCheck() {
        answer = Decision.ROLLBACK;
        broker.next(RequestCode.END_TRANSACTION, request -> request.connection().close());
        Message message = order();
        TransactionReceipt receipt = producer.send(message);
        assertThat(receipt.decided()).isFalse();
        await().until(() -> broker.producers("tx").size() == 1);
        broker.check("tx", 0, broker.at(0), message.id());
        await().until(() -> checkAnswers().size() == 1);
        assertThat(checkAnswers()).containsExactly(8);
        assertThat(checks).isEmpty();
    }

    /** The half is stored and its answer lost: the transaction was never begun, though one of the same message may be later. */
    @Test
    void aHalfMessageWhoseSenderGaveUpIsRolledBackWithoutTheListener() {
        answer = Decision.COMMIT;
        Message message = order();
        broker.next(RequestCode.SEND_MESSAGE_V2, request -> request.connection().close());
        assertThatThrownBy(() -> producer.send(message, "ran")).isInstanceOf(WaybillException.class);
        ByteBuffer lost = broker.half(message);
        await().until(() -> broker.producers("tx").size() == 1);
        working = again -> {
            broker.check("tx", 5_000, lost, message.id());
            await().until(() -> checkAnswers().size() == 1);
        };
        assertThat(producer.send(message).decided()).isTrue(); // the application tries again
        broker.check("tx", 5_000, lost, message.id());
        await().until(() -> checkAnswers().size() == 2);
        assertThat(checkAnswers()).containsExactly(0, 12);
        assertThat(checks).isEmpty();
    }

    @Test
    void anInterruptedSenderLeavesNoRunningTransactionBehind() {
        AtomicReference<Request> unanswered = new AtomicReference<>();
        broker.next(RequestCode.SEND_MESSAGE_V2, unanswered::set);
        Message message = order();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> producer.send(message, "ran"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
        await().until(() -> unanswered.get() != null);
        ByteBuffer half = broker.half(message);
        broker.check("tx", 5_000, half, message.id());
        await().until(() -> checkAnswers().size() == 1);
        unanswered
                .get()
                .reply(Command.response(0, null)
                        .field("msgId", broker.offsetId(5_000))
                        .field("queueId", 0)
                        .field("queueOffset", 7)
                        .build());
        broker.check("tx", 5_000, half, message.id());
        await().until(() -> checkAnswers().size() == 2);
        assertThat(checkAnswers()).containsExactly(0, 12);
        assertThat(argument).isNull();
        assertThat(checks).isEmpty();
    }

    /** The work is done and stands: whoever is told by an exception that it was not run would do it again. */
    @Test
    void aSenderInterruptedAfterItsWorkIsToldWhatWasDecided() {
        AtomicReference<Request> unanswered = new AtomicReference<>();
        broker.next(RequestCode.END_TRANSACTION, unanswered::set);
        working = message -> Thread.currentThread().interrupt();
        TransactionReceipt receipt = producer.send(order());
        assertThat(Thread.interrupted()).isTrue();
        assertThat(receipt.decision()).isEqualTo(Decision.COMMIT);
        assertThat(receipt.decided()).isFalse();
        assertThat(receipt.failure()).hasMessageContaining("interrupted");
        await().until(() -> unanswered.get() != null);
        assertThat(ends()).hasSize(1);
    }

    /** A broker asks somebody else at once about the half messages of who said goodbye. */
    @Test
    void nobodySaysGoodbyeWhileItsLocalTransactionRuns() throws Exception {
        TransactionProducer slow = client.transactionProducer("slow")
                .listener(listener)
                .sendTimeout(Duration.ofMillis(500))
                .build();
        CompletableFuture<Void> begun = new CompletableFuture<>();
        CountDownLatch end = new CountDownLatch(1);
        working = message -> {
            begun.complete(null);
            try {
                end.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        CompletableFuture<TransactionReceipt> sent;
        do {
            // On a busy machine a half message can miss the short time that close() waits for.
            sent = slow.sendAsync(order(), null);
            CompletableFuture.anyOf(begun, sent.handle((receipt, failure) -> null))
                    .join();
        } while (!begun.isDone());
        slow.close();
        assertThat(broker.seen(RequestCode.UNREGISTER_CLIENT)).isEmpty();
        end.countDown();
        assertThat(sent.join().decided()).isTrue();
        await().until(() -> broker.seen(RequestCode.UNREGISTER_CLIENT).size() == 1);
    }

    @Test
    void aCheckThatThrowsIsUndecided() {
        TransactionReceipt sent = producer.send(order());
        thrown = new IllegalStateException("database away");
        broker.check("tx", 0, broker.at(0), sent.messageId());
        await().until(() -> ends().size() == 2);
        assertThat(EndTransactionHeader.read(ends().get(1).fields()).commitOrRollback())
                .isZero();
    }

    @Test
    void checksOfAnEarlierLifeComeBeforeTheFirstSend() {
        producer.close();
        try (TransactionProducer other = client.transactionProducer("tx")
                .listener(listener)
                .topics("orders")
                .build()) {
            assertThat(broker.producers("tx")).hasSize(1);
            assertThat(other.group()).isEqualTo("tx");
        }
        await().until(() -> broker.seen(RequestCode.UNREGISTER_CLIENT).stream()
                .anyMatch(command -> "tx".equals(command.fields().get("producerGroup"))));
    }

    @Test
    void theGroupIsAnnouncedAgainWhenTheConnectionWasLost() {
        producer.send(order());
        broker.producers("tx").get(0).close();
        await().until(() -> broker.seen(RequestCode.HEART_BEAT).size() == 2
                && broker.producers("tx").size() == 1);
    }

    @Test
    void oneTransactionalProducerPerGroupAndAListenerIsRequired() {
        assertThatThrownBy(() ->
                        client.transactionProducer("tx").listener(listener).build())
                .hasMessageContaining("already");
        assertThatThrownBy(() -> client.transactionProducer("other").build()).hasMessageContaining("listener");
    }
}
