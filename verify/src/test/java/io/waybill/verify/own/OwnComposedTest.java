/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.ConsumeResult;
import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.Topics;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.server.EmbeddedBroker;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Ordered, delayed, transactional and with priority: each combination in one message, also with de-duplication. */
@Tag("end-to-end")
class OwnComposedTest {
    private static final long DELAY_MILLIS = 700;

    @Test
    void everyCombinationArrivesOnceInItsQueueAndNeverEarly() {
        try (EmbeddedBroker broker = EmbeddedBroker.start();
                Own own = new Own(broker.namesrvAddress())) {
            String topic = Own.unique("all");
            Admin admin = own.client().admin();
            admin.topics().create(topic, 4);
            admin.topics()
                    .changeAttributes(topic, Map.of(Topics.MESSAGE_TYPE, "PRIORITY", Topics.DEDUP, "1h"), Set.of());
            Map<String, ReceivedMessage> arrived = new ConcurrentHashMap<>();
            Map<String, Instant> at = new ConcurrentHashMap<>();
            List<String> twice = java.util.Collections.synchronizedList(new ArrayList<>());
            own.client()
                    .pushConsumer(Own.unique("readers"))
                    .subscribe(topic)
                    .from(StartFrom.FIRST)
                    .onMessageInOrder(message -> {
                        at.put(message.text(), Instant.now());
                        if (arrived.put(message.text(), message) != null) {
                            twice.add(message.text());
                        }
                        return ConsumeResult.SUCCESS;
                    })
                    .start();
            Producer plain = own.client().producer("plain").build();
            TransactionProducer transactional = own.client()
                    .transactionProducer(Own.unique("tx"))
                    .listener(new TransactionListener() {
                        @Override
                        public Decision execute(Message message, Object argument) {
                            return (Decision) argument;
                        }

                        @Override
                        public Decision check(ReceivedMessage message) {
                            return Decision.UNKNOWN;
                        }
                    })
                    .build();
            Map<String, Instant> due = new ConcurrentHashMap<>();
            for (int bits = 0; bits < 16; bits++) {
                String name = "m" + bits;
                Message.Builder builder = Message.to(topic)
                        .tag("T")
                        .key("k" + bits)
                        .dedupKey("d" + bits)
                        .body(name);
                if ((bits & 1) != 0) {
                    builder.orderingKey("customer");
                }
                if ((bits & 2) != 0) {
                    // Taken before the client does, in its unit.
                    due.put(name, Instant.now().truncatedTo(ChronoUnit.MILLIS).plusMillis(DELAY_MILLIS));
                    builder.deliverAfter(Duration.ofMillis(DELAY_MILLIS));
                }
                if ((bits & 4) != 0) {
                    builder.priority(2);
                }
                Message message = builder.build();
                Message again = copy(builder, "again" + bits);
                if ((bits & 8) != 0) {
                    assertThat(transactional.send(message, Decision.COMMIT).decided())
                            .isTrue();
                    assertThat(transactional.send(again, Decision.COMMIT).half().duplicate())
                            .as("duplicate of %s", name)
                            .isTrue();
                    transactional.send(
                            builder.dedupKey("r" + bits).body("rolled back").build(), Decision.ROLLBACK);
                } else {
                    assertThat(plain.send(message).duplicate()).isFalse();
                    assertThat(plain.send(again).duplicate())
                            .as("duplicate of %s", name)
                            .isTrue();
                }
            }
            Own.await("all of them", () -> arrived.size() >= 16);
            assertThat(arrived).hasSize(16).doesNotContainKey("rolled back");
            assertThat(twice).isEmpty();
            due.forEach((name, time) -> assertThat(at.get(name)).as(name).isAfterOrEqualTo(time));
            arrived.forEach((name, message) -> {
                int bits = Integer.parseInt(name.substring(1));
                assertThat(message.keys()).containsExactly("k" + bits);
                assertThat(message.tag()).isEqualTo("T");
                if ((bits & 4) != 0) {
                    assertThat(message.delivery().queue().id())
                            .as("queue of %s", name)
                            .isEqualTo(2);
                }
            });
            List<Integer> ordered = new ArrayList<>();
            for (int bits : new int[] {1, 3, 9, 11}) {
                ordered.add(arrived.get("m" + bits).delivery().queue().id());
            }
            assertThat(Set.copyOf(ordered)).as("one queue for one key").hasSize(1);
        }
    }

    private static Message copy(Message.Builder builder, String body) {
        return builder.body(body).build();
    }
}
