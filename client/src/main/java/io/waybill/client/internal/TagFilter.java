/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import java.util.Set;
import java.util.TreeSet;

/**
 * A tag expression: everything, or a set of tags. The broker filters by it too, but a stock broker compares hashes only, so the texts are compared
 * again here.
 *
 * @param expression as sent to the broker
 * @param tags the tags, empty = everything
 */
record TagFilter(String expression, Set<String> tags) {
    static final TagFilter ALL = new TagFilter("*", Set.of());

    static TagFilter parse(String expression) {
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
            throw Failures.invalid(
                    "tag expression \"" + expression + "\" is neither * nor tags separated by ||",
                    "write it like \"CREATED || PAID\"");
        }
        return new TagFilter(String.join(" || ", tags), Set.copyOf(tags));
    }

    boolean matches(String tag) {
        return tags.isEmpty() || tag != null && tags.contains(tag);
    }
}
