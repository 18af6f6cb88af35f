/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.filter.Filter;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * What a group wants of a topic. A message is wanted when one member wants it; of a group that is away every message is, since nobody can say.
 *
 * @param filters of the members, each once; empty when nobody is connected or subscribed
 * @param text the expressions, for people; null when there are none
 */
record SubscriptionFilter(List<Filter> filters, String text) {
    static final SubscriptionFilter UNKNOWN = new SubscriptionFilter(List.of(), null);

    boolean isAll() {
        return filters.isEmpty() || filters.stream().anyMatch(Filter::isAll);
    }

    boolean mayMatch(long tagsCode) {
        for (Filter filter : filters) {
            if (filter.mayMatch(tagsCode)) {
                return true;
            }
        }
        return filters.isEmpty();
    }

    boolean matches(ByteBuffer buffer, int at) {
        for (Filter filter : filters) {
            if (filter.matches(buffer, at)) {
                return true;
            }
        }
        return filters.isEmpty();
    }
}
