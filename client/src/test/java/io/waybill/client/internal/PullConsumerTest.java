/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.client.MessageQueue;
import io.waybill.client.PullConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.RequestCode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PullConsumerTest {
    private static final Duration LONG = Duration.ofSeconds(10);

    private final FakeBroker broker = new FakeBroker().topic("audit", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final MessageQueue first = new MessageQueue("audit", FakeBroker.NAME, 0);
    private final MessageQueue second = new MessageQueue("audit", FakeBroker.NAME, 1);
    private final PullConsumer consumer = client.pullConsumer("pull").build();

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private List<String> read(PullConsumer from, int count) {
        List<String> texts = new ArrayList<>();
        while (texts.size() < count) {
            List<ReceivedMessage> batch = from.poll(LONG);
            assertThat(batch).as("messages after " + texts).isNotEmpty();
            batch.forEach(message -> texts.add(message.text()));
        }
        return texts;
    }

    @Test
    void messagesComeInOrderWithinAQueueAndPositionsFollow() {
        for (int i = 0; i < 100; i++) {
            broker.put(first, "a" + i, null);
            broker.put(second, "b" + i, null);
        }
        consumer.assign("audit");
        assertThat(consumer.assignment()).containsExactly(first, second);
        List<String> all = read(consumer, 200);
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            expected.add("a" + i);
        }
        assertThat(all.stream().filter(text -> text.startsWith("a")).toList()).isEqualTo(expected);
        assertThat(all).hasSize(200).doesNotHaveDuplicates();
        assertThat(consumer.positions().of(first)).isEqualTo(100);
        assertThat(consumer.positions().committed(first)).isEmpty();
        consumer.commit();
        assertThat(consumer.positions().committed(first)).hasValue(100);
        assertThat(broker.offset("pull", second)).isEqualTo(100);
    }

    @Test
    void aPollReturnsNoMoreThanAskedAndThePositionSaysWhatWasHandedOut() {
        for (int i = 0; i < 10; i++) {
            broker.put(first, "a" + i, null);
        }
        consumer.assign(List.of(first));
        assertThat(consumer.poll(3, LONG)).hasSize(3);
        assertThat(consumer.positions().of(first)).isEqualTo(3);
        consumer.commit();
        assertThat(broker.offset("pull", first)).isEqualTo(3);
    }

    @Test
    void aWaitingPollGetsWhatArrives() {
        consumer.assign("audit");
        assertThat(consumer.poll(Duration.ofMillis(1))).isEmpty();
        broker.put(second, "late", null);
        assertThat(read(consumer, 1)).containsExactly("late");
    }

    @Test
    void wakeupEndsAPoll() {
        consumer.assign("audit");
        consumer.wakeup();
        assertThat(consumer.poll(LONG)).isEmpty();
    }

    @Test
    void seekingGoesAnywhere() {
        for (int i = 0; i < 5; i++) {
            broker.clock(1_000 + i * 100);
            broker.put(first, "a" + i, null);
        }
        consumer.assign(List.of(first));
        assertThat(read(consumer, 5)).hasSize(5);
        consumer.positions().seek(first, 3);
        assertThat(consumer.positions().of(first)).isEqualTo(3);
        assertThat(read(consumer, 2)).containsExactly("a3", "a4");
        assertThat(consumer.positions().seek(first, Instant.ofEpochMilli(1_150)))
                .isEqualTo(2);
        assertThat(read(consumer, 3)).containsExactly("a2", "a3", "a4");
        consumer.positions().seek("audit", Instant.ofEpochMilli(9_999_999));
        assertThat(consumer.positions().of(first)).isEqualTo(5);
        consumer.positions().seekToBegin(first);
        assertThat(read(consumer, 5)).startsWith("a0");
        consumer.positions().seekToEnd(first);
        assertThat(consumer.positions().of(first)).isEqualTo(5);
        assertThat(consumer.positions().minOffset(first)).isZero();
        assertThat(consumer.positions().maxOffset(first)).isEqualTo(5);
        assertThatThrownBy(() -> consumer.positions().seek(second, 0)).hasMessageContaining("not assigned");
        assertThatThrownBy(() -> consumer.positions().seek(first, -1)).hasMessageContaining("negative");
    }

    @Test
    void tagsAreComparedAgainHereAndThePositionPassesTheOthers() {
        try (PullConsumer filtered = client.pullConsumer("filtered").tags("Aa").build()) {
            broker.put(first, "no", "BB");
            broker.put(first, "yes", "Aa");
            broker.put(first, "no", "BB");
            filtered.assign(List.of(first));
            assertThat(read(filtered, 1)).containsExactly("yes");
            assertThat(filtered.poll(Duration.ofMillis(1))).isEmpty();
            assertThat(filtered.positions().of(first)).isEqualTo(3);
        }
    }

    @Test
    void committedProgressIsWhereItGoesOn() {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        broker.offset("pull", first, 1);
        consumer.assign("audit");
        assertThat(read(consumer, 1)).containsExactly("b");
    }

    @Test
    void withoutProgressItBeginsWhereItIsTold() {
        broker.put(first, "a", null);
        try (PullConsumer last =
                client.pullConsumer("last").from(StartFrom.LAST).build()) {
            last.assign("audit");
            assertThat(last.positions().of(first)).isEqualTo(1);
        }
    }

    @Test
    void automaticCommitsKeepFinishedPollsOnly() {
        PullConsumer auto = client.pullConsumer("auto").autoCommit(true).build();
        for (int i = 0; i < 3; i++) {
            broker.put(first, "a" + i, null);
        }
        auto.assign(List.of(first));
        assertThat(auto.poll(1, LONG)).hasSize(1);
        await().until(() -> {
            auto.positions().seek(first, 1);
            return auto.poll(1, LONG).size() == 1 && broker.offset("auto", first) == 1;
        });
        auto.close();
        assertThat(broker.offset("auto", first)).isEqualTo(2);
    }

    @Test
    void troubleWithAllQueuesIsThrownAndLaterOver() {
        broker.put(first, "a", null);
        consumer.assign(List.of(first));
        for (int i = 0; i < 1_000; i++) {
            broker.refuseNext(RequestCode.PULL_MESSAGE, 16, "no permission to read");
        }
        await().untilAsserted(() -> assertThatThrownBy(() -> consumer.poll(Duration.ofMillis(20)))
                .isInstanceOf(WaybillException.class)
                .hasMessageContaining("no permission to read"));
    }

    @Test
    void anOffsetThatIsGoneMovesThePosition() {
        broker.put(first, "a", null);
        consumer.assign(List.of(first));
        consumer.positions().seek(first, 77);
        await().until(() -> {
            consumer.poll(Duration.ofMillis(5));
            return consumer.positions().of(first) == 1;
        });
    }

    @Test
    void theBrokerKnowsTheGroupBeforeItKeepsItsProgress() {
        consumer.assign("audit");
        assertThat(broker.members("pull")).containsExactly(client.clientId());
        consumer.close();
        assertThat(broker.members("pull")).isEmpty();
        assertThatThrownBy(() -> consumer.poll(LONG))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.CLOSED));
    }

    @Test
    void anUnknownTopicIsAClearError() {
        assertThatThrownBy(() -> consumer.assign("nowhere"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));
    }
}
