/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.broker.filter.SqlToken.TokenType;
import io.waybill.protocol.frame.BadField;
import java.util.ArrayList;
import java.util.List;

/** Cuts an expression into tokens, in one pass without going back; blanks and comments are left out. */
final class SqlTokens {
    static final int MAX_LENGTH = 4096;
    static final int MAX_COUNT = 1024;

    private final String text;
    private final List<SqlToken> tokens = new ArrayList<>();
    private int at;

    private SqlTokens(String text) {
        this.text = text;
    }

    /**
     * The tokens of an expression, END last.
     *
     * @throws BadField when it is too long, has too many or something that is none
     */
    static List<SqlToken> of(String expression) {
        if (expression.length() > MAX_LENGTH) {
            throw SqlFilter.bad("at most " + MAX_LENGTH + " characters", expression.length() + " characters");
        }
        SqlTokens reader = new SqlTokens(expression);
        reader.read();
        return reader.tokens;
    }

    private void read() {
        while (true) {
            skip();
            if (at == text.length()) {
                tokens.add(new SqlToken(TokenType.END, "", at));
                return;
            }
            if (tokens.size() == MAX_COUNT) {
                throw SqlFilter.bad("at most " + MAX_COUNT + " words, numbers and signs", "more");
            }
            tokens.add(next());
        }
    }

    private void skip() {
        while (at < text.length()) {
            int end = " \t\n\r\f".indexOf(text.charAt(at)) >= 0 ? at + 1 : comment();
            if (end < 0) {
                return;
            }
            at = end;
        }
    }

    /**
     * The end of the comment that starts here, or -1. One in a line must have a line end behind it, else it is two
     * minus signs.
     */
    private int comment() {
        if (text.startsWith("--", at)) {
            for (int i = at + 2; i < text.length(); i++) {
                if (text.charAt(i) == '\n' || text.charAt(i) == '\r') {
                    return i + 1;
                }
            }
        } else if (text.startsWith("/*", at)) {
            int end = text.indexOf("*/", at + 2);
            return end < 0 ? -1 : end + 2;
        }
        return -1;
    }

    private SqlToken next() {
        int from = at;
        char first = text.charAt(at);
        if (first == '\'') {
            return quoted();
        }
        if (isDigit(first) || first == '.' && isDigit(peek(1))) {
            return number();
        }
        if (isNameStart(first)) {
            while (isNameStart(peek(0)) || isDigit(peek(0))) {
                at++;
            }
            String word = text.substring(from, at);
            return new SqlToken(TokenType.ofWord(word), word, from);
        }
        String sign = sign();
        if (sign == null) {
            throw SqlFilter.bad(
                    "names, numbers, 'texts' and the signs = <> > >= < <= ( ) , + -",
                    "'" + first + "' at character " + (at + 1));
        }
        at += sign.length();
        return new SqlToken(TokenType.SIGN, sign, from);
    }

    private SqlToken quoted() {
        int from = at;
        StringBuilder value = new StringBuilder();
        for (at++; at < text.length(); at++) {
            if (text.charAt(at) == '\'') {
                if (peek(1) != '\'') {
                    at++;
                    return new SqlToken(TokenType.TEXT, value.toString(), from);
                }
                at++;
            }
            value.append(text.charAt(at));
        }
        throw SqlFilter.bad("a quote at the end of each text", "none for the one at character " + (from + 1));
    }

    private SqlToken number() {
        int from = at;
        digits();
        boolean isFraction = false;
        if (peek(0) == '.') {
            isFraction = true;
            at++;
            digits();
        }
        if (exponentLength() > 0) {
            isFraction = true;
            at += exponentLength();
            digits();
        }
        if (isFraction) {
            return new SqlToken(TokenType.FRACTION, text.substring(from, at), from);
        }
        boolean isLong = peek(0) == 'L' || peek(0) == 'l';
        String digits = text.substring(from, at);
        if (digits.length() > 1 && digits.charAt(0) == '0' || isLong && digits.equals("0")) {
            throw SqlFilter.bad(
                    "whole numbers without a leading zero, and 0 without L",
                    "'" + digits + "' at character " + (from + 1));
        }
        at += isLong ? 1 : 0;
        return new SqlToken(TokenType.WHOLE, digits, from);
    }

    /** Length of the E and its sign, if digits follow; else 0. */
    private int exponentLength() {
        if (peek(0) != 'e' && peek(0) != 'E') {
            return 0;
        }
        int length = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
        return isDigit(peek(length)) ? length : 0;
    }

    private void digits() {
        while (isDigit(peek(0))) {
            at++;
        }
    }

    private String sign() {
        for (String sign : new String[] {"<>", ">=", "<=", "=", ">", "<", "(", ")", ",", "+", "-"}) {
            if (text.startsWith(sign, at)) {
                return sign;
            }
        }
        return null;
    }

    /** The character so far ahead; one that is part of nothing behind the end. */
    private char peek(int ahead) {
        return at + ahead < text.length() ? text.charAt(at + ahead) : 0;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isNameStart(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$';
    }
}
