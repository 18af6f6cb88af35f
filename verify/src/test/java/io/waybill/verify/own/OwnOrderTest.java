/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class OwnOrderTest {
    private static final int ORDERS = 12;

    @RegisterExtension
    final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private final String topic = Own.unique("orders");
    private final String group = Own.unique("shipping");
    private final Map<String, Integer> next = new ConcurrentHashMap<>();
    private final Set<String> running = ConcurrentHashMap.newKeySet();
    private final ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
    private final AtomicInteger failures = new AtomicInteger();

    @BeforeEach
    void start() {
        own.client().admin().topics().create(topic, 4);
    }

    @Test
    void theStepsOfAnOrderStayInOrderWhileMembersFailComeAndGo() {
        Producer producer = own.client().producer("order-service").build();
        PushConsumer first = member();
        send(producer, 0, 10);
        Own.await("the first steps", () -> reached(10));

        PushConsumer second = member();
        Own.await(
                "both members to have queues",
                () -> onTopic(first) == 2 && onTopic(second) == 2 && disjoint(first, second));
        send(producer, 10, 20);
        Own.await("the second steps", () -> reached(20));

        first.close();
        send(producer, 20, 30);
        Own.await("the third steps", () -> reached(30));
        assertThat(wrong).isEmpty();
        assertThat(failures.get()).as("steps that failed at first").isPositive();
    }

    private PushConsumer member() {
        WaybillClient client = own.client();
        return client.pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .suspend(Duration.ofMillis(30))
                .onMessageInOrder(this::handle)
                .start();
    }

    /** Every 7th step fails at its first attempt. A step may come again after a change of members, but never too early. */
    private ConsumeResult handle(ReceivedMessage message) {
        String order = message.orderingKey();
        int step = Integer.parseInt(message.text());
        if (!running.add(order)) {
            wrong.add(order + " is handled twice at the same time");
        }
        try {
            int expected = next.getOrDefault(order, 0);
            if (step > expected) {
                wrong.add(order + ": step " + step + " before " + expected);
            }
            if (step == expected && step % 7 == 3 && message.delivery().attempt() == 1) {
                failures.incrementAndGet();
                return ConsumeResult.RETRY_LATER;
            }
            if (step == expected) {
                next.put(order, step + 1);
            }
            return ConsumeResult.SUCCESS;
        } finally {
            running.remove(order);
        }
    }

    private void send(Producer producer, int from, int to) {
        for (int step = from; step < to; step++) {
            for (int order = 0; order < ORDERS; order++) {
                producer.send(Message.to(topic)
                        .orderingKey("order-" + order)
                        .body(String.valueOf(step))
                        .build());
            }
        }
    }

    private boolean reached(int step) {
        return next.size() == ORDERS && next.values().stream().allMatch(n -> n == step);
    }

    private long onTopic(PushConsumer member) {
        return member.assignment().stream()
                .filter(queue -> queue.topic().equals(topic))
                .count();
    }

    private static boolean disjoint(PushConsumer one, PushConsumer other) {
        Set<Object> both = new HashSet<>(one.assignment());
        both.retainAll(other.assignment());
        return both.isEmpty();
    }
}
