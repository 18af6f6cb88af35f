/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.store;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.platform.Files;
import java.nio.file.Path;

/** The directory of a stopped server. */
final class ClosedStore {
    private ClosedStore() {}

    /** Its files; asking for what is not there must not create it. */
    static Files files(Path directory) {
        if (!java.nio.file.Files.isDirectory(directory)) {
            throw new Failure(ExitCode.NOT_FOUND, "there is no directory " + directory);
        }
        if (!java.nio.file.Files.isDirectory(directory.resolve("log"))) {
            throw new Failure(
                    ExitCode.NOT_FOUND,
                    directory + " holds no store (it has no directory 'log'); give what the server got as --data");
        }
        return Files.real(directory);
    }
}
