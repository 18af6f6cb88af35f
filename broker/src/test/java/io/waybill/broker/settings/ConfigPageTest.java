/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** {@code docs/config.md} is the settings table, written for people. */
class ConfigPageTest {
    private static final String REGENERATE = "mvn -q -pl broker -am test -Dtest=ConfigPageTest"
            + " -Dsurefire.failIfNoSpecifiedTests=false -Dwaybill.docs=write";
    private static final Path PAGE = Path.of("..", "docs", "config.md");

    @Test
    void thePageIsTheTable() throws IOException {
        String page = page();
        if ("write".equals(System.getProperty("waybill.docs"))) {
            Files.writeString(PAGE, page);
        }
        assertThat(PAGE).exists();
        assertThat(Files.readString(PAGE))
                .as("docs/config.md differs from BrokerSettings.table(); write it anew with: " + REGENERATE)
                .isEqualTo(page);
    }

    private static String page() {
        StringBuilder page = new StringBuilder("""
                # Settings of the broker

                Written from the table in `BrokerSettings`; do not edit, but run

                    %s

                None has to be set. On the command line each is `--set key=value` (or has an option of its own: see
                `waybill server --help`), in a test `EmbeddedBroker.with(key, value)`. An unknown key is refused and the nearest known one
                named; a value outside its range is refused with the range. All are read at the start, none changes while the broker runs,
                and none can be changed over the network.

                | Setting | Default | Values | What it does |
                |---|---|---|---|
                """.formatted(REGENERATE));
        for (Setting setting : BrokerSettings.table()) {
            page.append("| `")
                    .append(setting.key())
                    .append("` | ")
                    .append(setting.defaultValue().isEmpty() ? "(empty)" : '`' + setting.defaultValue() + '`')
                    .append(" | ")
                    .append(values(setting))
                    .append(" | ")
                    .append(setting.sentence())
                    .append(" |\n");
        }
        return page.append('\n')
                .append(BrokerSettings.table().size())
                .append(" settings.\n")
                .toString();
    }

    private static String values(Setting setting) {
        return switch (setting.type()) {
            case NUMBER ->
                setting.min() == setting.max()
                        ? Long.toString(setting.min())
                        : setting.min() + " to " + (setting.max() == Long.MAX_VALUE ? "any" : setting.max());
            case SWITCH -> "`true`, `false`";
            case TEXT -> "text";
            case WORD -> '`' + String.join("`, `", setting.words()) + '`';
        };
    }
}
