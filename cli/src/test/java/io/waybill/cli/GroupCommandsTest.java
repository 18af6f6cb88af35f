/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.waybill.cli.Shell.Ran;
import io.waybill.client.ConsumeResult;
import io.waybill.client.PushConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.server.EmbeddedBroker;
import java.net.Socket;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What operators do with groups, topics and single messages, against a real broker. */
@Timeout(120)
@Tag("end-to-end")
class GroupCommandsTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    private static EmbeddedBroker broker;
    private static Shell shell;

    @BeforeAll
    static void start() {
        broker = EmbeddedBroker.start();
        shell = new Shell(broker);
    }

    @AfterAll
    static void stop() {
        broker.close();
    }

    private static Ran run(String... arguments) {
        return shell.run(arguments);
    }

    /** Runs it unasked, which is refused; dry, which does nothing; and then for good. */
    private static Ran carefully(String dryText, String... arguments) {
        Ran unasked = run(arguments);
        assertThat(unasked.exitCode()).as(unasked.err()).isEqualTo(5);
        assertThat(unasked.err()).contains("--yes", "--dry-run");
        Ran dry = run(with(arguments, "--dry-run"));
        assertThat(dry.exitCode()).as(dry.err()).isZero();
        assertThat(dry.err()).contains(dryText);
        Ran done = run(with(arguments, "--yes"));
        assertThat(done.exitCode()).as(done.err()).isZero();
        return done;
    }

    private static String[] with(String[] arguments, String... more) {
        String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
        System.arraycopy(more, 0, all, arguments.length, more.length);
        return all;
    }

    private static void send(String topic, String key, String body) {
        Ran sent = run("send", topic, body, "--key", key, "--tag", "T");
        assertThat(sent.exitCode()).as(sent.err()).isZero();
    }

    @Test
    void aGroupIsSetMovedClonedAndForgotten() {
        run("topic", "create", "parcels", "--queues", "1");
        send("parcels", "p1", "one");
        send("parcels", "p2", "two");
        send("parcels", "p3", "three");
        run("consume", "parcels", "--group", "packers", "--max", "2");

        assertThat(run("group", "list").lines()).contains("packers");
        assertThat(run("group", "list", "-o", "json").out()).contains("{\"group\":\"packers\"}");
        Ran set = run("group", "settings", "packers", "--backoff", "1s,10s,5m", "--max-retries", "2", "--rate", "200");
        assertThat(set.out()).contains("1s 10s 5m", "200").doesNotContain("PT");
        assertThat(run("group", "settings", "packers", "--quarantine-after", "3", "--enabled", "false", "-o", "json")
                        .out())
                .contains("\"enabled\":false", "\"maxRetries\":2", "\"backoff\":\"1s 10s 5m\"", "\"rate\":\"200\"");
        assertThat(run("group", "settings", "packers", "--enabled", "true", "--backoff", "default")
                        .out())
                .contains("default");

        assertThat(run("group", "progress", "packers").lines())
                .hasSize(2)
                .last()
                .asString()
                .contains("parcels", "2", "3", "1");
        assertThat(run("group", "progress", "packers", "-o", "json").out())
                .contains("\"committed\":2,\"maxOffset\":3,\"lag\":1");
        assertThat(run("group", "backlog", "packers").lines())
                .hasSize(3)
                .first()
                .asString()
                .contains("READY", "INFLIGHT", "RETRYING", "DELAYED", "HALF", "DEAD", "QUARANTINED");
        assertThat(run("group", "backlog", "packers", "-o", "json").out())
                .contains("\"topic\":\"parcels\",\"ready\":1,\"readyOldestSeconds\":", "\"exact\":true");
        Ran nobody = run("group", "backlog", "no-such-group");
        assertThat(nobody.exitCode()).isEqualTo(3);
        assertThat(nobody.err()).contains("no-such-group", "waybill group list");

        assertThat(carefully(
                                "group packers would go on there",
                                "group",
                                "reset",
                                "packers",
                                "--topic",
                                "parcels",
                                "--to",
                                "1h")
                        .out())
                .contains("parcels");
        assertThat(run("group", "backlog", "packers", "-o", "json").out()).contains("\"ready\":3");
        carefully("3 messages would be skipped", "group", "skip", "packers", "--topic", "parcels");
        assertThat(run("group", "progress", "packers", "-o", "json").out()).contains("\"committed\":3");

        Ran cloned = carefully("group packers-blue would go on there", "group", "clone", "packers", "packers-blue");
        assertThat(cloned.err()).contains("packers-blue is new");
        assertThat(cloned.lines()).hasSize(2).last().asString().contains("parcels", "3");
        assertThat(run("group", "settings", "packers-blue", "-o", "json").out()).contains("\"maxRetries\":2");
        assertThat(run("group", "clone", "no-such-group", "packers", "--yes").exitCode())
                .isEqualTo(3);

        carefully("would be forgotten", "group", "delete", "packers-blue");
        assertThat(run("group", "list").lines()).doesNotContain("packers-blue");
        assertThat(run("group", "delete", "packers-blue", "--yes").exitCode()).isEqualTo(3);
        assertThat(run("group", "reset", "packers", "--topic", "no-such-topic", "--to", "1h", "--yes")
                        .exitCode())
                .isEqualTo(3);
    }

    @Test
    void theDoctorSaysWhyAndTellsNothingFoundByItsCode() {
        send("visits", "v1", "one");
        run("consume", "visits", "--group", "nurses", "--max", "1");
        send("visits", "v2", "two");
        Ran all = run("doctor", "group", "nurses");
        assertThat(all.exitCode()).isZero();
        assertThat(all.lines()).first().isEqualTo("NOBODY_CONNECTED");
        assertThat(all.out()).contains("Nobody is connected for group nurses", "evidence:", "what to do:");
        assertThat(run("doctor", "group", "nurses", "--topic", "visits", "-o", "json")
                        .out())
                .startsWith("[{\"cause\":\"NOBODY_CONNECTED\",\"subCause\":\"NO_MEMBER\"")
                .contains("\"sentence\":\"Nobody is", "\"evidence\":{\"groupExists\":true", "\"advice\":\"start a");
        assertThat(run("doctor", "group", "nurses", "--topic", "visits", "--key", "v1", "-o", "json")
                        .out())
                .containsPattern("\"acknowledgedAt\":[0-9]{13},")
                .contains("\"committedOffset\":1,");
        assertThat(run("doctor", "group", "nurses", "--topic", "visits", "--key", "v1")
                        .out())
                .contains("CONSUMED");
        Ran missing = run("doctor", "group", "nurses", "--topic", "visits", "--key", "v9");
        assertThat(missing.exitCode()).isEqualTo(3);
        assertThat(missing.out()).contains("NOT_FOUND");
        String id = run("message", "find", "v2", "--topic", "visits", "-o", "json")
                .out()
                .replaceFirst("(?s).*?\"messageId\":\"([^\"]*)\".*", "$1");
        assertThat(run("doctor", "group", "nurses", "--message", id).out()).contains("NOBODY_CONNECTED");
    }

    @Test
    void aMemberTellsOfItselfAndHandlesOneMessageByOrder() {
        send("calls", "c1", "good");
        send("calls", "c2", "bad");
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress());
                PushConsumer consumer = client.pushConsumer("clerks")
                        .subscribe("calls")
                        .from(StartFrom.LAST)
                        .onMessage(message -> {
                            if (message.text().equals("bad")) {
                                throw new IllegalStateException("no such number");
                            }
                            return ConsumeResult.SUCCESS;
                        })
                        .start()) {
            assertThat(consumer.awaitAssignment(LONG)).isTrue();
            await().atMost(LONG)
                    .until(() -> run("group", "members", "clerks").lines().size() == 2);
            String id = run("group", "members", "clerks", "-o", "json")
                    .out()
                    .replaceFirst("(?s).*?\"clientId\":\"([^\"]*)\".*", "$1");
            assertThat(run("group", "members", "clerks", "--client", id).out())
                    .contains("subscription of calls", "queue calls/broker-a/0");
            assertThat(run("group", "members", "clerks", "--client", id, "--stacks", "-o", "json")
                            .out())
                    .contains("\"stacks\":\"");
            assertThat(run("group", "members", "clerks", "--client", "nobody").exitCode())
                    .isEqualTo(3);

            String[] good = {"group", "try", "clerks", "--client", id, "--topic", "calls", "--message", idOf("c1")};
            assertThat(carefully("would be given", good).out()).contains("CR_SUCCESS");
            Ran failed =
                    run("group", "try", "clerks", "--client", id, "--topic", "calls", "--message", idOf("c2"), "--yes");
            assertThat(failed.exitCode()).isEqualTo(1);
            assertThat(failed.out()).contains("CR_THROW_EXCEPTION", "no such number");

            Ran busy = run("group", "delete", "clerks", "--yes");
            assertThat(busy.exitCode()).isEqualTo(5);
            assertThat(busy.err()).contains("stop its consumers first");
        }
        assertThat(run("group", "members", "clerks").err()).contains("no member of clerks is connected");
    }

    @Test
    void twoProcessesWithOneClientIdAreToldOf() throws Exception {
        byte[] heartbeat = FrameEncoder.encode(Command.request(RequestCode.HEART_BEAT)
                .body(new HeartbeatData(
                                "10.0.0.7@1",
                                List.of(new ConsumerData(
                                        "twins",
                                        ConsumerData.CONSUME_PASSIVELY,
                                        ConsumerData.CLUSTERING,
                                        ConsumerData.FROM_LAST_OFFSET,
                                        List.of(SubscriptionData.of("calls", "*")),
                                        false)),
                                List.of())
                        .toJson())
                .build());
        String[] address = broker.brokerAddress().split(":");
        try (Socket one = new Socket(address[0], Integer.parseInt(address[1]));
                Socket other = new Socket(address[0], Integer.parseInt(address[1]))) {
            for (Socket socket : List.of(one, other, one)) {
                socket.getOutputStream().write(heartbeat);
                socket.getInputStream().read(); // it is in force when it is answered
            }
            Ran members = run("group", "members", "twins");
            assertThat(members.lines()).hasSize(3);
            assertThat(members.err()).contains("2 connections use the client id 10.0.0.7@1");
            assertThat(run("doctor", "group", "twins").out())
                    .contains("CLIENT_ID_SHARED", "2 processes use the client id 10.0.0.7@1");
        }
    }

    private static String idOf(String key) {
        return run("message", "find", key, "--topic", "calls", "-o", "json")
                .out()
                .replaceFirst("(?s).*?\"messageId\":\"([^\"]*)\".*", "$1");
    }

    @Test
    void aMessageIsFoundAndItsLifeTold() {
        send("letters", "l1", "dear é");
        run("consume", "letters", "--group", "postmen", "--max", "1");
        Ran found = run("message", "find", "l1", "--topic", "letters", "--from", "1h", "--max", "5");
        assertThat(found.lines()).singleElement().asString().endsWith("T  l1  dear é");
        assertThat(run("message", "find", "l1", "--topic", "letters", "--to", "2001-01-01")
                        .exitCode())
                .isEqualTo(3);
        assertThat(run("message", "find", "l9", "--topic", "letters").err()).contains("l9");
        await().atMost(LONG)
                .until(() -> run("message", "trace", "l1", "--topic", "letters")
                        .out()
                        .contains("ACKNOWLEDGED"));
        Ran told = run("message", "trace", "l1", "--topic", "letters");
        assertThat(told.lines()).first().asString().startsWith("message ").contains("of topic letters");
        assertThat(told.out()).containsSubsequence("STORED", "DELIVERED", "of group postmen", "ACKNOWLEDGED");
        assertThat(run("message", "trace", "l1", "--topic", "letters", "-o", "json")
                        .out())
                .contains("\"event\":\"STORED\"", "\"group\":\"postmen\"", "\"atMillis\":");
        assertThat(run("message", "trace", "0123456789ABCDEF0123456789ABCDEF").exitCode())
                .isEqualTo(3);
    }

    @Test
    void aTopicKeepsItsAttributesAndIsForgottenWhenAsked() {
        run("topic", "create", "bills", "--queues", "2");
        assertThat(run("topic", "settings", "bills", "--dedup", "7d", "-o", "json")
                        .out())
                .contains("\"waybill.dedup\":\"7d\"");
        Ran first = run("send", "bills", "one", "--dedup-key", "bill-1", "-o", "json");
        Ran second = run("send", "bills", "one", "--dedup-key", "bill-1", "-o", "json");
        assertThat(first.out()).doesNotContain("duplicate");
        assertThat(second.out()).contains("\"duplicate\":true");
        assertThat(run("topic", "settings", "bills", "--dedup", "0").out()).doesNotContain("dedup");
        assertThat(run("topic", "settings", "bills", "--dedup", "99999d").exitCode())
                .isNotZero();

        run("topic", "create", "urgent", "--queues", "4");
        assertThat(run("topic", "settings", "urgent", "--type", "priority").out())
                .contains("PRIORITY");
        assertThat(run("send", "urgent", "now", "--priority", "3", "-o", "json").out())
                .contains("\"queue\":3");

        Ran used = run("topic", "delete", "bills", "--yes");
        assertThat(used.exitCode()).isNotZero();
        assertThat(used.err()).contains("1 messages that no group has read", "--force");
        carefully("would be deleted with 1 message", "topic", "delete", "bills", "--force");
        assertThat(run("topic", "list", "--deleted").out()).contains("bills", "127.0.0.1");
        assertThat(run("topic", "list", "-q").lines()).doesNotContain("bills");
        assertThat(run("topic", "restore", "bills", "-o", "json").out()).contains("\"messages\":1");
        assertThat(run("consume", "bills", "--wait", "1s").out()).contains("one");
        assertThat(run("topic", "restore", "bills").exitCode()).isEqualTo(3);
        assertThat(run("topic", "delete", "bills", "--force", "--yes").exitCode())
                .isZero();
        assertThat(run("topic", "delete", "bills", "--yes").exitCode()).isEqualTo(3);
    }

    @Test
    void messagesAreFilteredByConditionAndAWrongOneIsNamed() {
        run("send", "sold", "dear", "-p", "amount=200", "-p", "region=EU");
        run("send", "sold", "cheap", "-p", "amount=20");
        assertThat(run("consume", "sold", "--sql", "amount > 100 AND region IS NOT NULL", "--wait", "1s")
                        .lines())
                .singleElement()
                .asString()
                .endsWith("dear");
        Ran wrong = run("consume", "sold", "--sql", "amount >", "--wait", "1s");
        assertThat(wrong.exitCode()).isNotZero();
        assertThat(wrong.err()).contains("What to do");
        assertThat(wrong.out()).isEmpty();
    }
}
