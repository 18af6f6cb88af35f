/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.TagsCode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * A tag expression, ready to be asked: {@code *} or tags separated by {@code ||}.
 *
 * <p>The hash in the queue entry only says "perhaps"; the text of the stored message decides, so a message with a
 * colliding hash is never served. Asked for every message of a pull, so it allocates nothing. Immutable.
 */
final class TagFilter implements Filter {
    /** Takes every message. */
    static final TagFilter ALL = new TagFilter(Set.of());

    /** Of an expression: the set made of it is many times larger, and every waiting pull may hold one. */
    static final int MAX_LENGTH = 4096;

    private static final String SEPARATOR = "||";
    private static final byte[] TAGS = MessageProperties.TAGS.getBytes(StandardCharsets.UTF_8);

    private final byte[][] tags;
    /** Sorted. */
    private final long[] codes;

    private TagFilter(Set<String> wanted) {
        tags = wanted.stream().map(tag -> tag.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
        codes = wanted.stream().mapToLong(TagsCode::of).sorted().toArray();
    }

    /** @throws BadField when the expression is too long */
    static TagFilter of(String expression) {
        if (expression == null || expression.isBlank() || expression.trim().equals("*")) {
            return ALL;
        }
        if (expression.length() > MAX_LENGTH) {
            throw new BadField(
                    "subscription", "at most " + MAX_LENGTH + " characters", expression.length() + " characters");
        }
        Set<String> tags = new LinkedHashSet<>();
        for (int from = 0; from <= expression.length(); ) {
            int separator = expression.indexOf(SEPARATOR, from);
            int end = separator < 0 ? expression.length() : separator;
            String tag = expression.substring(from, end).trim();
            if (!tag.isEmpty()) {
                tags.add(tag);
            }
            from = end + SEPARATOR.length();
        }
        // A tag list with a star in it stays a list: the clients treat it so.
        return tags.isEmpty() ? ALL : new TagFilter(tags);
    }

    @Override
    public boolean isAll() {
        return tags.length == 0;
    }

    @Override
    public int units(ByteBuffer buffer, int at) {
        return 1 + (StoredMessage.propertiesLength(buffer, at) + 16 * tags.length) / Metered.BYTES_IN_UNIT;
    }

    @Override
    public boolean isHeavy() {
        return tags.length > Metered.MOST_LIGHT_PARTS;
    }

    @Override
    public int weightBytes() {
        int bytes = 0;
        for (byte[] tag : tags) {
            bytes += tag.length + 48;
        }
        return bytes;
    }

    @Override
    public boolean mayMatch(long tagsCode) {
        return isAll() || Arrays.binarySearch(codes, tagsCode) >= 0;
    }

    @Override
    public boolean matches(ByteBuffer buffer, int at) {
        return isAll() || StoredMessage.propertyIsOneOf(buffer, at, TAGS, tags);
    }
}
