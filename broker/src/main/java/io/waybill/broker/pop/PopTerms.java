/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.longpoll.ReadRules.ReadRefusal;

/**
 * On which terms a pop is served, or that it is not.
 *
 * @param queueCount of the topic
 * @param expression what the filter was compiled from; null when it is refused, like the filter
 * @param mostRetries of the group, before a message becomes a dead letter
 * @param refusal null when it is served
 */
record PopTerms(int queueCount, String expression, Filter filter, int mostRetries, ReadRefusal refusal) {
    static PopTerms refused(ReadRefusal refusal) {
        return new PopTerms(0, null, null, 0, refusal);
    }

    boolean isRefused() {
        return refusal != null;
    }
}
