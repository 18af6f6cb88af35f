/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import java.util.Collection;
import java.util.Locale;

/**
 * Finds the known word a person probably meant: the one with the fewest single-letter changes, case ignored. A word that shares too little with
 * all of them has none.
 */
final class Nearest {
    private Nearest() {}

    /** Null if none is near: more than a third of the letters would have to change. */
    static String of(String seen, Collection<String> known) {
        String best = null;
        int bestChanges = Math.max(2, seen.length() / 3) + 1;
        for (String word : known) {
            int changes = changes(seen.toLowerCase(Locale.ROOT), word.toLowerCase(Locale.ROOT));
            if (changes < bestChanges && changes < word.length() / 2 + 1) {
                best = word;
                bestChanges = changes;
            }
        }
        return best;
    }

    private static int changes(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replace = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replace, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
