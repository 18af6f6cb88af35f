/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.broker.filter.SqlToken.TokenType;
import io.waybill.protocol.frame.BadField;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes nodes of tokens, in one pass without going back:
 *
 * <pre>
 *  or         and { OR and }
 *  and        equality { AND equality }
 *  equality   comparison { = comparison | {@code <>} comparison | IS [NOT] NULL }
 *  comparison unary { {@code > >= < <=} unary | [NOT] CONTAINS text | ... | [NOT] BETWEEN unary AND unary | [NOT] IN ( text , ... ) }
 *  unary      + unary | - unary | NOT unary | literal | name | ( or )
 * </pre>
 *
 * NOT binds closer than any comparison: that is the stock grammar, and users have expressions that rely on it.
 */
final class SqlParser {
    static final int MAX_DEPTH = 64;
    /**
     * Operators that may walk a whole property, which has 32 KiB at most: so a message costs a millisecond or two at
     * the worst.
     */
    static final int MAX_WALKS = 64;

    private final List<SqlToken> tokens;
    private final Map<String, Integer> names = new LinkedHashMap<>();
    private int next;
    private int depth;
    private int walks;

    SqlParser(List<SqlToken> tokens) {
        this.tokens = tokens;
    }

    /** @throws BadField when the tokens are no condition, or break a limit */
    SqlNode parse() {
        SqlNode root = condition(or(), 0);
        if (!peek().is(TokenType.END)) {
            throw unexpected("the end or an operator");
        }
        return root;
    }

    /** Names of properties as UTF-8, in the order of {@link SqlNode.Property#index}. */
    byte[][] names() {
        return names.keySet().stream()
                .map(name -> name.getBytes(StandardCharsets.UTF_8))
                .toArray(byte[][]::new);
    }

    /** How many operators may walk a whole property. */
    int walks() {
        return walks;
    }

    private SqlNode or() {
        return chain(TokenType.OR);
    }

    private SqlNode chain(TokenType operator) {
        int from = next;
        SqlNode first = operator == TokenType.OR ? chain(TokenType.AND) : equality();
        if (!peek().is(operator)) {
            return first;
        }
        List<SqlNode> conditions = new ArrayList<>();
        conditions.add(condition(first, from));
        while (take(operator)) {
            from = next;
            conditions.add(condition(operator == TokenType.OR ? chain(TokenType.AND) : equality(), from));
        }
        return new SqlNode.Chain(conditions.toArray(SqlNode[]::new), operator == TokenType.OR);
    }

    private SqlNode equality() {
        int from = next;
        SqlNode left = comparison();
        while (true) {
            if (takeSign("=")) {
                left = equal(left, from);
            } else if (takeSign("<>")) {
                left = new SqlNode.Not(equal(left, from));
            } else if (take(TokenType.IS)) {
                boolean not = take(TokenType.NOT);
                expect(TokenType.NULL, not ? "NULL" : "NULL or NOT NULL");
                SqlNode isNull = new SqlNode.Equal(left, new SqlNode.Literal(null));
                left = not ? new SqlNode.Not(isNull) : isNull;
            } else {
                return left;
            }
        }
    }

    private SqlNode equal(SqlNode left, int leftAt) {
        int rightAt = next;
        SqlNode right = comparison();
        refuseNull(left, leftAt);
        refuseNull(right, rightAt);
        if (left instanceof SqlNode.Literal && right instanceof SqlNode.Literal) {
            if (left.isCondition() && !right.isCondition()) {
                throw bad("no TRUE or FALSE compared with a number or text", rightAt);
            }
        }
        if (left instanceof SqlNode.Property property
                && right instanceof SqlNode.Literal literal
                && literal.value() instanceof String text) {
            return new SqlNode.Is(property.index(), new byte[][] {text.getBytes(StandardCharsets.UTF_8)});
        }
        countWalk(left, right);
        return new SqlNode.Equal(left, right);
    }

    private void refuseNull(SqlNode node, int at) {
        if (node instanceof SqlNode.Literal literal && literal.value() == null) {
            throw bad("IS NULL to ask for what is missing, not a comparison with NULL", at);
        }
    }

    private SqlNode comparison() {
        int from = next;
        SqlNode left = unary();
        while (true) {
            SqlToken operator = peek();
            if (operator.isSign(">") || operator.isSign(">=") || operator.isSign("<") || operator.isSign("<=")) {
                next++;
                int rightAt = next;
                left = ordered(
                        left,
                        from,
                        unary(),
                        rightAt,
                        operator.text().startsWith(">"),
                        operator.text().length() == 2);
                continue;
            }
            boolean not = operator.is(TokenType.NOT);
            TokenType kind = not ? tokens.get(next + 1).kind() : operator.kind();
            switch (kind) {
                case CONTAINS, STARTSWITH, ENDSWITH -> {
                    next += not ? 2 : 1;
                    if (kind == TokenType.CONTAINS) {
                        walk();
                    }
                    left = new SqlNode.Search(left, kind, new TextSearch(text()), not);
                }
                case BETWEEN -> {
                    next += not ? 2 : 1;
                    left = between(left, from, not);
                }
                case IN -> {
                    next += not ? 2 : 1;
                    left = in(left, from, not);
                }
                default -> {
                    if (not) {
                        next++;
                        throw unexpected("CONTAINS, STARTSWITH, ENDSWITH, BETWEEN or IN behind NOT");
                    }
                    return left;
                }
            }
        }
    }

    private SqlNode ordered(SqlNode left, int leftAt, SqlNode right, int rightAt, boolean greater, boolean orEqual) {
        checkOrdered(left, leftAt, right, rightAt);
        return new SqlNode.Ordered(left, right, greater, orEqual);
    }

