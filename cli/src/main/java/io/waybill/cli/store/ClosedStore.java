/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.store;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.platform.Files;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/** The directory of a stopped server. */
final class ClosedStore {
    private static final Predicate<String> SEGMENT =
            Pattern.compile("[0-9]{20}\\.seg").asMatchPredicate();

    private ClosedStore() {}

    /** Its files; asking for what is not there must not create it. */
    static Files files(Path directory) {
        if (!java.nio.file.Files.isDirectory(directory)) {
            throw new Failure(
                    ExitCode.NOT_FOUND, "there is no directory " + directory + "; give what the server got as --data");
        }
        try {
            if (Files.real(directory).list("log").stream().noneMatch(SEGMENT)) {
                throw none(directory, "no file in its directory 'log' is one of a log");
            }
        } catch (IOException e) {
            throw none(directory, "it has no directory 'log' to read");
        }
        return Files.real(directory);
    }

    private static Failure none(Path directory, String why) {
        return new Failure(
                ExitCode.NOT_FOUND,
                directory + " holds no store: " + why + "; give the directory that the server got as --data");
    }
}
