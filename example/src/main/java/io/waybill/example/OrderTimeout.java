/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PushConsumer;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Cancels orders that are not paid in time: a delayed message is the alarm clock, and paying takes it back. */
public final class OrderTimeout implements AutoCloseable {
    /** Called when an order ran out of time. */
    @FunctionalInterface
    public interface Alarm {
        void ranOut(String orderId, Instant due);
    }

    private static final String TOPIC = "order-timeouts";

    private final Producer producer;
    private final PushConsumer consumer;
    private final Map<String, SendReceipt> alarms = new ConcurrentHashMap<>();

    public OrderTimeout(WaybillClient client, Alarm alarm) {
        this.producer = client.producer("order-timeouts").build();
        this.consumer = client.pushConsumer("order-cancellation")
                .subscribe(TOPIC)
                .from(StartFrom.FIRST)
                .onMessage(message -> {
                    alarm.ranOut(message.keys().get(0), Instant.parse(message.property("due")));
                    return ConsumeResult.SUCCESS;
                })
                .start();
    }

    /** The order must be paid by then. */
    public void mustBePaidBy(String orderId, Instant due) {
        alarms.put(
                orderId,
                producer.send(Message.to(TOPIC)
                        .key(orderId)
                        .property("due", due.toString())
                        .body(orderId + " was not paid in time")
                        .deliverAt(due)
                        .build()));
    }

    /** Takes the alarm back; false if it has gone off already. */
    public boolean paid(String orderId) {
        return producer.delayed().recall(alarms.remove(orderId));
    }

    @Override
    public void close() {
        consumer.close();
        producer.close();
    }

    public static void main(String[] arguments) throws Exception {
        try (WaybillClient client = WaybillClient.connect(NameServer.from(arguments))) {
            client.admin().topics().create(TOPIC, 4);
            try (OrderTimeout timeouts = new OrderTimeout(
                    client,
                    (order, due) -> System.out.println(order + " cancelled, "
                            + Duration.between(due, Instant.now()).toMillis() + " ms after it was due"))) {
                Instant due = Instant.now().plusSeconds(3);
                timeouts.mustBePaidBy("order-1", due);
                timeouts.mustBePaidBy("order-2", due);
                System.out.println("order-1 paid in time: " + timeouts.paid("order-1"));
                System.out.println("order-2 has 3 seconds; Enter ends the program.");
                System.in.read();
            }
        }
    }
}
