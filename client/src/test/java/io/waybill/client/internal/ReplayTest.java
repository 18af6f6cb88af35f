/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayResult;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ReplayTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final MessageQueue first = new MessageQueue("orders", FakeBroker.NAME, 0);
    private final MessageQueue second = new MessageQueue("orders", FakeBroker.NAME, 1);
    private final List<String> replayed = new ArrayList<>();

    @BeforeEach
    void fill() {
        for (int i = 0; i < 100; i++) {
            broker.clock(1_000 + i);
            broker.put(i % 3 == 0 ? second : first, "m" + i, i % 2 == 0 ? "EVEN" : "ODD");
        }
    }

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private static Instant at(long millis) {
        return Instant.ofEpochMilli(millis);
    }

    private static List<String> expected(int from, int to) {
        List<String> texts = new ArrayList<>();
        for (int i = from; i < to; i++) {
            texts.add("m" + i);
        }
        return texts;
    }

    @Test
    void thePreviewCountsWhatTheReplayReads() {
        ReplayPreview preview =
                client.replay("orders").from(at(1_010)).to(at(1_070)).preview();
        assertThat(preview.count()).isEqualTo(60);
        assertThat(preview.exact()).isTrue();
        assertThat(preview.slices()).extracting(ReplayPreview.Slice::queue).containsExactly(first, second);
        assertThat(preview.slices().get(0).count() + preview.slices().get(1).count())
                .isEqualTo(60);
        assertThat(broker.seen(RequestCode.HEART_BEAT)).isEmpty();
        assertThat(client.replay("orders").tags("EVEN").preview().exact()).isFalse();
        assertThat(client.replay("orders").preview().count()).isEqualTo(100);
        assertThat(client.replay("orders").from(at(9_999)).preview().count()).isZero();
    }

    @Test
    void theIntervalComesInOrderOfStoreTimeAcrossQueues() {
        ReplayResult result = client.replay("orders")
                .from(at(1_010))
                .to(at(1_070))
                .into("side")
                .run(message -> replayed.add(message.text()));
        assertThat(result).isEqualTo(new ReplayResult(60, 0, true));
        assertThat(replayed).isEqualTo(expected(10, 70));
        assertThat(broker.members("side")).isEmpty();
    }

    @Test
    void tagsChoose() {
        ReplayResult result =
                client.replay("orders").tags("ODD").into("side").run(message -> replayed.add(message.text()));
        assertThat(result.handled()).isEqualTo(50);
        assertThat(result.complete()).isTrue();
        assertThat(replayed).contains("m1", "m99").doesNotContain("m0");
    }

    @Test
    void aBrokenReplayGoesOnWithTheMessageThatFailed() {
        assertThatThrownBy(() -> client.replay("orders").into("side").run(message -> {
                    if (message.text().equals("m40")) {
                        throw new IllegalStateException("disk full");
                    }
                    replayed.add(message.text());
                }))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.HANDLER))
                .hasMessageContaining("m")
                .hasMessageContaining("disk full");
        assertThat(replayed).isEqualTo(expected(0, 40));
        ReplayResult rest = client.replay("orders").into("side").run(message -> replayed.add(message.text()));
        assertThat(rest).isEqualTo(new ReplayResult(60, 40, true));
        assertThat(replayed).isEqualTo(expected(0, 100));
        assertThat(client.replay("orders").into("side").run(message -> replayed.add("again")))
                .isEqualTo(new ReplayResult(0, 100, true));
        assertThat(client.replay("orders")
                        .into("side")
                        .restart()
                        .run(message -> {})
                        .handled())
                .isEqualTo(100);
    }

    @Test
    void aLiveGroupIsNotTouchedAndMayNotBeTheSideGroup() {
        try (PushConsumer live = client.pushConsumer("live")
                        .from(StartFrom.LAST)
                        .subscribe("orders")
                        .onMessage(message -> ConsumeResult.SUCCESS)
                        .start();
                ConnectedClient other = ConnectedClient.connect(broker.address(), ProducerTest.QUICK)) {
            var before = live.assignment();
            assertThat(other.replay("orders").into("side").run(message -> {}).handled())
                    .isEqualTo(100);
            assertThat(live.assignment()).isEqualTo(before);
            assertThatThrownBy(() -> other.replay("orders").into("live").run(message -> {}))
                    .hasMessageContaining("living member");
        }
    }

    @Test
    void theRateIsALimit() {
        long begin = Clock.system().nanoTime();
        client.replay("orders").to(at(1_021)).into("side").rate(200).run(message -> replayed.add(message.text()));
        long millis = (Clock.system().nanoTime() - begin) / 1_000_000;
        assertThat(replayed).hasSize(21);
        assertThat(millis).isGreaterThanOrEqualTo(20 * 5 - 10);
    }

    @Test
    void anInterruptEndsItInAnOrderlyWay() {
        ReplayResult result = client.replay("orders").into("side").run(message -> {
            replayed.add(message.text());
            if (replayed.size() == 10) {
                Thread.currentThread().interrupt();
            }
        });
        assertThat(Thread.interrupted()).isTrue();
        assertThat(result).isEqualTo(new ReplayResult(10, 0, false));
        assertThat(broker.offset("side", first) + broker.offset("side", second)).isEqualTo(10);
    }

    @Test
    void aBrokerThatStumblesIsAskedAgain() {
        broker.refuseNext(RequestCode.PULL_MESSAGE, 2, "busy").refuseNext(RequestCode.PULL_MESSAGE, 1, "error");
        assertThat(client.replay("orders").into("side").run(message -> {}).handled())
                .isEqualTo(100);
    }

    @Test
    void mistakesAreNamed() {
        assertThatThrownBy(() -> client.replay("orders").run(message -> {})).hasMessageContaining("into");
        assertThatThrownBy(() -> client.replay("orders").rate(0)).hasMessageContaining("rate");
        assertThatThrownBy(() -> client.replay("orders").from(at(2)).to(at(1)).preview())
                .hasMessageContaining("before it begins");
    }
}
