/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

/**
 * A part of a compiled expression. Its value is a Boolean, Integer, Long, Double or String, null for "unknown", or
 * {@link #FAILED} when something cannot be compared: then the whole expression fails, and the message is not wanted.
 * Immutable; asking it never throws.
 */
interface SqlNode {
    Object FAILED = new Object();

    Object value(SqlProperties of);

    /** Whether its value is a Boolean, null or FAILED, whatever the message. */
    default boolean isCondition() {
        return false;
    }

    /** A part that says yes, no, unknown or failed. */
    interface Condition extends SqlNode {
        @Override
        default boolean isCondition() {
            return true;
        }
    }

    /** What is written in the expression itself. */
    record Literal(Object value) implements SqlNode {
        @Override
        public Object value(SqlProperties of) {
            return value;
        }

        @Override
        public boolean isCondition() {
            return value == null || value instanceof Boolean;
        }
    }

    /** A property of the message, by its place among the names the expression uses; a String or null. */
    record Property(int index) implements SqlNode {
        @Override
        public Object value(SqlProperties of) {
            return of.text(index);
        }
    }

    /**
     * A property where a condition is expected. A property is a text and never true: this is how the stock filter sees
     * it.
     */
    record PropertyAsCondition(int index) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            return of.has(index) ? Boolean.FALSE : null;
        }
    }

    record Negative(SqlNode of) implements SqlNode {
        @Override
        public Object value(SqlProperties properties) {
            Object value = of.value(properties);
            if (value instanceof Integer number) {
                return -number;
            }
            if (value instanceof Long number) {
                return -number;
            }
            if (value instanceof Double number) {
                return -number;
            }
            return value == FAILED ? FAILED : null;
        }
    }

    record Not(SqlNode condition) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            Object value = condition.value(of);
            return value instanceof Boolean yes ? (Object) !yes : value;
        }
    }

    /** AND and OR of any number of conditions, asked from the left until one decides. */
    record Chain(SqlNode[] conditions, boolean decides) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            boolean unknown = false;
            for (SqlNode condition : conditions) {
                Object value = condition.value(of);
                if (value == FAILED) {
                    return FAILED;
                }
                if (value == null) {
                    unknown = true;
                } else if ((Boolean) value == decides) {
                    return decides;
                }
            }
            return unknown ? null : (Object) !decides;
        }
    }

    /** Equality of any two values; a left side that is missing is unknown, a right side that is missing differs. */
    record Equal(SqlNode left, SqlNode right) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            Object l = left.value(of);
            if (l == FAILED) {
                return FAILED;
            }
            Object r = right.value(of);
            if (r == FAILED) {
                return FAILED;
            }
            if (l == null || r == null) {
                return l == r ? Boolean.TRUE : l == null ? null : Boolean.FALSE;
            }
            if (l.equals(r)) {
                return Boolean.TRUE;
            }
            int order = SqlCompare.order(l, r, left, right, of);
            return order == SqlCompare.IMPOSSIBLE ? FAILED : (Object) (order == 0);
        }
    }

    /** {@code > >= < <=}: by number; a text that is none fails. */
    record Ordered(SqlNode left, SqlNode right, boolean greater, boolean orEqual) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            return ask(left.value(of), left, right, greater, orEqual, of);
        }

        /** The same for a left side whose value is known. */
        static Object ask(Object l, SqlNode left, SqlNode right, boolean greater, boolean orEqual, SqlProperties of) {
            if (l == null || l == FAILED) {
                return l;
            }
            Object r = right.value(of);
            if (r == null || r == FAILED) {
                return r;
            }
            int order = l instanceof String && r instanceof String
                    ? SqlCompare.asFractions(left, right, of)
                    : SqlCompare.order(l, r, left, right, of);
            if (order == SqlCompare.IMPOSSIBLE) {
                return FAILED;
            }
            return order == 0 ? orEqual : order > 0 == greater;
        }
    }

    /**
     * Whether a value is from one limit to another, both included. The value is made once: nested ones would double the
     * work at each level.
     */
    record Between(SqlNode in, SqlNode low, SqlNode high, boolean not) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            Object value = in.value(of);
            Object over = Ordered.ask(value, in, low, !not, !not, of);
            if (over == FAILED || Boolean.valueOf(not).equals(over)) {
                return over;
            }
            Object under = Ordered.ask(value, in, high, not, !not, of);
            if (under == FAILED || Boolean.valueOf(not).equals(under)) {
                return under;
            }
            return over == null || under == null ? null : (Object) !not;
        }
    }

    /** One of several texts. */
    record In(int index, byte[][] texts, boolean not) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            return of.has(index) ? (Object) (of.isOneOf(index, texts) != not) : null;
        }
    }

    /** {@code property = 'text'}: the usual case, without making a String. */
    record Is(int index, byte[][] text) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            return of.has(index) ? (Object) of.isOneOf(index, text) : null;
        }
    }

    /**
     * CONTAINS, STARTSWITH, ENDSWITH and their opposites: false for what is missing or no text, and for an empty
     * search, either way.
     */
    record Search(SqlNode in, SqlToken.TokenType how, TextSearch search, boolean not) implements Condition {
        @Override
        public Object value(SqlProperties of) {
            if (search.text().isEmpty()) {
                return Boolean.FALSE;
            }
            Object value = in.value(of);
            if (value == FAILED) {
                return FAILED;
            }
            if (!(value instanceof String text)) {
                return Boolean.FALSE;
            }
            boolean found = switch (how) {
                case STARTSWITH -> text.startsWith(search.text());
                case ENDSWITH -> text.endsWith(search.text());
                default -> search.isIn(text);
            };
            return found != not;
        }
    }
}
