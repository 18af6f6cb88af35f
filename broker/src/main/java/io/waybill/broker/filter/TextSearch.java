/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

/**
 * Finds one text in others, each character looked at once or twice, however the two are made (Knuth, Morris, Pratt).
 */
final class TextSearch {
    private final String text;
    /** For each length matched so far, how much of it still is when the next character differs. */
    private final int[] fallback;

    TextSearch(String text) {
        this.text = text;
        this.fallback = new int[text.length()];
        for (int i = 1, matched = 0; i < text.length(); i++) {
            while (matched > 0 && text.charAt(i) != text.charAt(matched)) {
                matched = fallback[matched - 1];
            }
            matched += text.charAt(i) == text.charAt(matched) ? 1 : 0;
            fallback[i] = matched;
        }
    }

    String text() {
        return text;
    }

    boolean isIn(String whole) {
        int matched = 0;
        for (int i = 0; i < whole.length() && matched < text.length(); i++) {
            while (matched > 0 && whole.charAt(i) != text.charAt(matched)) {
                matched = fallback[matched - 1];
            }
            matched += whole.charAt(i) == text.charAt(matched) ? 1 : 0;
        }
        return matched == text.length();
    }
}
