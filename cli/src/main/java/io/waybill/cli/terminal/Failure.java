/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

/** Ends a command with a sentence for people and a code for scripts. */
public final class Failure extends RuntimeException {
    private final int exitCode;

    /**
     * @param exitCode one of {@link ExitCode}
     * @param what what failed and what to do
     */
    public Failure(int exitCode, String what) {
        super(what);
        this.exitCode = exitCode;
    }

    public int exitCode() {
        return exitCode;
    }
}
