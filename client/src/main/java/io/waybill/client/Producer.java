/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Sends messages. A send is retried inside one overall time-out with the same message id, so it ends in a receipt or in a {@link WaybillException}
 * that says whether the message may have been stored.
 *
 * <p>Safe for use from any thread. Futures complete on an I/O thread: do not block in their callbacks (use the {@code ...Async} methods of
 * {@link CompletableFuture} for that).
 */
public interface Producer extends AutoCloseable {
    /** The group given at building. */
    String group();

    /** Sends and waits for the broker's answer. */
    SendReceipt send(Message message);

    /** Sends; the future gives the receipt or fails with a {@link WaybillException}. Never throws it directly. */
    CompletableFuture<SendReceipt> sendAsync(Message message);

    /**
     * Sends without asking for an answer: fast, and lost without a word if anything goes wrong after the bytes left. Waits only for the topic's
     * route.
     */
    void sendOneway(Message message);

    /**
     * Sends messages of one topic as one batch to one queue: all of them are stored, next to each other, or none. At most 4 MiB together; no
     * delayed ones; if ordering keys or queues are given they must be equal.
     *
     * @return one receipt for each message, in order
     */
    List<SendReceipt> sendAll(List<Message> messages);

    /** Like {@link #sendAll}, without waiting. */
    CompletableFuture<List<SendReceipt>> sendAllAsync(List<Message> messages);

    /** Delayed messages after they were sent: cancelling them and moving them to another time. */
    DelayedDeliveries delayed();

    /**
     * Sends a question and waits for the answer of whichever consumer gets it and answers (see {@link ConsumeResult#reply}).
     *
     * @param timeout for sending, handling and answering together
     * @return the answer
     * @throws WaybillException of kind TIMEOUT if none came in time: the question may have been handled, or may still be
     */
    ReceivedMessage request(Message message, Duration timeout);

    /** Like {@link #request}, without waiting. */
    CompletableFuture<ReceivedMessage> requestAsync(Message message, Duration timeout);

    /** The queues a message of this topic can go to, in the order ordering keys are spread over. */
    List<MessageQueue> queues(String topic);

    /** Waits for the answers of sends under way (up to their time-outs), then leaves its group at the brokers. */
    @Override
    void close();

    /** Settings of a producer; all have working defaults. */
    interface Builder {
        /** The whole time for a send with all its retries; 5 s unless set. */
        Builder sendTimeout(Duration timeout);

        /** How often a message is sent at most; 10 unless set, 1 = no retry. */
        Builder maxAttempts(int attempts);

        /** Bodies of at least this many bytes travel zlib-compressed; 4096 unless set, {@code Integer.MAX_VALUE} = never. */
        Builder compressFrom(int bytes);

        /**
         * Puts messages of equal topic (and queue or ordering key) that are sent with {@link Producer#sendAsync} within this time into one batch; off
         * unless set. Worth it when many small messages are sent at once: each then waits up to this long and costs a fraction.
         */
        Builder linger(Duration time);

        /** Makes the producer. Nothing is sent yet. */
        Producer build();
    }
}
