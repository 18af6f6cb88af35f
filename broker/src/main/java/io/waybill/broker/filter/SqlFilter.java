/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * An SQL92 condition on the properties of messages; the tag is the property {@code TAGS}.
 *
 * <p>What always holds: length, number of tokens, depth and operators that may walk a long property are bounded when it
 * is compiled, so asking it takes a bounded time for any message. A message of which it is not known whether it matches
 * does not. Immutable.
 */
final class SqlFilter implements Filter {
    private final SqlNode root;
    private final byte[][] names;
    private final int weightBytes;
    private final int tokens;
    private final int walks;

    private SqlFilter(SqlNode root, byte[][] names, int weightBytes, int tokens, int walks) {
        this.tokens = tokens;
        this.walks = walks;
        this.weightBytes = weightBytes;
        this.root = root;
        this.names = names;
    }

    /** @throws BadField when the expression breaks a limit or cannot be read */
    static SqlFilter of(String expression) {
        List<SqlToken> tokens = SqlTokens.of(expression == null ? "" : expression);
        SqlParser parser = new SqlParser(tokens);
        SqlNode root = parser.parse();
        // A node of at most 96 bytes for each token, and texts as characters, bytes and fallbacks of a search.
        int length = expression == null ? 0 : expression.length();
        return new SqlFilter(root, parser.names(), 96 * tokens.size() + 7 * length, tokens.size(), parser.walks());
    }

    static BadField bad(String limit, String seen) {
        return new BadField("subscription", limit, seen);
    }

    @Override
    public boolean isAll() {
        return false;
    }

    @Override
    public int units(ByteBuffer buffer, int at) {
        return tokens + (1 + walks) * StoredMessage.propertiesLength(buffer, at) / Metered.BYTES_IN_UNIT;
    }

    @Override
    public boolean isHeavy() {
        return walks > 0 || tokens > Metered.MOST_LIGHT_PARTS;
    }

    @Override
    public int weightBytes() {
        return weightBytes;
    }

    @Override
    public boolean mayMatch(long tagsCode) {
        return true;
    }

    @Override
    public boolean matches(ByteBuffer buffer, int at) {
        return Boolean.TRUE.equals(root.value(new SqlProperties(buffer, at, names)));
    }
}
