/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.TagsCode;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * A tag expression, ready to be asked: {@code *} or tags separated by {@code ||}.
 *
 * <p>The hash in the queue entry only says "perhaps"; the text of the stored message decides, so a message with a
 * colliding hash is never served. Immutable.
 */
public final class TagFilter {
    /** Takes every message. */
    public static final TagFilter ALL = new TagFilter(Set.of());

    /** Of an expression: the set made of it is many times larger, and every waiting pull may hold one. */
    static final int MAX_LENGTH = 4096;

    private final Set<String> tags;
    private final Set<Long> codes;

    private TagFilter(Set<String> tags) {
        this.tags = tags;
        this.codes = new HashSet<>();
        tags.forEach(tag -> codes.add(TagsCode.of(tag)));
    }

    /** @throws BadField when the expression is too long */
    public static TagFilter of(String expression) {
        if (expression == null || expression.isBlank() || expression.trim().equals("*")) {
            return ALL;
        }
        if (expression.length() > MAX_LENGTH) {
            throw new BadField(
                    "subscription", "at most " + MAX_LENGTH + " characters", expression.length() + " characters");
        }
        Set<String> tags = new LinkedHashSet<>();
        Arrays.stream(expression.split("\\|\\|"))
                .map(String::trim)
                .filter(tag -> !tag.isEmpty())
                .forEach(tags::add);
        // A tag list with a star in it stays a list: the clients treat it so.
        return tags.isEmpty() ? ALL : new TagFilter(tags);
    }

    public boolean isAll() {
        return tags.isEmpty();
    }

    /** Whether an entry with this tags code can match. */
    public boolean mayMatch(long tagsCode) {
        return isAll() || codes.contains(tagsCode);
    }

    /** Whether the stored message that starts at {@code at} has one of the tags. */
    public boolean matches(ByteBuffer buffer, int at) {
        if (isAll()) {
            return true;
        }
        String tag = StoredMessage.property(buffer, at, MessageProperties.TAGS);
        return tag != null && tags.contains(tag);
    }
}
