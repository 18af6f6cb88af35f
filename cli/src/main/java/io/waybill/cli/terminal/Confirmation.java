/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.io.IOException;
import java.nio.charset.Charset;
import picocli.CommandLine.Option;

/** Asks once before something that cannot be undone, or that changes what living consumers get. */
public final class Confirmation {
    @Option(
            names = {"-y", "--yes"},
            description = "Do it without asking.")
    private boolean yes;

    @Option(names = "--dry-run", description = "Only show what would be done.")
    private boolean dryRun;

    public boolean dryRun() {
        return dryRun;
    }

    /**
     * Returns if it may be done.
     *
     * @throws Failure if the answer was no, or nobody is there to ask
     */
    public void ask(String what) {
        ask(what, " cannot be undone, and there is no terminal to ask", ". This cannot be undone");
    }

    /** Like {@link #ask}, of something that could be set right afterwards. */
    public void confirm(String what) {
        ask(what, " needs a yes, and there is no terminal to ask", "");
    }

    private void ask(String what, String unasked, String warning) {
        if (yes) {
            return;
        }
        if (!isTerminal()) {
            throw new Failure(ExitCode.REFUSED, what + unasked + "; add --yes, or look first with --dry-run");
        }
        System.err.print(what + warning + ". Type yes to go on: ");
        System.err.flush();
        StringBuilder answer = new StringBuilder();
        try {
            byte[] buffer = new byte[64];
            int count = System.in.read(buffer);
            answer.append(count < 0 ? "" : new String(buffer, 0, count, Charset.defaultCharset()));
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot read the answer: " + e.getMessage());
        }
        if (!answer.toString().strip().equalsIgnoreCase("yes")) {
            throw new Failure(ExitCode.REFUSED, "nothing was done");
        }
    }

    /** Whether people sit at standard input; bin/waybill knows better than Java. */
    private static boolean isTerminal() {
        String told = System.getProperty("waybill.terminal");
        return told == null ? System.console() != null : told.contains("in");
    }
}
