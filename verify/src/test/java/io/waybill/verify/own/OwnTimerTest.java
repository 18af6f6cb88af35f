/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnTimerTest {
    @RegisterExtension
    final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private final String topic = Own.unique("timeouts");

    @BeforeEach
    void start() {
        own.client().admin().topics().create(topic, 4);
    }

    @Test
    void aDelayedMessageIsNeverEarlyAndARecalledOneNeverComes() {
        Map<String, Instant> arrived = new ConcurrentHashMap<>();
        own.client()
                .pushConsumer(Own.unique("readers"))
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(m -> {
                    arrived.put(m.text(), Instant.now());
                    return ConsumeResult.SUCCESS;
                })
                .start();
        Producer producer = own.client().producer("order-service").build();
        Map<String, Instant> due = new ConcurrentHashMap<>();
        for (int i = 0; i < 10; i++) {
            Instant after = Instant.now().plusMillis(100 + 70L * i);
            producer.send(delayed("after-" + i)
                    .deliverAfter(Duration.ofMillis(100 + 70L * i))
                    .build());
            due.put("after-" + i, after);
            Instant at = Instant.ofEpochMilli(System.currentTimeMillis() + 200 + 90L * i);
            producer.send(delayed("at-" + i).deliverAt(at).build());
            due.put("at-" + i, at);
        }
        SendReceipt paid = producer.send(
                delayed("recalled").deliverAfter(Duration.ofMillis(800)).build());
        assertThat(producer.delayed().recall(paid)).isTrue();
        assertThat(producer.delayed().recall(paid)).as("a second recall").isFalse();
        SendReceipt last = producer.send(
                delayed("last").deliverAfter(Duration.ofMillis(1_200)).build());
        due.put("last", Instant.now().plusMillis(1_150));

        Own.await("all that was not recalled", () -> arrived.size() == 21);
        assertThat(arrived).doesNotContainKey("recalled");
        due.forEach((text, time) ->
                assertThat(arrived.get(text).toEpochMilli()).as(text).isGreaterThanOrEqualTo(time.toEpochMilli()));
        assertThat(producer.delayed().recall(last))
                .as("a recall that comes too late")
                .isFalse();
        SendReceipt plain = producer.send(delayed("plain").build());
        assertThatThrownBy(() -> producer.delayed().recall(plain))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.INVALID));
    }

    private Message.Builder delayed(String body) {
        return Message.to(topic).body(body);
    }
}
