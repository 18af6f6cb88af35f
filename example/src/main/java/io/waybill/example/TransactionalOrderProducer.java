/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import java.sql.SQLException;

/**
 * Records the steps of orders in the service's database and tells the others by a message that becomes visible exactly if the database has committed.
 * When the service does not know (it "crashed" in between), the broker asks, and the answer is read from the database.
 */
public final class TransactionalOrderProducer implements AutoCloseable {
    /** What happens inside the service while it handles a step. */
    public enum Fate {
        /** All is well. */
        COMMIT,
        /** The payment is declined: nothing is recorded. */
        ROLL_BACK,
        /** Recorded, but the service dies before it can say so. */
        CRASH_AFTER_COMMIT,
        /** The service dies before anything is recorded. */
        CRASH_BEFORE_COMMIT
    }

    private record Work(String orderId, OrderStep step, Fate fate) {}

    private final TransactionProducer producer;

    public TransactionalOrderProducer(WaybillClient client, OrderDatabase database) {
        this.producer = client.transactionProducer("order-service")
                .topics("orders")
                .listener(new TransactionListener() {
                    @Override
                    public Decision execute(Message message, Object argument) throws SQLException {
                        Work work = (Work) argument;
                        switch (work.fate()) {
                            case ROLL_BACK:
                                return Decision.ROLLBACK;
                            case CRASH_BEFORE_COMMIT:
                                return Decision.UNKNOWN;
                            default:
                                database.record(work.orderId(), work.step(), message.id());
                                return work.fate() == Fate.COMMIT ? Decision.COMMIT : Decision.UNKNOWN;
                        }
                    }

                    @Override
                    public Decision check(ReceivedMessage message) throws SQLException {
                        return database.isRecorded(message.messageId()) ? Decision.COMMIT : Decision.ROLLBACK;
                    }
                })
                .build();
    }

    /** Handles one step of an order. */
    public TransactionReceipt handle(String orderId, OrderStep step, Fate fate) {
        Message message = Message.to("orders")
                .tag(step.name())
                .key(orderId)
                .orderingKey(orderId)
                .body(orderId + " " + step)
                .build();
        return producer.send(message, new Work(orderId, step, fate));
    }

    @Override
    public void close() {
        producer.close();
    }

    public static void main(String[] arguments) throws Exception {
        try (OrderDatabase database = OrderDatabase.inMemory("orders");
                WaybillClient client = WaybillClient.connect(NameServer.from(arguments));
                TransactionalOrderProducer orders = new TransactionalOrderProducer(client, database)) {
            for (Fate fate : Fate.values()) {
                String order = "order-" + System.currentTimeMillis() + "-" + fate;
                TransactionReceipt receipt = orders.handle(order, OrderStep.CREATED, fate);
                System.out.println(order + ": " + receipt.decision() + ", in the database: "
                        + database.isRecorded(receipt.messageId()));
            }
            System.out.println("The broker asks about the two undecided ones; Enter ends the program.");
            System.in.read();
        }
    }
}
