/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;

/**
 * Sends messages that become visible exactly if the local transaction that is given with them commits. A call that returns has committed, or rolled back
 * as the work asked; everything else is an exception.
 *
 * <p>Safe for use from any thread.
 */
public final class JdbcTransactionProducer implements AutoCloseable {
    private final TransactionProducer producer;

    JdbcTransactionProducer(TransactionProducer.Builder builder, OutcomeTable outcomes) {
        this.producer = builder.listener(new TransactionListener() {
                    @Override
                    public Decision execute(Message message, Object argument) {
                        return ((Execution<?>) argument).run(outcomes, message.id());
                    }

                    @Override
                    public Decision check(ReceivedMessage message) throws SQLException {
                        return outcomes.check(message);
                    }
                })
                .build();
    }

    /** The producer group. */
    public String group() {
        return producer.group();
    }

    /**
     * Stores the message invisibly, runs the work in a database transaction, and tells the broker the decision.
     *
     * @return COMMIT or ROLLBACK, as the work asked; UNKNOWN only for a duplicate in a topic with de-duplication, whose work was not run
     * @throws X what the work threw; it is rolled back
     * @throws RolledBackByCheckException if a check decided ROLLBACK before the work could begin
     * @throws LocalTransactionException if the transaction ended otherwise than the work asked, with what is known of it
     * @throws TransactionConflictException if the broker had a decision already that the table did not give: somebody's by hand, or none in all checks
     * @throws io.waybill.client.WaybillException if the half message was not (or not surely) stored; the work was not run
     */
    public <X extends Exception> TransactionReceipt send(Message message, LocalTransaction<X> work) throws X {
        Execution<X> execution = new Execution<>(work);
        TransactionReceipt receipt;
        try {
            receipt = producer.send(message, execution);
        } catch (TransactionConflictException conflict) {
            if (execution.failure != null) {
                conflict.addSuppressed(execution.failure);
            }
            throw conflict;
        }
        execution.rethrow();
        return execution.checked(receipt);
    }

    /** Like {@link #send} without waiting; the work runs on a listener thread, and the exceptions end the future. */
    public CompletableFuture<TransactionReceipt> sendAsync(Message message, LocalTransaction<?> work) {
        Execution<?> execution = new Execution<>(work);
        return producer.sendAsync(message, execution)
                .thenCompose(receipt -> execution.failure == null
                        ? CompletableFuture.completedFuture(execution.checked(receipt))
                        : CompletableFuture.failedFuture(execution.failure));
    }

    /** Waits for transactions under way, then leaves the group. The database stays open. */
    @Override
    public void close() {
        producer.close();
    }

    /** One send's work and what came of it. The client hands over the result from thread to thread. */
    private static final class Execution<X extends Exception> {
        private final LocalTransaction<X> work;
        private boolean ran;
        private Exception failure;

        Execution(LocalTransaction<X> work) {
            if (work == null) {
                throw Database.invalid(
                        "the local transaction must not be null", "use an ordinary producer without one");
            }
            this.work = work;
        }

        Decision run(OutcomeTable outcomes, String messageId) {
            ran = true;
            try {
                return outcomes.execute(messageId, work);
            } catch (LocalTransactionException e) {
                failure = e;
                return e.decision();
            } catch (Exception e) { // of the work, and rolled back
                failure = e;
                return Decision.ROLLBACK;
            }
        }

        @SuppressWarnings("unchecked")
        void rethrow() throws X {
            if (failure != null) {
                throw (X) failure;
            }
        }

        /** The broker may keep the half message not safely enough for a local transaction to run. */
        TransactionReceipt checked(TransactionReceipt receipt) {
            if (!ran && !receipt.half().duplicate()) {
                throw new LocalTransactionException(
                        receipt.messageId(), receipt.decision(), "was not run", receipt.failure());
            }
            return receipt;
        }
    }
}
