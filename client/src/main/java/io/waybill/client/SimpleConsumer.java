/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;

/**
 * Takes single messages and acknowledges each (pop). A message taken is invisible to the other members for the time asked for; if it is not acknowledged
 * by then somebody gets it again, and after the group's retries it is a dead letter. There are no queues to own, so any number of members can share any
 * number of queues, and they may come and go.
 *
 * <p>Safe for use from any thread.
 */
public interface SimpleConsumer extends AutoCloseable {
    /** The group given at building. */
    String group();

    /**
     * Takes messages of the subscribed topics; waits up to 10 s if there are none.
     *
     * @param max the most messages to return, 1 to 32
     * @param invisibleFor how long nobody else gets them; 1 s to 12 h
     * @return at least one message, or an empty list when the time passed
     */
    default List<ReceivedMessage> receive(int max, Duration invisibleFor) {
        return receive(max, invisibleFor, Duration.ofSeconds(10));
    }

    /**
     * Takes messages of the subscribed topics.
     *
     * @param max the most messages to return, 1 to 32
     * @param invisibleFor how long nobody else gets them; 1 s to 12 h
     * @param wait how long to wait when there is none; zero does not wait
     * @return at least one message, or an empty list when the time passed
     */
    List<ReceivedMessage> receive(int max, Duration invisibleFor, Duration wait);

    /**
     * A message is done; it does not come again. Durable when this returns. Too late is no error: then it has come again already, or will.
     *
     * @throws WaybillException of kind INVALID if the message was not received by this consumer
     */
    void ack(ReceivedMessage message);

    /** Like {@link #ack(ReceivedMessage)}, for many messages in one call to each broker. */
    void ack(Collection<ReceivedMessage> messages);

    /**
     * Keeps a message for so long from now on; a short time gives it back. Later calls and the acknowledgement work on.
     *
     * @throws WaybillException of kind INVALID if the message was not received by this consumer
     */
    void changeInvisible(ReceivedMessage message, Duration fromNow);

    /** Straight to the dead letters of the group, without further tries. */
    void reject(ReceivedMessage message);

    /** Leaves the group. What was taken and not acknowledged comes again when its time is over. */
    @Override
    void close();

    /** Settings of a simple consumer: at least one subscription. */
    interface Builder {
        /** Subscribes to all messages of a topic. */
        default Builder subscribe(String topic) {
            return subscribe(topic, Filter.ALL);
        }

        /** Subscribes to messages a filter lets through. */
        Builder subscribe(String topic, Filter filter);

        /** Where a new group begins; {@link StartFrom#FIRST} unless set. */
        Builder from(StartFrom place);

        /** Where a new group begins: the first message stored at this time or later. */
        default Builder from(Instant time) {
            return from(StartFrom.at(time));
        }

        /**
         * Joins the group.
         *
         * @throws WaybillException if no broker of the topics can be reached, or of kind INVALID for missing or wrong settings
         */
        SimpleConsumer build();
    }
}
