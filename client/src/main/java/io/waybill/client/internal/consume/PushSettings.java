/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageHandler;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.message.SubscriptionFilter;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How a push consumer is set; see {@link io.waybill.client.PushConsumer.Builder}.
 *
 * @param subscriptions topic to filter, as the application gave them
 * @param maxAttempts {@code Integer.MAX_VALUE} where the broker counts
 * @param directory where a broadcast consumer keeps its offsets; null = in memory
 */
public record PushSettings(
        String group,
        Map<String, SubscriptionFilter> subscriptions,
        StartFrom start,
        int threads,
        MessageHandler handler,
        boolean ordered,
        int maxAttempts,
        long suspendMillis,
        int maxCachedMessages,
        long maxCachedBytes,
        long handlerTimeoutMillis,
        boolean broadcast,
        Path directory) {
    public PushSettings {
        subscriptions = Collections.unmodifiableMap(new LinkedHashMap<>(subscriptions));
    }

    /** Retries the broker is told to allow; negative where the group's settings decide. */
    int maxRetries() {
        return maxAttempts == Integer.MAX_VALUE && !ordered ? -1 : maxAttempts - 1;
    }
}
