/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.store.log.Outcome;
import java.util.Map;
import java.util.function.Consumer;

/** What may become of a message that an ordered consumer gave up, instead of a dead letter. */
@FunctionalInterface
public interface ConsumeFailureHandler {
    /** Every one becomes a dead letter. */
    ConsumeFailureHandler DEAD_LETTER = (group, properties, client, then) -> false;

    /**
     * @param properties of the message as its consumer sent it back
     * @param then if true is returned, called exactly once: null = make it a dead letter after all
     * @return false: make it a dead letter
     */
    boolean take(SubscriptionGroupConfig group, Map<String, String> properties, String client, Consumer<Outcome> then);
}
