/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import io.waybill.client.Filter;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.body.SubscriptionData;
import java.util.Set;
import java.util.TreeSet;

/**
 * A filter as the wire has it. The broker filters by it too, but a stock broker compares hashes of tags only, so the texts of tags are compared again
 * here; SQL is the broker's alone.
 *
 * @param type as the protocol names it
 * @param expression as sent to the broker
 * @param tags the tags, empty = everything or SQL
 */
public record SubscriptionFilter(String type, String expression, Set<String> tags) {
    public static final SubscriptionFilter ALL =
            new SubscriptionFilter(SubscriptionData.TAG, SubscriptionData.ALL, Set.of());

    public static SubscriptionFilter of(Filter filter) {
        if (filter.type() == Filter.Type.TAGS) {
            return parse(filter.expression());
        }
        if (filter.expression() == null || filter.expression().isBlank()) {
            throw ClientExceptions.invalid("the SQL condition of a filter is empty", "write it like \"amount > 100\"");
        }
        return new SubscriptionFilter(
                SubscriptionData.SQL92, filter.expression().strip(), Set.of());
    }

    public boolean isSql() {
        return type.equals(SubscriptionData.SQL92);
    }

    public SubscriptionData subscription(String topic, long version) {
        return isSql()
                ? new SubscriptionData(topic, expression, Set.of(), Set.of(), version, type, false)
                : SubscriptionData.of(topic, expression, version);
    }

    public static SubscriptionFilter parse(String expression) {
        if (expression == null || expression.isBlank() || expression.trim().equals("*")) {
            return ALL;
        }
        Set<String> tags = new TreeSet<>();
        for (String part : expression.split("\\|\\|")) {
            String tag = part.trim();
            if (!tag.isEmpty()) {
                tags.add(tag);
            }
        }
        if (tags.isEmpty() || tags.contains("*")) {
            throw ClientExceptions.invalid(
                    "tag expression \"" + expression + "\" is neither * nor tags separated by ||",
                    "write it like \"CREATED || PAID\"");
        }
        return new SubscriptionFilter(SubscriptionData.TAG, String.join(" || ", tags), Set.copyOf(tags));
    }

    public boolean matches(String tag) {
        return tags.isEmpty() || tag != null && tags.contains(tag);
    }
}
