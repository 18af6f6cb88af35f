/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.ConsumeResult;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import io.waybill.client.jdbc.ProcessOnce;
import java.sql.SQLException;

/**
 * Ships orders: sees CREATED, PAID, SHIPPED of each order in this order, and says so when it does not. What it notes in its database stands there once,
 * however often a message is delivered.
 */
public final class OrderedOrderConsumer implements AutoCloseable {
    /** Called for each message, before its transaction commits; the last argument is false for a step that came too early. */
    @FunctionalInterface
    public interface Observer {
        void saw(String orderId, OrderStep step, boolean inOrder);
    }

    private final PushConsumer consumer;

    public OrderedOrderConsumer(WaybillClient client, String group, OrderDatabase database, Observer observer)
            throws SQLException {
        ProcessOnce once = ProcessOnce.in(database.connections(), group);
        once.createIfAbsent();
        this.consumer = client.pushConsumer(group)
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .threads(4)
                .onMessageInOrder(once.handler((connection, message) -> {
                    String order = message.keys().get(0);
                    OrderStep step = OrderStep.valueOf(message.tag());
                    OrderStep before = OrderDatabase.ship(connection, order, step);
                    int expected = before == null ? 0 : before.ordinal() + 1;
                    observer.saw(order, step, step.ordinal() == expected);
                    return ConsumeResult.SUCCESS;
                }))
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
        try (OrderDatabase database = OrderDatabase.inMemory("shipping");
                WaybillClient client = WaybillClient.connect(NameServer.from(arguments));
                OrderedOrderConsumer consumer = new OrderedOrderConsumer(
                        client,
                        "shipping",
                        database,
                        (order, step, inOrder) ->
                                System.out.println(order + " " + step + (inOrder ? "" : "   OUT OF ORDER")))) {
            System.out.println("Waiting for orders; Enter ends the program.");
            System.in.read();
        }
    }

    /** What the log says of a message, for the other examples. */
    static String describe(ReceivedMessage message) {
        return message.delivery().storedAt() + " " + message.delivery().queue() + "@"
                + message.delivery().offset() + " " + message.text();
    }
}
