/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.ReadRules.ReadRefusal;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;

/**
 * On which terms a pull is served, or that it is not.
 *
 * @param group null when it is refused, like the topic and the filter
 * @param filter what it gets
 * @param heartbeatFilter what the client's heartbeat or its group's requested, also when the pull carries its
 *     subscription; null when none did
 * @param isOutdated whether the pull is of a time when its client requested something else: it shall come again
 * @param subscribedGroup the group whose other members count; null for somebody who only reads under its name
 * @param refusal null when it is served
 */
record PullTerms(
        SubscriptionGroupConfig group,
        TopicConfig topic,
        Filter filter,
        Filter heartbeatFilter,
        boolean isOutdated,
        ConsumerGroup subscribedGroup,
        ReadRefusal refusal) {
    static PullTerms refused(ReadRefusal refusal) {
        return new PullTerms(null, null, null, null, false, null, refusal);
    }

    static PullTerms refused(int code, String text) {
        return refused(new ReadRefusal(code, text));
    }

    boolean isRefused() {
        return refusal != null;
    }

    boolean isRefused(int code) {
        return refusal != null && refusal.code() == code;
    }
}
