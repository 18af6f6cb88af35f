/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import java.util.List;
import java.util.Map;

/**
 * The members of a group want different things of a topic.
 *
 * @param clients client ids, sorted, by what they want: the expression as they wrote it, with its type before it if that is not TAG; {@link #NOTHING} for
 *     those that are not subscribed
 */
public record Conflict(String topic, Map<String, List<String>> clients) {
    public static final String NOTHING = "(not subscribed)";

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        clients.forEach((expression, ids) -> {
            text.append(text.isEmpty() ? "" : ", ").append(shown(expression)).append(" of ");
            text.append(ids.size() > 5 ? ids.subList(0, 5) + " and " + (ids.size() - 5) + " more" : ids.toString());
        });
        return text.toString();
    }

    private static String shown(String expression) {
        return expression.length() > 100 ? expression.substring(0, 100) + "..." : expression;
    }
}
