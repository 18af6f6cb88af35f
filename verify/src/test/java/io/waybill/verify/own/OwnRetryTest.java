/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.verify.embedded.TestBroker;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnRetryTest {
    @RegisterExtension
    final TestBroker broker = TestBroker.with("messageDelayLevels", "50ms 50ms 50ms 100ms 200ms 400ms");

    private final Own own = new Own(broker);

    @Test
    void aFailingMessageIsTriedAgainThenDeadWhileOthersGoOn() {
        String topic = Own.unique("orders");
        String group = Own.unique("billing");
        own.client().admin().topics().create(topic, 4);
        Producer producer = own.client().producer("order-service").build();
        ConcurrentLinkedQueue<Integer> attempts = new ConcurrentLinkedQueue<>();
        Own.Inbox good = new Own.Inbox();
        own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .maxAttempts(4)
                .onMessage(m -> {
                    if (m.text().equals("poison")) {
                        attempts.add(m.delivery().attempt());
                        throw new IllegalStateException("cannot be billed");
                    }
                    if (m.text().equals("flaky") && m.delivery().attempt() < 3) {
                        return ConsumeResult.RETRY_LATER;
                    }
                    assertThat(m.topic()).isEqualTo(topic);
                    return good.add(m);
                })
                .start();
        producer.send(Own.message(topic, "t", "k1", "poison"));
        producer.send(Own.message(topic, "t", "k2", "flaky"));
        for (int i = 0; i < 20; i++) {
            producer.send(Own.message(topic, "t", "k", "good-" + i));
        }
        good.awaitCount(21);
        Own.await("four attempts", () -> attempts.size() == 4);
        Admin admin = own.client().admin();
        Own.await(
                "the topic of the dead letters", () -> admin.topics().allNames().contains("%DLQ%" + group));
        Own.Inbox dead = own.consume(Own.unique("undertakers"), "%DLQ%" + group, "*");
        dead.awaitCount(1);
        assertThat(List.copyOf(attempts)).containsExactly(1, 2, 3, 4);
        ReceivedMessage letter = dead.messages().get(0);
        assertThat(letter.text()).isEqualTo("poison");
        assertThat(letter.keys()).containsExactly("k1");
        assertThat(letter.tag()).isEqualTo("t");
        ReceivedMessage flaky = good.messages().stream()
                .filter(m -> m.text().equals("flaky"))
                .findFirst()
                .orElseThrow();
        assertThat(flaky.delivery().attempt()).isEqualTo(3);
    }
}
