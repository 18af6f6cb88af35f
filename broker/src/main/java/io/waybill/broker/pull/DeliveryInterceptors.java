/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.pull.DeliveryInterceptor.MessageRouter;
import io.waybill.broker.pull.DeliveryInterceptor.Verdict;
import io.waybill.remoting.Connection;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * All interceptors, asked in the order in which they were added: the first that does not let a message through decides.
 * Thread-safe.
 */
public final class DeliveryInterceptors {
    private final List<DeliveryInterceptor> all = new CopyOnWriteArrayList<>();

    /** Adds one; before the first request. */
    public void add(DeliveryInterceptor interceptor) {
        all.add(interceptor);
    }

    /** Null, the usual: what the filter takes goes to the client. */
    MessageRouter router(Pull pull) {
        if (pull.isReplay()) {
            return null;
        }
        MessageRouter first = null;
        Filter wanted = pull.terms().filter();
        for (DeliveryInterceptor interceptor : all) {
            MessageRouter next = interceptor.router(
                    pull.group(),
                    pull.subscribedGroup(),
                    pull.topic(),
                    pull.queueId(),
                    pull.request().connection(),
                    wanted);
            if (next != null) {
                wanted = next.filter();
                first = first == null ? next : new Both(first, next);
            }
        }
        return first;
    }

    void reset(String group, String topic, int queueId) {
        all.forEach(interceptor -> interceptor.reset(group, topic, queueId));
    }

    void retryPulled(ConsumerGroup group, String topic, int queueId, Connection connection) {
        all.forEach(interceptor -> interceptor.retryPulled(group, topic, queueId, connection));
    }

    void closed(Connection connection) {
        all.forEach(interceptor -> interceptor.closed(connection));
    }

    private static final class Both implements MessageRouter {
        private final MessageRouter first;
        private final MessageRouter second;

        Both(MessageRouter first, MessageRouter second) {
            this.first = first;
            this.second = second;
        }

        @Override
        public Filter filter() {
            return second.filter();
        }

        @Override
        public Verdict verdict(ByteBuffer buffer, int at) {
            Verdict verdict = first.verdict(buffer, at);
            return verdict == Verdict.DELIVER ? second.verdict(buffer, at) : verdict;
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            List<ByteBuffer> ofSecond = new ArrayList<>();
            List<ByteBuffer> ofFirst = new ArrayList<>();
            for (ByteBuffer message : messages) {
                boolean isOfFirst = first.verdict(message, 0) == Verdict.REROUTE;
                (isOfFirst ? ofFirst : ofSecond).add(message);
            }
            if (ofFirst.isEmpty() || ofSecond.isEmpty()) {
                (ofSecond.isEmpty() ? first : second).reroute(messages, then);
                return;
            }
            first.reroute(ofFirst, refusal -> {
                if (refusal != null) {
                    then.accept(refusal);
                } else {
                    second.reroute(ofSecond, then);
                }
            });
        }
    }
}
