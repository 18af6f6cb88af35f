/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.filter.Filter;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.BadField;

/**
 * What a group or one of its members wants of a topic, with the compiled filter.
 *
 * @param data as the client said it
 * @param filter the same, ready to be asked
 */
public record Subscription(SubscriptionData data, Filter filter) {
    /** @throws BadField when the expression is too long, cannot be read or is of an unknown type */
    public static Subscription of(SubscriptionData data) {
        return new Subscription(data, Filter.of(data.expressionType(), data.subString()));
    }

    /** The same with the filter of one known before, if that wants the same: so that nobody takes it for another wish. */
    static Subscription of(SubscriptionData data, Subscription known) {
        Subscription fresh = of(data);
        return known != null && known.wish().equals(fresh.wish()) ? new Subscription(data, known.filter()) : fresh;
    }

    /** The expression with its type: equal for subscriptions that want the same. */
    String wish() {
        String text = data.subString() == null || data.subString().isBlank()
                ? "*"
                : data.subString().trim();
        return Filter.isTags(data.expressionType()) ? text : data.expressionType() + ": " + text;
    }

    public long version() {
        return data.subVersion();
    }
}
