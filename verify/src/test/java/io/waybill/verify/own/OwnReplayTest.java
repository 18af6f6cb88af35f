/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.Replay;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayResult;
import io.waybill.client.WaybillClient;
import io.waybill.client.WaybillException;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnReplayTest {
    private static final int SENT = 300;

    @RegisterExtension
    final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private final String topic = Own.unique("orders");
    private List<ReceivedMessage> log;

    @BeforeEach
    void start() {
        WaybillClient client = own.client();
        client.admin().topics().create(topic, 4);
        Producer producer = client.producer("order-service").build();
        for (int i = 0; i < SENT; i++) {
            producer.send(Own.message(topic, i % 3 == 0 ? "PAID" : "CREATED", "k" + i, "m" + i));
        }
        log = readAll(client);
    }

    @Test
    void theIntervalIsExactlyTheSliceOfTheLogAndALiveGroupDoesNotNotice() {
        Own.Inbox live = own.consume("live", topic, "*");
        live.awaitCount(SENT);
        Instant from = log.get(SENT / 4).delivery().storedAt();
        Instant to = log.get(3 * SENT / 4).delivery().storedAt();
        List<String> slice = log.stream()
                .filter(m -> !m.delivery().storedAt().isBefore(from)
                        && m.delivery().storedAt().isBefore(to))
                .map(ReceivedMessage::text)
                .toList();
        assertThat(slice)
                .as("an interval with messages before, in and behind it")
                .isNotEmpty();

        Replay replay = own.client().replay(topic).from(from).to(to).into(Own.unique("side"));
        ReplayPreview preview = replay.preview();
        assertThat(preview.exact()).isTrue();
        assertThat(preview.count()).isEqualTo(slice.size());
        assertThat(preview.slices()).hasSize(4);
        List<ReceivedMessage> got = new ArrayList<>();
        ReplayResult result = replay.run(got::add);
        assertThat(result).isEqualTo(new ReplayResult(slice.size(), 0, true));
        assertThat(got).extracting(ReceivedMessage::text).containsExactlyInAnyOrderElementsOf(slice);
        assertInOrderWithinQueues(got);
        assertThat(live.texts()).hasSize(SENT);
    }

    @Test
    void aReplayThatBrokeGoesOnWhereItStopped() {
        String side = Own.unique("side");
        List<String> got = new ArrayList<>();
        assertThatThrownBy(() -> own.client().replay(topic).into(side).run(m -> {
                    if (got.size() == 100) {
                        throw new IllegalStateException("the target is full");
                    }
                    got.add(m.text());
                }))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.HANDLER))
                .hasRootCauseMessage("the target is full");
        ReplayResult rest = own.client().replay(topic).into(side).run(m -> got.add(m.text()));
        assertThat(rest).isEqualTo(new ReplayResult(SENT - 100, 100, true));
        assertThat(got).hasSize(SENT).doesNotHaveDuplicates();
        assertThat(own.client().replay(topic).into(side).run(m -> got.add(m.text())))
                .isEqualTo(new ReplayResult(0, SENT, true));
        assertThat(own.client().replay(topic).into(side).restart().run(m -> {}).handled())
                .isEqualTo(SENT);
    }

    @Test
    void tagsAndRateHold() {
        List<ReceivedMessage> got = new ArrayList<>();
        Instant began = Instant.now();
        own.client()
                .replay(topic)
                .tags("PAID")
                .rate(200)
                .into(Own.unique("side"))
                .run(got::add);
        assertThat(got).hasSize(SENT / 3).allMatch(m -> m.tag().equals("PAID"));
        // 100 messages at 200 a second; the first few may go at once.
        assertThat(Duration.between(began, Instant.now())).isGreaterThan(Duration.ofMillis(300));
    }

    /** The whole topic by a pull consumer, by store time. */
    private List<ReceivedMessage> readAll(WaybillClient client) {
        List<ReceivedMessage> all = new ArrayList<>();
        try (PullConsumer reader = client.pullConsumer(Own.unique("reader")).build()) {
            reader.assign(reader.queues(topic));
            while (all.size() < SENT) {
                all.addAll(reader.poll(64, Duration.ofSeconds(5)));
            }
        }
        assertThat(new HashSet<>(all.stream().map(ReceivedMessage::messageId).toList()))
                .hasSize(SENT);
        all.sort(Comparator.comparing(
                (ReceivedMessage message) -> message.delivery().storedAt()));
        return all;
    }

    private static void assertInOrderWithinQueues(List<ReceivedMessage> messages) {
        Map<MessageQueue, Long> last = new HashMap<>();
        for (ReceivedMessage message : messages) {
            Long before =
                    last.put(message.delivery().queue(), message.delivery().offset());
            assertThat(before == null || before < message.delivery().offset()).isTrue();
        }
    }
}