    private void checkOrdered(SqlNode left, int leftAt, SqlNode right, int rightAt) {
        refuseUnordered(left, leftAt);
        refuseUnordered(right, rightAt);
        countWalk(left, right);
    }

    private void refuseUnordered(SqlNode node, int at) {
        boolean isText = node instanceof SqlNode.Literal literal && !(literal.value() instanceof Number);
        if (isText || node.isCondition()) {
            throw bad("a number or a property on each side of > >= < <= and BETWEEN", at);
        }
    }

    private SqlNode between(SqlNode left, int leftAt, boolean not) {
        int lowAt = next;
        SqlNode low = unary();
        if (!take(TokenType.AND)) {
            throw unexpected("AND between the two limits of BETWEEN");
        }
        int highAt = next;
        SqlNode high = unary();
        checkOrdered(left, leftAt, low, lowAt);
        checkOrdered(left, leftAt, high, highAt);
        if (!not
                && low instanceof SqlNode.Literal a
                && high instanceof SqlNode.Literal b
                && SqlCompare.order(b.value(), a.value(), b, a, null) < 0) {
            throw bad("a second limit of BETWEEN that is not below the first", highAt);
        }
        return new SqlNode.Between(left, low, high, not);
    }

    private SqlNode in(SqlNode left, int leftAt, boolean not) {
        if (!(left instanceof SqlNode.Property property)) {
            throw bad("a property before IN", leftAt);
        }
        expectSign("(");
        List<byte[]> texts = new ArrayList<>();
        do {
            texts.add(text().getBytes(StandardCharsets.UTF_8));
        } while (takeSign(","));
        expectSign(")");
        return new SqlNode.In(property.index(), texts.toArray(byte[][]::new), not);
    }

    private SqlNode unary() {
        SqlToken token = tokens.get(next++);
        if (token.isSign("+") || token.isSign("-") || token.is(TokenType.NOT) || token.isSign("(")) {
            if (++depth > MAX_DEPTH) {
                throw SqlFilter.bad("at most " + MAX_DEPTH + " levels deep", "one more at " + token.seen());
            }
            SqlNode node = nested(token);
            depth--;
            return node;
        }
        return switch (token.kind()) {
            case TRUE -> new SqlNode.Literal(true);
            case FALSE -> new SqlNode.Literal(false);
            case NULL -> new SqlNode.Literal(null);
            case TEXT -> new SqlNode.Literal(token.text());
            case WHOLE -> new SqlNode.Literal(whole(token));
            case FRACTION -> new SqlNode.Literal(fraction(token));
            case NAME -> new SqlNode.Property(names.computeIfAbsent(token.text(), name -> names.size()));
            default -> {
                next--;
                throw unexpected("a name, a number, a text, TRUE, FALSE, NULL, NOT or (");
            }
        };
    }

    private SqlNode nested(SqlToken token) {
        if (token.isSign("(")) {
            SqlNode inside = or();
            expectSign(")");
            return inside;
        }
        int from = next;
        SqlNode operand = unary();
        if (token.is(TokenType.NOT)) {
            return new SqlNode.Not(condition(operand, from));
        }
        return token.isSign("-") ? new SqlNode.Negative(operand) : operand;
    }

    private static Number whole(SqlToken token) {
        try {
            long value = Long.parseLong(token.text());
            if (value <= Integer.MAX_VALUE) {
                return (int) value;
            }
            return value;
        } catch (NumberFormatException e) {
            throw SqlFilter.bad("whole numbers up to " + Long.MAX_VALUE, token.seen());
        }
    }

    private static Number fraction(SqlToken token) {
        double value = Double.parseDouble(token.text());
        if (value == 0 || Double.isInfinite(value)) {
            throw SqlFilter.bad(
                    "numbers with a fraction from " + Double.MIN_VALUE + " to " + Double.MAX_VALUE, token.seen());
        }
        return value;
    }

    private SqlNode condition(SqlNode node, int at) {
        if (node.isCondition()) {
            return node;
        }
        if (node instanceof SqlNode.Property property) {
            return new SqlNode.PropertyAsCondition(property.index());
        }
        throw bad("a condition, something that is true or false", at);
    }

    private void countWalk(SqlNode left, SqlNode right) {
        if (left instanceof SqlNode.Property && right instanceof SqlNode.Property) {
            walk();
        }
    }

    private void walk() {
        if (++walks > MAX_WALKS) {
            throw SqlFilter.bad(
                    "at most " + MAX_WALKS + " CONTAINS and comparisons of two properties (the budget for a message)",
                    "more");
        }
    }

    private SqlToken peek() {
        return tokens.get(next);
    }

    private boolean take(TokenType kind) {
        boolean is = peek().is(kind);
        next += is ? 1 : 0;
        return is;
    }

    private boolean takeSign(String sign) {
        boolean is = peek().isSign(sign);
        next += is ? 1 : 0;
        return is;
    }

    private void expect(TokenType kind, String wanted) {
        if (!take(kind)) {
            throw unexpected(wanted);
        }
    }

    private void expectSign(String sign) {
        if (!takeSign(sign)) {
            throw unexpected("'" + sign + "'");
        }
    }

    private String text() {
        if (!peek().is(TokenType.TEXT)) {
            throw unexpected("a 'text'");
        }
        return tokens.get(next++).text();
    }

    private BadField unexpected(String wanted) {
        return SqlFilter.bad("an SQL92 condition with " + wanted + " at this place", peek().seen());
    }

    private BadField bad(String wanted, int at) {
        return SqlFilter.bad(wanted, tokens.get(at).seen());
    }
}
