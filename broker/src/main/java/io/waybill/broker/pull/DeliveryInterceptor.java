/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.remoting.Connection;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;

/**
 * A reason why a pull must not hand something to its client and must not lose it either.
 *
 * <p>What always holds: what is rerouted is kept elsewhere before the answer lets the client's offset pass it. Safe
 * from any thread.
 */
public interface DeliveryInterceptor {
    /** What becomes of a message that was read. */
    enum Verdict {
        /** To the client. */
        DELIVER,
        /** Passed over. */
        SKIP,
        /** Kept elsewhere, then passed over. */
        REROUTE
    }

    /**
     * How the messages of one read are sorted, or null, the usual: all that the filter takes go to the client. Asked
     * before every read; must be cheap.
     *
     * @param name of the group; replays are not asked about
     * @param group with its members; null when the pull is no member's
     * @param wanted what the read takes without this
     */
    MessageRouter router(
            String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted);

    /** The offset of a group in a queue was set from outside: what was rerouted before may be wanted again. */
    default void reset(String group, String topic, int queueId) {}

    /** A member pulls a queue of its group's retry topic. */
    default void retryPulled(ConsumerGroup group, String topic, int queueId, Connection connection) {}

    /** A connection closed: it reads nothing any more. */
    default void closed(Connection connection) {}

    /** Sorts the messages of one read; of one thread at a time. */
    interface MessageRouter {
        /** What is to be read: all that the client wants, and what may have to be rerouted. */
        Filter filter();

        /** What becomes of the stored message that starts at {@code at}. */
        Verdict verdict(ByteBuffer buffer, int at);

        /**
         * Keeps these elsewhere, each buffer one stored message. {@code then} is called exactly once, by any thread:
         * with null when all are kept, else with the sentence why not; then the read is refused, and what was kept
         * already must not be kept again when the client repeats it.
         */
        void reroute(List<ByteBuffer> messages, Consumer<String> then);
    }
}
