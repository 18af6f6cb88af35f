/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import io.waybill.server.EmbeddedBroker;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Runs commands in this process as a script would, without a terminal, and keeps what they wrote. */
final class Shell {
    /** How a command ended. */
    record Ran(int exitCode, String out, String err) {
        List<String> lines() {
            return out.lines().toList();
        }
    }

    private final String namesrv;

    private Shell(String namesrv) {
        this.namesrv = namesrv;
    }

    Shell(EmbeddedBroker broker) {
        this(broker.namesrvAddress());
    }

    static Shell at(String namesrv) {
        return new Shell(namesrv);
    }

    Ran run(String... arguments) {
        return runWith("", arguments);
    }

    Ran runWith(String input, String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        if (!arguments[0].equals("store")) {
            all.addAll(List.of("-n", namesrv));
        }
        PrintStream out = System.out;
        PrintStream err = System.err;
        InputStream in = System.in;
        ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
        ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(outBytes, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(errBytes, true, StandardCharsets.UTF_8));
            System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
            int code = Main.run(all.toArray(String[]::new));
            return new Ran(code, outBytes.toString(StandardCharsets.UTF_8), errBytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(out);
            System.setErr(err);
            System.setIn(in);
        }
    }
}
