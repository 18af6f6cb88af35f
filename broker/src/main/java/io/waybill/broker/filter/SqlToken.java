/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

/**
 * A word of an expression.
 *
 * @param text as written; of a TEXT its value, without quotes
 * @param at index of its first character in the expression
 */
record SqlToken(TokenType kind, String text, int at) {
    enum TokenType {
        NOT,
        AND,
        OR,
        BETWEEN,
        IN,
        TRUE,
        FALSE,
        NULL,
        IS,
        CONTAINS,
        STARTSWITH,
        ENDSWITH,
        /** Digits, perhaps with an L behind. */
        WHOLE,
        /** A number with a point or an exponent. */
        FRACTION,
        TEXT,
        NAME,
        /** {@code = <> > >= < <= ( ) , + -}; the text says which. */
        SIGN,
        END;

        /** The keyword that reads like this in any case, or NAME. */
        static TokenType ofWord(String word) {
            for (TokenType kind : values()) {
                if (kind.compareTo(WHOLE) < 0 && kind.name().equalsIgnoreCase(word)) {
                    return kind;
                }
            }
            return NAME;
        }
    }

    boolean is(TokenType wanted) {
        return kind == wanted;
    }

    boolean isSign(String sign) {
        return kind == TokenType.SIGN && text.equals(sign);
    }

    String seen() {
        return kind == TokenType.END ? "the end" : "'" + text + "' at character " + (at + 1);
    }
}
