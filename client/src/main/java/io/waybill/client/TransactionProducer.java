/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * Sends messages that become visible only when the service's own transaction has committed. A decision that gets lost (crash, network, UNKNOWN) is
 * asked for by the broker from any living member of the group, through {@link TransactionListener#check}.
 *
 * <p>Safe for use from any thread. The group must be the same in all processes of the service.
 */
public interface TransactionProducer extends AutoCloseable {
    /** The group given at building. */
    String group();

    /**
     * Stores the message invisibly, runs {@link TransactionListener#execute}, and tells the broker the decision.
     *
     * <p>In a topic with de-duplication a second message of a key is not stored: the receipt's {@code half.duplicate()} says so, and the listener was
     * not run.
     *
     * @param argument handed to the listener; may be null
     * @throws TransactionConflictException if the transaction had been decided otherwise before the listener returned
     * @throws WaybillException if the half message was not (or not surely) stored; the listener was not run, and nothing becomes visible
     */
    TransactionReceipt send(Message message, Object argument);

    /** Like {@link #send(Message, Object)} without an argument. */
    default TransactionReceipt send(Message message) {
        return send(message, null);
    }

    /** Like {@link #send(Message, Object)} without waiting; the listener runs on a listener thread. */
    CompletableFuture<TransactionReceipt> sendAsync(Message message, Object argument);

    /** Waits for transactions under way, as long as a send may take, then leaves the group; while a local transaction lasts longer it stays. */
    @Override
    void close();

    /** Settings of a transactional producer. */
    interface Builder {
        /** Required: the service's side. */
        Builder listener(TransactionListener listener);

        /** The whole time for storing the half message with all retries; 5 s unless set. */
        Builder sendTimeout(Duration timeout);

        /** Bodies of at least this many bytes travel zlib-compressed; 4096 unless set. */
        Builder compressFrom(int bytes);

        /** The topics it will send to: their brokers are told of this group at once, so checks left from an earlier life arrive before the first send. */
        Builder topics(String... topics);

        /** @throws WaybillException of kind INVALID without a listener, or if this client has one for the group already */
        TransactionProducer build();
    }
}
