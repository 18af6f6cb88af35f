/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.cli.Shell.Ran;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.WaybillClient;
import io.waybill.server.EmbeddedBroker;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The commands against a real broker: what is on standard output, what on standard error, and the exit code. */
@Timeout(120)
@Tag("end-to-end")
class CommandsTest {
    @TempDir
    static Path directory;

    private static EmbeddedBroker broker;

    @BeforeAll
    static void start() {
        broker = EmbeddedBroker.in(directory.resolve("data"))
                .with("transactionTimeoutMillis", "3600000")
                .start();
    }

    @AfterAll
    static void stop() {
        broker.close();
    }

    private static Ran run(String... arguments) {
        return new Shell(broker).run(arguments);
    }

    private static Ran runWith(String input, String... arguments) {
        return new Shell(broker).runWith(input, arguments);
    }

    @Test
    void topicsAreCreatedListedAndDescribed() {
        assertThat(run("topic", "create", "made", "--queues", "3", "-o", "json").out())
                .isEqualTo("{\"topic\":\"made\",\"queues\":3}\n");
        assertThat(run("topic", "list", "-q").lines()).contains("made");
        assertThat(run("topic", "list").lines().get(0)).isEqualTo("TOPIC");
        assertThat(run("topic", "describe", "made").lines())
                .hasSize(4)
                .first()
                .asString()
                .contains("QUEUE", "MINOFFSET");
        assertThat(run("topic", "describe", "made", "-o", "json").out())
                .startsWith(
                        "{\"topic\":\"made\",\"messages\":0,\"groups\":[],\"queues\":[{\"broker\":\"broker-a\",\"queue\":0");
        Ran missing = run("topic", "describe", "nowhere");
        assertThat(missing.exitCode()).isEqualTo(3);
        assertThat(missing.out()).isEmpty();
        assertThat(missing.err()).contains("nowhere").contains("What to do");
        assertThat(run("topic", "create", "../../x").exitCode()).isEqualTo(2);
    }

    @Test
    void theStatusOfTheBrokersIsShown() {
        Ran table = run("status");
        assertThat(table.exitCode()).isZero();
        assertThat(table.lines().get(0)).contains("BROKER", "STATE", "INPERSECOND", "DISKUSED");
        assertThat(table.lines().get(1)).contains("broker-a", broker.brokerAddress(), "OPEN", " %");
        assertThat(run("status", "-o", "json").out())
                .startsWith("[{\"broker\":\"broker-a\",")
                .contains("\"state\":\"OPEN\"", "\"viewsBehindBytes\":0")
                .doesNotContain("figures");
        assertThat(run("status", "--all").out()).contains("putMessageDistributeTime", "[<=0ms]:");
        assertThat(run("status", "--all", "-o", "json").out()).contains("\"figures\":{", "commitLogDirCapacity");
    }

    @Test
    void whatIsSentIsConsumedAndReplayed() {
        Ran sent = run("send", "moved", "first é", "--tag", "A", "--key", "k1", "-p", "shop=7", "-o", "json");
        assertThat(sent.exitCode()).isZero();
        assertThat(sent.out()).contains("\"topic\":\"moved\"", "\"durability\":\"CONFIRMED\"");
        Ran lines = runWith("second\nthird\n", "send", "moved", "--lines", "--tag", "B", "--ordering-key", "k");
        assertThat(lines.lines()).hasSize(2);
        assertThat(lines.err()).isEqualTo("2 messages sent\n");

        assertThat(run("consume", "moved", "--wait", "500ms").lines())
                .hasSize(3)
                .anyMatch(line -> line.endsWith("A  k1  first é"));
        assertThat(run("consume", "moved", "--tags", "A", "--max", "1", "-o", "json")
                        .out())
                .contains("\"body\":\"first é\"", "\"tag\":\"A\"", "\"keys\":[\"k1\"]", "\"shop\":\"7\"");
        assertThat(run("consume", "moved", "--group", "moved-reader", "--max", "2")
                        .lines())
                .hasSize(2);
        assertThat(run("consume", "moved", "--group", "moved-reader", "--wait", "500ms")
                        .lines())
                .hasSize(1);

        Ran preview = run("replay", "moved", "--from", "1h", "--preview", "-o", "json");
        assertThat(preview.out()).contains("\"count\":3,\"exact\":true");
        assertThat(run("replay", "moved", "--from", "1h", "--into", "moved-again")
                        .lines())
                .hasSize(3);
        Ran again = run("replay", "moved", "--from", "1h", "--into", "moved-again");
        assertThat(again.exitCode()).isZero();
        assertThat(again.err()).contains("done by an earlier run");
    }

