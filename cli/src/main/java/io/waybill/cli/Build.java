/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which build this is, from the properties that Maven writes beside the classes. */
final class Build {
    private Build() {}

    /** {@code waybill 0.1.0-SNAPSHOT (commit 24a6de2, Java 25.0.3)}. */
    static String text() {
        Properties build = new Properties();
        try (InputStream in = Build.class.getResourceAsStream("build.properties")) {
            build.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return "waybill " + build.getProperty("version") + " (commit " + known(build.getProperty("commit")) + ", Java "
                + Runtime.version() + ")";
    }

    /** Outside a git checkout Maven has nothing to put in the place of the name. */
    private static String known(String commit) {
        return commit == null || commit.isBlank() || commit.contains("$") ? "unknown" : commit;
    }
}
