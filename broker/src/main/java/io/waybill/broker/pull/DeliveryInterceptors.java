/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** All interceptors, asked in the order in which they were added: the first that does not give a message decides. */
public final class DeliveryInterceptors {
    private final List<DeliveryInterceptor> all = new CopyOnWriteArrayList<>();

    DeliveryInterceptors() {}

    /** Adds one; before the first request. */
    public void add(DeliveryInterceptor interceptor) {
        all.add(interceptor);
    }

    /** Null, the usual: what the filter takes goes to the client. */
    DeliveryInterceptor.MessageRouter router(Pull pull) {
        if (pull.isReplay()) {
            return null;
        }
        DeliveryInterceptor.MessageRouter first = null;
        Filter wanted = pull.filter();
        for (DeliveryInterceptor interceptor : all) {
            DeliveryInterceptor.MessageRouter next = interceptor.router(
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

    private static final class Both implements DeliveryInterceptor.MessageRouter {
        private final DeliveryInterceptor.MessageRouter first;
        private final DeliveryInterceptor.MessageRouter second;

        Both(DeliveryInterceptor.MessageRouter first, DeliveryInterceptor.MessageRouter second) {
            this.first = first;
            this.second = second;
        }

        @Override
        public Filter filter() {
            return second.filter();
        }

        @Override
        public DeliveryInterceptor.Verdict verdict(ByteBuffer buffer, int at) {
            DeliveryInterceptor.Verdict verdict = first.verdict(buffer, at);
            return verdict == DeliveryInterceptor.Verdict.DELIVER ? second.verdict(buffer, at) : verdict;
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            List<ByteBuffer> ofSecond = new ArrayList<>();
            List<ByteBuffer> ofFirst = new ArrayList<>();
            for (ByteBuffer message : messages) {
                boolean isOfFirst = first.verdict(message, 0) == DeliveryInterceptor.Verdict.REROUTE;
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
