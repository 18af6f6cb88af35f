/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Groups;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.server.EmbeddedBroker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An ordered group of ours that puts a key aside which it cannot handle. */
@Tag("end-to-end")
class OwnQuarantineTest {
    private static final String POISON = "poison";

    @TempDir
    Path directory;

    private EmbeddedBroker broker;
    private Own own;
    private Admin admin;
    private Producer producer;
    private final String topic = Own.unique("orders");
    private final String group = Own.unique("shipping");
    private final ConcurrentLinkedQueue<String> handled = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<String> failed = new ConcurrentLinkedQueue<>();
    private volatile boolean broken = true;

    @BeforeEach
    void start() {
        broker = EmbeddedBroker.in(directory).start();
        own = new Own(broker.namesrvAddress());
        admin = own.client().admin();
        admin.topics().create(topic, 1);
        producer = own.client().producer("order-service").build();
        admin.groups().put(admin.groups().settings(group).attribute(Groups.QUARANTINE_AFTER, "3"));
    }

    @AfterEach
    void stop() {
        own.close();
        broker.close();
    }

    private void member() {
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .suspend(Duration.ofMillis(20))
                .onMessageInOrder(this::handle)
                .start();
    }

    private ConsumeResult handle(ReceivedMessage message) {
        if (broken && message.orderingKey().equals(POISON)) {
            failed.add(message.text());
            return ConsumeResult.RETRY_LATER;
        }
        handled.add(message.text());
        return ConsumeResult.SUCCESS;
    }

    private SendReceipt send(String key, int step) {
        return producer.send(Message.to(topic)
                .key(key + "-" + step)
                .orderingKey(key)
                .body(key + "-" + step)
                .build());
    }

    private void sendAll(int from, int to) {
        for (int step = from; step < to; step++) {
            for (String key : List.of("a", POISON, "c")) {
                send(key, step);
            }
        }
    }

    /** For the first time each: a restart may bring some again. */
    private List<String> handledOf(String key) {
        return new ArrayList<>(new LinkedHashSet<>(
                handled.stream().filter(text -> text.startsWith(key + "-")).toList()));
    }

    private static List<String> steps(String key, int to) {
        List<String> steps = new ArrayList<>();
        for (int step = 0; step < to; step++) {
            steps.add(key + "-" + step);
        }
        return steps;
    }

    private void awaitHandled(int to, String... keys) {
        for (String key : keys) {
            Own.await(key + " up to " + to, () -> handledOf(key).size() >= to);
            assertThat(handledOf(key)).isEqualTo(steps(key, to));
        }
    }

    private void awaitQuarantined(long messages) {
        Own.await(
                messages + " quarantined",
                () -> admin.quarantine().list(group).stream()
                                .mapToLong(key -> key.messages())
                                .sum()
                        == messages);
    }

    @Test
    void onePoisonKeyIsQuarantinedWhileTheOthersGoOnAndComesBackInOrderAlsoAfterARestart() {
        sendAll(0, 5);
        SendReceipt first = send(POISON, 5);
        member();
        awaitHandled(5, "a", "c");
        awaitQuarantined(6);
        assertThat(failed).as("only the first one was handed out").containsExactly("poison-0", "poison-0", "poison-0");
        assertThat(handledOf(POISON)).isEmpty();
        assertThat(admin.quarantine().list(group)).singleElement().satisfies(key -> {
            assertThat(key.topic()).isEqualTo(topic);
            assertThat(key.key()).isEqualTo(POISON);
        });
        assertThat(admin.groups().backlog(group).total().quarantined().messages())
                .isEqualTo(6);
        List<Groups.Finding> findings =
                admin.groups().diagnose(group, Groups.Subject.message(topic, first.messageId()));
        assertThat(findings.get(0).cause()).isEqualTo(Cause.QUARANTINED);

        String[] ports = {broker.namesrvAddress(), broker.brokerAddress()};
        broker.close();
        broker = EmbeddedBroker.in(directory)
                .ports(port(ports[0]), port(ports[1]))
                .start();
        sendAll(6, 8);
        Own.await(
                "the others behind the restart",
                () -> handledOf("a").size() == 7 && handledOf("c").size() == 7);
        awaitQuarantined(8);
        assertThat(failed).hasSize(3);

        broken = false;
        admin.quarantine().release(group, topic, POISON, "test");
        for (int step = 8; step < 12; step++) {
            send(POISON, step);
        }
        awaitHandled(12, POISON);
        Own.await(
                "the end of the quarantine",
                () -> admin.quarantine().list(group).isEmpty());
        send(POISON, 12);
        awaitHandled(13, POISON);
    }

    private static int port(String address) {
        return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    }

    @Test
    void whatFailsAgainAfterItsReleaseIsQuarantinedAgainInItsPlaceAndWhatIsDiscardedIsGone() {
        sendAll(0, 3);
        member();
        awaitHandled(3, "a", "c");
        awaitQuarantined(3);
        admin.quarantine().release(group, topic, POISON, "test");
        Own.await("the second round of failures", () -> failed.size() == 6);
        awaitQuarantined(3);
        assertThat(Set.copyOf(failed)).containsExactly("poison-0");

        broken = false;
        admin.quarantine().release(group, topic, POISON, "test");
        awaitHandled(3, POISON);
        Own.await(
                "the end of the quarantine",
                () -> admin.quarantine().list(group).isEmpty());

        broken = true;
        send(POISON, 3);
        awaitQuarantined(1);
        assertThat(admin.quarantine().discard(group, topic, POISON, "broken", "test"))
                .isEqualTo(1);
        Own.await(
                "the end of the quarantine",
                () -> admin.quarantine().list(group).isEmpty());
        broken = false;
        send(POISON, 4);
        Own.await("the later one", () -> handled.contains("poison-4"));
        assertThat(handled).doesNotContain("poison-3");
    }
}
