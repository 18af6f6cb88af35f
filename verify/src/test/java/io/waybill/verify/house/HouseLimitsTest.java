/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The figures of {@code verify/house} against their limits. What is beyond a limit stands here with its figure, which may only fall: whoever makes it smaller
 * writes the new figure, whoever brings it within the limit deletes the line.
 */
class HouseLimitsTest {
    private static final int DOOR = 15;
    private static final int PARAMETERS = 8;
    private static final int FIELDS = 25;
    private static final int LINES = 600;

    private static final Map<String, Long> DOORS = Map.of();
    private static final Map<String, Long> CONSTRUCTORS = Map.of();
    private static final Map<String, Long> CLASSES = Map.of();
    private static final Map<String, Long> FILES = Map.of();

    private static final int REPEATED = 16;

    private static HouseFigures house;

    @BeforeAll
    static void read() throws IOException {
        house = HouseFigures.of(Path.of("").toAbsolutePath().getParent());
    }

    @Test
    void packagesHaveNoCycles() {
        assertThat(house.cycles()).isEmpty();
    }

    @Test
    void theLogKnowsNoView() {
        assertThat(house.logToView()).isEmpty();
    }

    @Test
    void doorsAreNarrow() {
        within(house.doors(), DOOR, DOORS);
    }

    @Test
    void constructorsShowFewThings() {
        within(house.constructors(), PARAMETERS, CONSTRUCTORS);
    }

    @Test
    void classesHoldFewFields() {
        within(house.fields(), FIELDS, CLASSES);
    }

    @Test
    void filesAreShort() {
        within(house.files(), LINES, FILES);
    }

    @Test
    void aSimpleNameIsUsedTwiceAtMost() {
        assertThat(house.names()).isEmpty();
    }

    @Test
    void repeatedRunsOfLinesBecomeFewer() {
        assertThat(house.repeated()).hasSizeLessThanOrEqualTo(REPEATED);
    }

    private static void within(Map<String, Long> figures, int limit, Map<String, Long> known) {
        List<String> wrong = new ArrayList<>();
        figures.forEach((name, figure) -> {
            long most = known.getOrDefault(name, (long) limit);
            if (figure > most) {
                wrong.add(name + " has " + figure + ", at most " + most);
            } else if (figure < most && known.containsKey(name)) {
                wrong.add(name + " has " + figure + ": write that here, or delete the line when it is within " + limit);
            }
        });
        known.keySet().stream()
                .filter(name -> figures.getOrDefault(name, 0L) <= limit)
                .forEach(name -> wrong.add(name + " is within " + limit + ": delete the line"));
        assertThat(wrong).isEmpty();
    }
}
