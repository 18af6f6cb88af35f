/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What the demo claims, and which of it does not hold. Safe for use from any thread. */
final class Claims {
    private final List<String> problems = new ArrayList<>(); // guarded by this

    synchronized boolean hold() {
        return problems.isEmpty();
    }

    /** What does not hold, in the order it was found. */
    synchronized List<String> problems() {
        return List.copyOf(problems);
    }

    synchronized void require(boolean holds, String problem) {
        if (!holds) {
            problems.add(problem);
        }
    }

    /** Both must be the same set. */
    void compare(String what, Set<String> expected, Set<String> found) {
        Set<String> missing = new TreeSet<>(expected);
        missing.removeAll(found);
        Set<String> unexpected = new TreeSet<>(found);
        unexpected.removeAll(expected);
        require(missing.isEmpty(), what + ": " + missing.size() + " missing: " + first(missing));
        require(
                unexpected.isEmpty(),
                what + ": " + unexpected.size() + " that should not be there: " + first(unexpected));
    }

    /** The first twenty, for a text. */
    static String first(Collection<String> names) {
        return names.stream().limit(20).toList() + (names.size() > 20 ? " and " + (names.size() - 20) + " more" : "");
    }
}