    @Test
    void aDelayedMessageGivesAHandle() {
        assertThat(run("send", "later", "x", "--delay", "1h", "-o", "json").out())
                .contains("\"recallHandle\":\"");
    }

    @Test
    void transactionsAreListedShownAndDecidedByHand() {
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
        Message one = Message.to("paid").key("order-1").body("1").build();
        Message two = Message.to("paid").key("order-2").body("2").build();
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                TransactionProducer producer = client.transactionProducer("orders-service")
                        .listener(undecided)
                        .build()) {
            producer.send(one, null);
            producer.send(two, null);
            assertThat(run("tx", "list").lines()).hasSize(3);
            assertThat(run("tx", "show", one.id(), "-o", "json").out())
                    .contains("\"stage\":\"OPEN\"", "\"producerGroup\":\"orders-service\"");

            Ran unasked = run("tx", "commit", one.id());
            assertThat(unasked.exitCode()).isEqualTo(5);
            assertThat(unasked.err()).contains("--yes");
            assertThat(run("tx", "commit", one.id(), "--dry-run").err()).contains("would be decided: COMMIT");
            assertThat(run("tx", "show", one.id()).out()).contains("OPEN");

            assertThat(run("tx", "commit", one.id(), "--yes", "--reason", "paid by phone", "-o", "json")
                            .out())
                    .contains("\"stage\":\"COMMITTED\"", "paid by phone");
            assertThat(run("tx", "rollback", two.id(), "--yes").out()).contains("ROLLED_BACK");
            Ran late = run("tx", "rollback", one.id(), "--yes");
            assertThat(late.exitCode()).isEqualTo(5);
            assertThat(run("tx", "list", "-o", "json").out()).isEqualTo("[]\n");
        }
        assertThat(run("consume", "paid", "--wait", "500ms").lines()).hasSize(1);
        assertThat(run("tx", "show", "0123456789ABCDEF0123456789ABCDEF").exitCode())
                .isEqualTo(3);
    }

    @Test
    void aClosedStoreIsCheckedAndDumped() {
        Path data = directory.resolve("closed");
        try (EmbeddedBroker own = EmbeddedBroker.in(data).start();
                WaybillClient client = WaybillClient.connect(own.namesrvAddress())) {
            client.producer("p")
                    .build()
                    .send(Message.to("kept").key("k").body("x").build());
            Ran busy = run("store", "check", data.toString());
            assertThat(busy.exitCode()).isEqualTo(5);
            assertThat(busy.err()).contains("in use");
        }
        assertThat(run("store", "check", data.toString(), "-o", "json").out())
                .contains("\"sound\":true", "\"visibleMessages\":1", "\"findings\":[]");
        assertThat(run("store", "check", data.toString(), "--log-only").exitCode())
                .isZero();
        assertThat(run("store", "dump", data.toString()).out()).contains("frame 0 at 0", "VisibleMessage");
        assertThat(run("store", "dump", data.toString(), "-o", "json", "--max", "1")
                        .lines())
                .hasSize(2);
        assertThat(run("store", "check", directory.resolve("none").toString()).exitCode())
                .isEqualTo(3);
        assertThat(run("store", "dump", directory.toString()).err()).contains("holds no store");
    }

    @Test
    void manyAreSentWithOneSummary() {
        Ran sent = run("send", "many", "number {n}", "--count", "300", "-o", "json");
        assertThat(sent.exitCode()).isZero();
        assertThat(sent.out()).startsWith("{\"topic\":\"many\",\"sent\":300,\"seconds\":");
        Ran consumed = run("consume", "many", "--max", "300");
        assertThat(consumed.lines()).hasSize(300).anyMatch(line -> line.endsWith("number 300"));
        assertThat(run("send", "many", "--count", "3").exitCode()).isEqualTo(2);
        assertThat(run("replay", "many", "--from", "1h", "--group", "again").lines())
                .hasSize(300);
    }
}
