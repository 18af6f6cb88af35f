/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.Result;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Ships orders: sees CREATED, PAID, SHIPPED of each order in this order, and says so when it does not. */
public final class OrderedOrderConsumer implements AutoCloseable {
    /** Called after each message; the last argument is false for a step that came too early or again. */
    @FunctionalInterface
    public interface Observer {
        void saw(String orderId, OrderStep step, boolean inOrder);
    }

    private final PushConsumer consumer;

    /** @param lastSteps the last step seen of each order; members of one group in one process share it */
    public OrderedOrderConsumer(
            WaybillClient client, String group, Map<String, OrderStep> lastSteps, Observer observer) {
        this.consumer = client.pushConsumer(group)
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .threads(4)
                .onMessageInOrder(message -> {
                    String order = message.keys().get(0);
                    OrderStep step = OrderStep.valueOf(message.tag());
                    OrderStep before = lastSteps.put(order, step);
                    int expected = before == null ? 0 : before.ordinal() + 1;
                    observer.saw(order, step, step.ordinal() == expected);
                    return Result.SUCCESS;
                })
                .start();
    }

    /** How many queues of the orders this member works on now. */
    public int ownedQueues() {
        return (int) consumer.assignment().stream()
                .filter(queue -> queue.topic().equals("orders"))
                .count();
    }

    @Override
    public void close() {
        consumer.close();
    }

    public static void main(String[] arguments) throws Exception {
        try (WaybillClient client = WaybillClient.connect(NameServer.from(arguments));
                OrderedOrderConsumer consumer = new OrderedOrderConsumer(
                        client,
                        "shipping",
                        new ConcurrentHashMap<>(),
                        (order, step, inOrder) ->
                                System.out.println(order + " " + step + (inOrder ? "" : "   OUT OF ORDER")))) {
            System.out.println("Waiting for orders; Enter ends the program.");
            System.in.read();
        }
    }

    /** What the log says of a message, for the other examples. */
    static String describe(ReceivedMessage message) {
        return message.storedAt() + " " + message.queue() + "@" + message.offset() + " " + message.text();
    }
}
