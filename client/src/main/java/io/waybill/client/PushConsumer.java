/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;

/**
 * Gets messages by a handler, as a member of a group that shares the queues of its topics. Every message is delivered at least once; a message counts
 * as done when the handler returned {@link ConsumeResult#SUCCESS}.
 *
 * <p>Handlers run on the process's listener threads: concurrent ones in parallel and in no order, ordered ones with never two threads on one queue.
 */
public interface PushConsumer extends AutoCloseable {
    /** The group given at building. */
    String group();

    /** The queues this member works on now, retry queues included. */
    Set<MessageQueue> assignment();

    /** Messages fetched but not done yet. */
    int cachedMessages();

    /** Waits until the member has queues of each subscribed topic; false if that did not happen in time. */
    boolean awaitAssignment(Duration timeout);

    /** Stops fetching and handing out; messages in handlers are finished. Progress stays. */
    void pause();

    /** Goes on after {@link #pause()}. */
    void resume();

    /** Waits for running handlers (up to 30 s), commits the progress, gives the queues back and leaves the group. */
    @Override
    void close();

    /** Settings of a push consumer: at least one subscription and one handler. */
    interface Builder {
        /** Subscribes to all messages of a topic. */
        default Builder subscribe(String topic) {
            return subscribe(topic, "*");
        }

        /** Subscribes to messages with one of the tags, e.g. {@code "CREATED || PAID"}; {@code "*"} = all. */
        Builder subscribe(String topic, String tags);

        /** Subscribes to messages a filter lets through, by tags or by SQL. */
        Builder subscribe(String topic, Filter filter);

        /** The most messages handled at the same time; 8 unless set. All consumers of the process together use at most 64 threads. */
        Builder threads(int threads);

        /** Where a new group begins; {@link StartFrom#LAST} unless set. */
        Builder from(StartFrom place);

        /** Where a new group begins: the first message stored at this time or later. */
        default Builder from(Instant time) {
            return from(StartFrom.at(time));
        }

        /** Handles messages in parallel; a failed one comes again with growing delay. */
        Builder onMessage(MessageHandler handler);

        /** Handles messages of a queue strictly one after the other; a failed one holds its queue until it succeeds. */
        Builder onMessageInOrder(MessageHandler handler);

        /**
         * How often a message is tried before it goes to the dead letters. Unless set, the settings of the group decide for concurrent consumers (16
         * retries after the first try, if nobody changed them), and ordered ones have no limit.
         */
        Builder maxAttempts(int attempts);

        /** Ordered: how long a queue rests after a failure; 1 s unless set. */
        Builder suspend(Duration pause);

        /**
         * Concurrent: a message that its handler has had for so long is sent back, so that it cannot hold up the progress for ever; 15 min unless
         * set. What the handler says later is ignored.
         */
        Builder handlerTimeout(Duration limit);

        /**
         * Every member gets every message of all queues, and keeps its progress itself, in memory: after a restart it begins where {@code from} says. A
         * message that fails is tried again here, {@link #maxAttempts} times (3 unless set), then it is dropped with a log line; there are no dead
         * letters.
         */
        Builder broadcast();

        /** Like {@link #broadcast()}, with the progress in a directory of this consumer's own, where it goes on after a restart. */
        Builder broadcast(Path directory);

        /**
         * Gets messages by pop: the broker hands out single messages with a time to acknowledge them, so any number of members shares any number of
         * queues and a slow one blocks nothing. Concurrent handlers only.
         */
        Builder byPop();

        /** Pop: how long a handler may have a message before another member gets it; 60 s unless set, renewed while the handler runs. */
        Builder invisibleFor(Duration time);

        /** Stops fetching from a queue that has this many messages not done; 1000 unless set. */
        Builder maxCachedMessages(int perQueue);

        /** Stops fetching from a queue that has this many bytes not done; 16 MiB unless set. */
        Builder maxCachedBytes(long perQueue);

        /**
         * Joins the group and begins.
         *
         * @throws WaybillException if no broker of the topics can be reached, or of kind INVALID for missing or wrong settings
         */
        PushConsumer start();
    }
}
