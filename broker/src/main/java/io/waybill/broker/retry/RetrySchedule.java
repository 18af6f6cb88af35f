/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.broker.settings.DelayLevels;
import io.waybill.broker.timer.Delay;
import io.waybill.protocol.body.RetryPolicy;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.BadField;

/**
 * How often a message is tried and when the next try is. Pure.
 *
 * <p>What decides about the time, in this order: a level the consumer names, the policy of the group, the level 3 + tries before. About the number: the
 * limit the client names, else the group's; a negative one is no limit of a client, and in a group it means to try for ever.
 */
final class RetrySchedule {
    /** Level of the first retry; each further one is one level later. */
    private static final int FIRST_LEVEL = 3;

    private RetrySchedule() {}

    /**
     * @param triesBefore deliveries that failed before the latest one; a producer may have written any number
     * @param wantedLevel the level the consumer names, 0 for none
     */
    static Delay next(
            SubscriptionGroupConfig group, DelayLevels levels, int triesBefore, int wantedLevel, long nowMillis) {
        RetryPolicy policy = wantedLevel > 0 ? null : policyOf(group);
        if (policy != null) {
            return Delay.dueAt(nowMillis + policy.delayMillis(triesBefore), 0);
        }
        int byTries = FIRST_LEVEL + Math.max(0, Math.min(triesBefore, levels.highest()));
        int level = levels.clamp(wantedLevel > 0 ? wantedLevel : byTries);
        return Delay.dueAt(nowMillis + levels.delayMillis(level), level);
    }

    /** The group's own policy, or null; what cannot be read (an older version took anything) is none. */
    static RetryPolicy policyOf(SubscriptionGroupConfig group) {
        try {
            return group.retryPolicy();
        } catch (BadField e) {
            return null;
        }
    }

    /** The tries after which a message is a dead letter; {@link Integer#MAX_VALUE} for no limit. */
    static int mostTries(SubscriptionGroupConfig group, int ofClient) {
        int most = ofClient >= 0 ? ofClient : group.retryMaxTimes();
        return most < 0 ? Integer.MAX_VALUE : most;
    }
}
