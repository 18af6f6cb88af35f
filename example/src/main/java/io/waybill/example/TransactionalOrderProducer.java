/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillClient;
import io.waybill.client.jdbc.LocalTransactionException;
import io.waybill.client.jdbc.OutcomeTable;
import java.sql.SQLException;

/**
 * Records the steps of orders in the service's database and tells the others by a message that becomes visible exactly if the database has committed.
 * The outcome stands in the same database, written by the same transaction. When the service does not say it (it "crashed" in between), or is slower than
 * the broker's check, the check is answered from there, and at most one outcome can stand.
 *
 * <p>Without the simulated crashes this is shorter: {@code outcomes.producer(client.transactionProducer("order-service"))}, and
 * {@code producer.send(message, connection -> ...)}.
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

    /** What else the service does inside the transaction; may take long. */
    @FunctionalInterface
    public interface Payment {
        /** Returns when it is done. */
        void charge(String orderId);
    }

    private record OrderWork(String orderId, OrderStep step, Fate fate) {}

    private final TransactionProducer producer;

    public TransactionalOrderProducer(WaybillClient client, OrderDatabase database, Payment payment)
            throws SQLException {
        OutcomeTable outcomes = OutcomeTable.in(database.connections());
        outcomes.createIfAbsent();
        this.producer = client.transactionProducer("order-service")
                .topics("orders")
                .listener(new TransactionListener() {
                    @Override
                    public Decision execute(Message message, Object argument) throws SQLException {
                        OrderWork work = (OrderWork) argument;
                        if (work.fate() == Fate.CRASH_BEFORE_COMMIT) {
                            return Decision.UNKNOWN;
                        }
                        Decision decision = executed(outcomes, payment, message, work);
                        return work.fate() == Fate.CRASH_AFTER_COMMIT ? Decision.UNKNOWN : decision;
                    }

                    @Override
                    public Decision check(ReceivedMessage message) throws SQLException {
                        return outcomes.check(message);
                    }
                })
                .build();
    }

    private static Decision executed(OutcomeTable outcomes, Payment payment, Message message, OrderWork work)
            throws SQLException {
        try {
            return outcomes.execute(message.id(), connection -> {
                if (work.fate() == Fate.ROLL_BACK) {
                    return Decision.ROLLBACK;
                }
                OrderDatabase.record(connection, work.orderId(), work.step(), message.id());
                payment.charge(work.orderId());
                return Decision.COMMIT;
            });
        } catch (LocalTransactionException e) { // a check came first, or the database was lost
            return e.decision();
        }
    }

    /** Handles one step of an order. The receipt's ROLLBACK means that nothing was recorded: the step can be handled again. */
    public TransactionReceipt handle(String orderId, OrderStep step, Fate fate) {
        Message message = Message.to("orders")
                .tag(step.name())
                .key(orderId)
                .orderingKey(orderId)
                .body(orderId + " " + step)
                .build();
        return producer.send(message, new OrderWork(orderId, step, fate));
    }

    @Override
    public void close() {
        producer.close();
    }

    public static void main(String[] arguments) throws Exception {
        try (OrderDatabase database = OrderDatabase.inMemory("orders");
                WaybillClient client = WaybillClient.connect(NameServer.from(arguments));
                TransactionalOrderProducer orders = new TransactionalOrderProducer(client, database, order -> {})) {
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
