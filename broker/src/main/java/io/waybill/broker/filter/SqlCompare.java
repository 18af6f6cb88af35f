/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

/**
 * How two values of different types compare, as the stock filter does it: a text takes the type of the other side, if
 * it can.
 */
final class SqlCompare {
    static final int IMPOSSIBLE = Integer.MIN_VALUE;
    /** Types that have nothing in common: the left one counts as less. */
    private static final int UNRELATED = -1;

    private SqlCompare() {}

    /** The order of two values that are not null and not FAILED, or IMPOSSIBLE. */
    static int order(Object l, Object r, SqlNode left, SqlNode right, SqlProperties of) {
        if (l instanceof String a) {
            return r instanceof String b ? Integer.signum(a.compareTo(b)) : ofText(a, left, r, of, 1);
        }
        if (l instanceof Boolean a) {
            if (r instanceof String) {
                return IMPOSSIBLE; // stock fails here on a cast, and whoever relies on it has no match
            }
            return r instanceof Boolean b ? a.compareTo(b) : UNRELATED;
        }
        if (r instanceof Boolean) {
            return UNRELATED;
        }
        if (r instanceof String b) {
            return ofText(b, right, l, of, -1);
        }
        return numbers((Number) l, (Number) r);
    }

    private static int ofText(String text, SqlNode node, Object other, SqlProperties of, int sign) {
        if (other instanceof Boolean truth) {
            return Boolean.valueOf(text).compareTo(truth);
        }
        Object number = number(text, node, (Number) other, of);
        return number == SqlNode.FAILED ? IMPOSSIBLE : sign * numbers((Number) number, (Number) other);
    }

    private static Object number(String text, SqlNode node, Number like, SqlProperties of) {
        SqlProperties.As as = like instanceof Integer
                ? SqlProperties.As.INTEGER
                : like instanceof Long ? SqlProperties.As.LONG : SqlProperties.As.DOUBLE;
        return node instanceof SqlNode.Property property ? of.number(property.index(), as) : as.parse(text);
    }

    private static int numbers(Number l, Number r) {
        return l instanceof Double || r instanceof Double
                ? Double.compare(l.doubleValue(), r.doubleValue())
                : Long.compare(l.longValue(), r.longValue());
    }

    /** The order of two texts read as numbers, or IMPOSSIBLE. */
    static int asFractions(SqlNode left, SqlNode right, SqlProperties of) {
        Object l = fraction(left, of);
        Object r = fraction(right, of);
        return l == SqlNode.FAILED || r == SqlNode.FAILED ? IMPOSSIBLE : ((Double) l).compareTo((Double) r);
    }

    private static Object fraction(SqlNode node, SqlProperties of) {
        return node instanceof SqlNode.Property property
                ? of.number(property.index(), SqlProperties.As.DOUBLE)
                : SqlProperties.As.DOUBLE.parse((String) node.value(of));
    }
}
