/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.cli.Shell.Ran;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.WaybillClient;
import io.waybill.server.EmbeddedBroker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What operators put right: dead letters, quarantined keys, delayed messages and undecided transactions, against a real broker. */
@Timeout(180)
@Tag("end-to-end")
class SettlementCommandsTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    static Path directory;

    private static EmbeddedBroker broker;
    private static Shell shell;

    @BeforeAll
    static void start() {
        broker = EmbeddedBroker.in(directory.resolve("data"))
                .with("transactionTimeoutMillis", "300")
                .with("transactionCheckMillis", "300")
                .with("transactionCheckMax", "2")
                .start();
        shell = new Shell(broker);
    }

    @AfterAll
    static void stop() {
        broker.close();
    }

    private static Ran run(String... arguments) {
        return shell.run(arguments);
    }

    private static void send(String topic, String key, String body) {
        Ran sent = run("send", topic, body, "--key", key, "--ordering-key", key);
        assertThat(sent.exitCode()).as(sent.err()).isZero();
    }

    private static int rows(String... arguments) {
        return Math.max(0, run(arguments).lines().size() - 1);
    }

    @Test
    void deadLettersAreShownEditedSentAgainAndDiscarded() throws Exception {
        run("topic", "create", "claims", "--queues", "1");
        for (int i = 0; i < 4; i++) {
            send("claims", "claim-" + i, "hopeless " + i);
        }
        Queue<String> handled = new ConcurrentLinkedQueue<>();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                PushConsumer consumer = client.pushConsumer("judges")
                        .subscribe("claims")
                        .from(StartFrom.FIRST)
                        .onMessage(message -> {
                            if (message.text().startsWith("hopeless") && !"yes".equals(message.property("checked"))) {
                                return ConsumeResult.REJECT;
                            }
                            handled.add(message.text() + " " + message.property("checked"));
                            return ConsumeResult.SUCCESS;
                        })
                        .start()) {
            assertThat(consumer.group()).isEqualTo("judges");
            await().atMost(LONG).until(() -> rows("dlq", "list", "judges") == 4);
            Ran json = run("dlq", "list", "judges", "--max", "2", "-o", "json");
            assertThat(json.out()).contains("\"state\":\"OPEN\"", "\"originTopic\":\"claims\"", "\"deadSinceMillis\":");
            assertThat(json.err()).contains("4 open of 4");
            assertThat(run("dlq", "show", "judges", "0").out()).contains("property DLQ_REASON", "hopeless");
            assertThat(run("dlq", "show", "judges", "0", "-o", "json").out()).contains("\"body\":\"hopeless");
            assertThat(run("dlq", "show", "judges", "99").exitCode()).isEqualTo(3);

            Path body = Files.writeString(directory.resolve("claim.txt"), "settled");
            String[] edited = {"dlq", "redrive", "judges", "0", "--body-file", body.toString(), "-p", "checked=yes"};
            assertThat(run(edited).exitCode()).isEqualTo(5);
            assertThat(run(with(edited, "--dry-run")).err()).contains("1 dead letter would be sent again");
            Ran redriven = run(with(edited, "--to-group", "--reason", "looked at it", "--yes"));
            assertThat(redriven.out()).contains("REDRIVEN");
            assertThat(redriven.err()).contains("1 of 1 settled now");
            await().atMost(LONG).until(() -> handled.contains("settled yes"));
            Ran again = run("dlq", "redrive", "judges", "0", "--yes", "-o", "json");
            assertThat(again.exitCode()).isEqualTo(5);
            assertThat(again.out()).contains("\"answer\":\"ALREADY_SETTLED\"");
            assertThat(run("dlq", "redrive", "judges", "99", "--yes").exitCode())
                    .isEqualTo(3);
            assertThat(run("dlq", "redrive", "judges", "1", "2", "--body-file", body.toString(), "--yes")
                            .exitCode())
                    .isEqualTo(2);

            Ran discarded = run("dlq", "discard", "judges", "1", "--reason", "a test", "--yes");
            assertThat(discarded.out()).contains("DISCARDED");
            Ran rest = run("dlq", "redrive", "judges", "--all", "--rate", "50", "-p", "checked=yes", "--yes");
            assertThat(rest.err()).contains("2 of 2 settled now");
            await().atMost(LONG).until(() -> handled.size() == 3);
            assertThat(rows("dlq", "list", "judges")).isZero();
            assertThat(run("dlq", "list", "judges", "--all").out()).contains("DISCARDED", "REDRIVEN");
            assertThat(run("message", "trace", "claim-1", "--topic", "claims").out())
                    .contains("DEAD_LETTERED");
        }
    }

    @Test
    void aGroupThatPopsGetsWhatIsSentAgainToItAlone() {
        run("topic", "create", "offers", "--queues", "1");
        send("offers", "offer-1", "too late");
        Queue<String> handled = new ConcurrentLinkedQueue<>();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                PushConsumer consumer = client.pushConsumer("buyers")
                        .subscribe("offers")
                        .from(StartFrom.FIRST)
                        .byPop()
                        .onMessage(message -> {
                            if (message.property("prolonged") == null) {
                                return ConsumeResult.REJECT;
                            }
                            handled.add(message.topic() + " " + message.text());
                            return ConsumeResult.SUCCESS;
                        })
                        .start()) {
            assertThat(consumer.group()).isEqualTo("buyers");
            await().atMost(LONG).until(() -> rows("dlq", "list", "buyers") == 1);
            run("dlq", "redrive", "buyers", "0", "--to-group", "-p", "prolonged=yes", "--yes");
            await().atMost(LONG).until(() -> handled.contains("offers too late"));
            await().atMost(LONG)
                    .until(() -> run("group", "backlog", "buyers", "-o", "json")
                            .out()
                            .contains("\"total\":{\"ready\":0,\"readyOldestSeconds\":null,\"inFlight\":0,"
                                    + "\"inFlightOldestSeconds\":null,\"retrying\":0,"));
        }
    }

    private static String[] with(String[] arguments, String... more) {
        String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
        System.arraycopy(more, 0, all, arguments.length, more.length);
        return all;
    }

    @Test
    void aFailingKeyIsQuarantinedShownAndGivenBackInOrder() {
        run("topic", "create", "steps", "--queues", "1");
        run("group", "settings", "walkers", "--quarantine-after", "2");
        send("steps", "bad", "bad 1");
        send("steps", "good", "good 1");
        send("steps", "bad", "bad 2");
        Queue<String> handled = new ConcurrentLinkedQueue<>();
        AtomicBoolean mended = new AtomicBoolean();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                PushConsumer consumer = client.pushConsumer("walkers")
                        .subscribe("steps")
                        .from(StartFrom.FIRST)
                        .suspend(Duration.ofMillis(50))
                        .onMessageInOrder(message -> {
                            if (message.text().startsWith("bad") && !mended.get()) {
                                throw new IllegalStateException("a stone");
                            }
                            handled.add(message.text());
                            return ConsumeResult.SUCCESS;
                        })
                        .start()) {
            assertThat(consumer.group()).isEqualTo("walkers");
            await().atMost(LONG)
                    .until(() -> run("quarantine", "list", "walkers", "-o", "json")
                            .out()
                            .contains("\"messages\":2"));
            await().atMost(LONG).until(() -> handled.contains("good 1"));
            assertThat(run("quarantine", "list", "walkers").out()).contains("steps", "bad", "failed 2 times");
            send("steps", "bad", "bad 3");
            send("steps", "good", "good 2");
            await().atMost(LONG).until(() -> handled.contains("good 2"));
            assertThat(handled).containsExactly("good 1", "good 2");
            await().atMost(LONG)
                    .until(() -> run("quarantine", "list", "walkers", "-o", "json")
                            .out()
                            .contains("\"messages\":3"));
            await().atMost(LONG)
                    .until(() -> run("group", "backlog", "walkers", "-o", "json")
                            .out()
                            .contains("\"quarantined\":3"));
            assertThat(run("doctor", "group", "walkers", "--topic", "steps", "--key", "bad")
                            .out())
                    .contains("QUARANTINED", "waybill quarantine");

            mended.set(true);
            assertThat(run("quarantine", "release", "walkers", "bad", "--topic", "steps")
                            .exitCode())
                    .isEqualTo(5);
            assertThat(run("quarantine", "release", "walkers", "bad", "--topic", "steps", "--dry-run")
                            .err())
                    .contains("quarantined with 3 messages");
            assertThat(run("quarantine", "release", "walkers", "bad", "--topic", "steps", "--yes", "-o", "json")
                            .out())
                    .contains("\"released\":3");
            await().atMost(LONG).until(() -> handled.size() == 5);
            assertThat(handled).containsExactly("good 1", "good 2", "bad 1", "bad 2", "bad 3");
            await().atMost(LONG).until(() -> rows("quarantine", "list", "walkers") == 0);

            assertThat(run("quarantine", "add", "walkers", "late", "--topic", "steps", "--reason", "a test", "--yes")
                            .out())
                    .contains("true");
            assertThat(run("quarantine", "add", "walkers", "late", "--topic", "steps", "--yes", "-o", "json")
                            .out())
                    .contains("\"quarantined\":false");
            send("steps", "late", "late 1");
            await().atMost(LONG)
                    .until(() -> run("quarantine", "list", "walkers", "-o", "json")
                            .out()
                            .contains("\"messages\":1"));
            assertThat(run("quarantine", "discard", "walkers", "late", "--topic", "steps", "--yes", "-o", "json")
                            .out())
                    .contains("\"discarded\":1");
            Ran missing = run("quarantine", "discard", "walkers", "never", "--topic", "steps", "--yes");
            assertThat(missing.exitCode()).isEqualTo(3);
            assertThat(missing.err()).contains("not quarantined", "What to do");
        }
    }

    @Test
    void whatWaitsIsListedMovedAndCancelledWithADefiniteAnswer() {
        run("topic", "create", "wakes", "--queues", "1");
        run("send", "wakes", "one", "--delay", "1h", "--key", "w1", "--unless-topic", "steps", "--unless-key", "w1");
        run("send", "wakes", "two", "--delay", "2h", "--key", "w2");
        run("send", "wakes", "now", "--key", "w3");
        assertThat(run("timer", "list", "--topic", "wakes").lines())
                .hasSize(3)
                .anyMatch(line -> line.contains("steps|w1"));
        assertThat(run("timer", "list", "--topic", "wakes", "--key", "w2", "-o", "json")
                        .out())
                .contains("\"keys\":[\"w2\"]", "\"deliverAtMillis\":");

        String[] move = {"timer", "reschedule", "--topic", "wakes", "--key", "w1", "--at", "2035-01-01T00:00:00Z"};
        Ran unasked = run(move);
        assertThat(unasked.exitCode()).isEqualTo(5);
        assertThat(unasked.err()).contains("--yes").doesNotContain("undone");
        assertThat(run(with(move, "--dry-run")).err()).contains("1 message would be moved to 2035-01-01T00:00:00Z");
        assertThat(run(with(move, "--yes")).out()).startsWith("MOVED").contains("2035-01-01T00:00:00Z");

        String[] cancel = {"timer", "cancel", "--topic", "wakes", "--key", "w2"};
        assertThat(run(cancel).err()).contains("cannot be undone");
        assertThat(run(with(cancel, "--dry-run")).err()).contains("1 message would be cancelled");
        assertThat(run(with(cancel, "--yes", "-o", "json")).out()).startsWith("{\"answer\":\"CANCELLED\"");
        Ran late = run(with(cancel, "--yes"));
        assertThat(late.exitCode()).isEqualTo(5);
        assertThat(late.out()).startsWith("ALREADY_CANCELLED");
        assertThat(run("timer", "cancel", "--topic", "wakes", "--key", "never", "--yes")
                        .exitCode())
                .isEqualTo(3);
        assertThat(run("message", "trace", "w2", "--topic", "wakes").out())
                .containsSubsequence("DELAYED", "CANCELLED", "before its time: cancelled by");
        assertThat(run("timer", "list", "--topic", "no-such-topic").exitCode()).isEqualTo(3);
    }

    @Test
    void aDecisionThatCameTooLateIsListedAndItsMessagePublishedOnce() {
        Message order = Message.to("late-deals").key("deal-9").body("9").build();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                TransactionProducer producer = client.transactionProducer("late-dealers")
                        .listener(new TransactionListener() {
                            @Override
                            public Decision execute(Message message, Object argument) {
                                // What another instance's listener does that finds no order yet.
                                client.admin()
                                        .transactions()
                                        .decide(message.id(), Decision.ROLLBACK, "no such order", "kim");
                                return Decision.COMMIT;
                            }

                            @Override
                            public Decision check(ReceivedMessage message) {
                                return Decision.UNKNOWN;
                            }
                        })
                        .build()) {
            assertThatThrownBy(() -> producer.send(order))
                    .isInstanceOf(TransactionConflictException.class)
                    .hasMessageContaining("no such order")
                    .hasMessageContaining(order.id());
        }
        assertThat(run("tx", "list", "--conflicts", "--producer", "late-dealers", "-o", "json")
                        .out())
                .contains(order.id(), "\"late\":\"COMMIT\"", "\"decided\":\"ROLLED_BACK\"", "no such order");
        assertThat(rows("tx", "list", "--conflicts", "--topic", "late-deals")).isEqualTo(1);
        assertThat(rows("tx", "list", "--conflicts", "--older-than", "1h")).isZero();
        assertThat(run("tx", "publish", order.id()).exitCode()).isEqualTo(2);
        assertThat(run("tx", "publish", order.id(), "--reason", "paid").exitCode())
                .isEqualTo(5);
        assertThat(run("tx", "publish", order.id(), "--reason", "paid", "--dry-run")
                        .err())
                .contains("would be delivered");
        assertThat(run("tx", "publish", "no-such-message", "--reason", "paid", "--yes")
                        .exitCode())
                .isEqualTo(3);
        Ran published = run("tx", "publish", order.id(), "--reason", "paid", "--yes");
        assertThat(published.exitCode()).as(published.err()).isZero();
        assertThat(published.out()).contains("ROLLED_BACK", "publishedBy", "paid");
        Ran again = run("tx", "publish", order.id(), "--reason", "paid", "--yes");
        assertThat(again.exitCode()).isEqualTo(5);
        assertThat(again.err()).contains("delivered after all", "paid");
        assertThat(run("message", "trace", order.id()).out())
                .containsSubsequence("HALF_STORED", "ROLLED_BACK", "CONFLICT", "PUBLISHED", "VISIBLE");
        assertThat(run("tx", "show", order.id(), "-o", "json").out()).contains("\"conflicts\":[{", "\"publishedBy\":");
    }

    @Test
    void transactionsAreListedWithTheirChecksAndDecidedWithAReason() {
        TransactionListener undecided = new TransactionListener() {
            @Override
            public Decision execute(Message message, Object argument) {
                return Decision.UNKNOWN;
            }

            @Override
            public Decision check(ReceivedMessage message) {
                return Decision.UNKNOWN;
            }
        };
        Message one = Message.to("deals").key("deal-1").body("1").build();
        Message two = Message.to("deals").key("deal-2").body("2").build();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                TransactionProducer producer = client.transactionProducer("dealers")
                        .listener(undecided)
                        .build()) {
            producer.send(one);
            await().atMost(LONG)
                    .until(() -> run("tx", "show", one.id(), "-o", "json").out().contains("EXHAUSTED"));
            Ran given = run("tx", "show", one.id(), "-o", "json");
            assertThat(given.out())
                    .contains("\"check\":1", "\"check\":2", "\"answer\":\"UNKNOWN\"", "\"checks\":2,", "deal-1");
            assertThat(run("tx", "resume", one.id()).exitCode()).isEqualTo(5);
            assertThat(run("tx", "resume", one.id(), "--dry-run").err()).contains("would be opened again");
        }
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress())) {
            // Nobody of the group is there to be asked, so what is open stays open.
            TransactionProducer producer =
                    client.transactionProducer("brokers").listener(undecided).build();
            producer.send(two);
            producer.close();
            assertThat(run("tx", "resume", one.id(), "--reason", "try again", "--yes", "-o", "json")
                            .out())
                    .contains("\"stage\":\"OPEN\"");
            assertThat(rows("tx", "list")).isEqualTo(2);
            assertThat(rows("tx", "list", "--producer", "brokers", "--topic", "deals"))
                    .isEqualTo(1);
            assertThat(rows("tx", "list", "--older-than", "1h")).isZero();
            assertThat(rows("tx", "list", "--younger-than", "1h", "--max", "1")).isEqualTo(1);
            assertThat(run("tx", "commit", two.id()).exitCode()).isEqualTo(5);
            Ran committed = run("tx", "commit", two.id(), "--reason", "paid by phone", "--yes");
            assertThat(committed.out()).contains("COMMITTED", "paid by phone");
            Ran late = run("tx", "rollback", two.id(), "--yes");
            assertThat(late.exitCode()).isEqualTo(5);
            assertThat(late.err()).contains("paid by phone");
            assertThat(run("tx", "rollback", one.id(), "--reason", "withdrawn", "--yes")
                            .out())
                    .contains("ROLLED_BACK", "withdrawn");
            assertThat(run("tx", "resume", two.id(), "--yes").exitCode()).isEqualTo(5);
            assertThat(run("message", "trace", two.id()).out())
                    .containsSubsequence("HALF_STORED", "COMMITTED", "VISIBLE");
        }
    }
}
