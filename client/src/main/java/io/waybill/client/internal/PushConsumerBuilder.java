/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Filter;
import io.waybill.client.MessageHandler;
import io.waybill.client.PushConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.consume.PushSettings;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.pop.PopApi;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.SharedThreads;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Function;

/** Settings of a push consumer until {@link #start()}, which decides between the one that owns queues and the one by pop. */
final class PushConsumerBuilder implements PushConsumer.Builder {
    private static final int BROADCAST_MAX_ATTEMPTS = 3;

    private final String group;
    private final Function<PushSettings, PushConsumer> byQueues;
    private final BiFunction<PushSettings, Long, PushConsumer> byPop;
    private final Map<String, SubscriptionFilter> subscriptions = new LinkedHashMap<>();
    private int threads = 8;
    private StartFrom start = StartFrom.LAST;
    private MessageHandler handler;
    private boolean ordered;
    private int maxAttempts = -1;
    private long suspendMillis = 1_000;
    private int maxCachedMessages = 1_000;
    private long maxCachedBytes = 16 << 20;
    private long handlerTimeoutMillis = Duration.ofMinutes(15).toMillis();
    private boolean broadcast;
    private Path directory;
    private boolean pop;
    private long invisibleMillis = PopApi.DEFAULT_INVISIBLE_MILLIS;

    /**
     * @param byQueues starts the consumer that owns queues
     * @param byPop starts the consumer by pop, which has a message for so many milliseconds
     */
    PushConsumerBuilder(
            String group,
            Function<PushSettings, PushConsumer> byQueues,
            BiFunction<PushSettings, Long, PushConsumer> byPop) {
        ArgumentChecks.group(group);
        this.group = group;
        this.byQueues = byQueues;
        this.byPop = byPop;
    }

    @Override
    public PushConsumer.Builder subscribe(String topic, String tags) {
        ArgumentChecks.topic(topic);
        subscriptions.put(topic, SubscriptionFilter.parse(tags));
        return this;
    }

    @Override
    public PushConsumer.Builder subscribe(String topic, Filter filter) {
        ArgumentChecks.topic(topic);
        subscriptions.put(topic, SubscriptionFilter.of(ArgumentChecks.given("filter", filter)));
        return this;
    }

    @Override
    public PushConsumer.Builder handlerTimeout(Duration limit) {
        handlerTimeoutMillis = ArgumentChecks.millis("handlerTimeout", limit);
        return this;
    }

    @Override
    public PushConsumer.Builder broadcast() {
        broadcast = true;
        return this;
    }

    @Override
    public PushConsumer.Builder broadcast(Path place) {
        directory = ArgumentChecks.given("directory", place);
        return broadcast();
    }

    @Override
    public PushConsumer.Builder byPop() {
        pop = true;
        return this;
    }

    @Override
    public PushConsumer.Builder invisibleFor(Duration time) {
        invisibleMillis = PopApi.invisibleMillis(time);
        return this;
    }

    @Override
    public PushConsumer.Builder threads(int value) {
        threads = Math.min(ArgumentChecks.positive("threads", value), SharedThreads.MAX_LISTENER_THREADS);
        return this;
    }

    @Override
    public PushConsumer.Builder from(StartFrom place) {
        start = ArgumentChecks.given("from", place);
        return this;
    }

    @Override
    public PushConsumer.Builder onMessage(MessageHandler value) {
        return handler(value, false);
    }

    @Override
    public PushConsumer.Builder onMessageInOrder(MessageHandler value) {
        return handler(value, true);
    }

    private PushConsumer.Builder handler(MessageHandler value, boolean inOrder) {
        if (handler != null) {
            throw ClientExceptions.invalid("this consumer has a handler already", "give one handler only");
        }
        handler = ArgumentChecks.given("handler", value);
        ordered = inOrder;
        return this;
    }

    @Override
    public PushConsumer.Builder maxAttempts(int attempts) {
        maxAttempts = ArgumentChecks.positive("maxAttempts", attempts);
        return this;
    }

    @Override
    public PushConsumer.Builder suspend(Duration pause) {
        suspendMillis = ArgumentChecks.millis("suspend", pause);
        return this;
    }

    @Override
    public PushConsumer.Builder maxCachedMessages(int perQueue) {
        maxCachedMessages = ArgumentChecks.positive("maxCachedMessages", perQueue);
        return this;
    }

    @Override
    public PushConsumer.Builder maxCachedBytes(long perQueue) {
        maxCachedBytes = Math.max(1, perQueue);
        return this;
    }

    @Override
    public PushConsumer start() {
        ArgumentChecks.given("onMessage or onMessageInOrder", handler);
        if (subscriptions.isEmpty()) {
            throw ClientExceptions.invalid("the consumer subscribes to nothing", "call subscribe(topic) before start");
        }
        if (broadcast && ordered || pop && (ordered || broadcast)) {
            throw ClientExceptions.invalid(
                    "of onMessageInOrder, broadcast and byPop only one is possible", "leave the others out");
        }
        if (maxAttempts < 0) {
            maxAttempts = broadcast ? BROADCAST_MAX_ATTEMPTS : Integer.MAX_VALUE; // else the broker counts
        }
        PushSettings settings = new PushSettings(
                group,
                subscriptions,
                start,
                threads,
                handler,
                ordered,
                maxAttempts,
                suspendMillis,
                maxCachedMessages,
                maxCachedBytes,
                handlerTimeoutMillis,
                broadcast,
                directory);
        return pop ? byPop.apply(settings, invisibleMillis) : byQueues.apply(settings);
    }
}
