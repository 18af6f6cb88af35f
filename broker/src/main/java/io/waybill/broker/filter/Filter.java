/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.protocol.frame.BadField;
import java.nio.ByteBuffer;
import java.util.Collection;

/**
 * What a consumer wants of a topic, ready to be asked for every message of a pull.
 *
 * <p>What always holds: a message that {@link #mayMatch} denies, {@link #matches} denies as well, so a queue can be
 * walked by tags codes and only what is left is looked at. Asking never throws and changes nothing. Thread-safe.
 */
public interface Filter {
    String TAG = "TAG";
    String SQL92 = "SQL92";

    /** Takes every message. */
    Filter ALL = TagFilter.ALL;

    /** Whether every message is taken; then nothing else need be asked. */
    boolean isAll();

    /** Whether a message whose queue entry has this tags code can match. */
    boolean mayMatch(long tagsCode);

    /**
     * Whether the stored message that starts at {@code at} is wanted; neither position nor limit of the buffer counts.
     */
    boolean matches(ByteBuffer buffer, int at);

    /** What it costs to ask {@link #matches} for a message, at the worst; a unit is about 30 ns. */
    int units(ByteBuffer buffer, int at);

    /** Whether asking it costs so much that no thread may do so which others wait for. */
    boolean isHeavy();

    /** About what it takes of the heap; 0 for one that is shared by all. */
    int weightBytes();

    /**
     * Compiles an expression.
     *
     * @param type {@link #TAG}, {@link #SQL92}, or null or empty for TAG
     * @param expression null, empty or {@code *} in a list of tags means everything
     * @throws BadField when the type is another one, or the expression is too long or cannot be read
     */
    static Filter of(String type, String expression) {
        if (isTags(type)) {
            return TagFilter.of(expression);
        }
        if (type.equals(SQL92)) {
            return SqlFilter.of(expression);
        }
        throw new BadField("expressionType", "TAG or SQL92", type);
    }

    /** Takes what one of these takes; there must be one at least. */
    static Filter anyOf(Collection<Filter> filters) {
        if (filters.stream().anyMatch(Filter::isAll)) {
            return ALL;
        }
        return filters.size() == 1 ? filters.iterator().next() : new AnyOf(filters.toArray(Filter[]::new));
    }

    /** Whether an expression of this type is a list of tags; no type means it is. */
    static boolean isTags(String type) {
        return type == null || type.isEmpty() || type.equals(TAG);
    }
}
