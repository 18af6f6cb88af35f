/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The scripts on the page are the ones the library runs. */
class OutcomePageTest {
    @Test
    void thePageShowsTheScriptOfEachDatabase() throws Exception {
        String page = Files.readString(Path.of("").toAbsolutePath().getParent().resolve("docs/outcome-table.md"));
        for (Dialect dialect : Dialect.values()) {
            assertThat(page).as("%s", dialect).contains("```sql\n" + dialect.schema() + "```\n");
        }
    }
}
