/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.protocol.body.SubscriptionData;

/**
 * What a group wants of a topic, with the compiled filter.
 *
 * @param data as the client said it
 * @param filter the same, ready to be asked; null when the expression is of a type this broker does not evaluate
 */
public record Subscription(SubscriptionData data, TagFilter filter) {
    public static Subscription of(SubscriptionData data) {
        return new Subscription(data, isTags(data.expressionType()) ? TagFilter.of(data.subString()) : null);
    }

    /** Whether an expression of this type is a list of tags; no type means it is. */
    public static boolean isTags(String expressionType) {
        return expressionType == null || expressionType.isEmpty() || expressionType.equals("TAG");
    }

    public boolean isTags() {
        return filter != null;
    }

    public long version() {
        return data.subVersion();
    }
}
