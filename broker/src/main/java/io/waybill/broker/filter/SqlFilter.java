/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.protocol.frame.BadField;
import java.nio.ByteBuffer;

/**
 * An SQL92 condition on the properties of messages; the tag is the property {@code TAGS}.
 *
 * <p>What always holds: length, number of tokens, depth and operators that may walk a long property are bounded when it is compiled, so asking it takes
 * a bounded time for any message. A message of which it is not known whether it matches does not. Immutable.
 */
final class SqlFilter implements Filter {
    private final SqlNode root;
    private final byte[][] names;

    private SqlFilter(SqlNode root, byte[][] names) {
        this.root = root;
        this.names = names;
    }

    /** @throws BadField when the expression breaks a limit or cannot be read */
    static SqlFilter of(String expression) {
        SqlParser parser = new SqlParser(SqlTokens.of(expression == null ? "" : expression));
        SqlNode root = parser.parse();
        return new SqlFilter(root, parser.names());
    }

    static BadField bad(String limit, String seen) {
        return new BadField("subscription", limit, seen);
    }

    @Override
    public boolean isAll() {
        return false;
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
