/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Standard output in UTF-8 that remembers why a write failed. A {@link PrintStream} alone swallows it, and a command whose results went nowhere
 * would end as if all were well.
 */
public final class StandardOutput extends PrintStream {
    private final Remembering remembering;

    private static final class Remembering extends FilterOutputStream {
        private volatile IOException failure;

        Remembering(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int b) throws IOException {
            try {
                out.write(b);
            } catch (IOException e) {
                throw noted(e);
            }
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            try {
                out.write(bytes, from, length);
            } catch (IOException e) {
                throw noted(e);
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                out.flush();
            } catch (IOException e) {
                throw noted(e);
            }
        }

        private IOException noted(IOException e) {
            if (failure == null) {
                failure = e;
            }
            return e;
        }
    }

    private StandardOutput(Remembering remembering) {
        super(remembering, false, StandardCharsets.UTF_8);
        this.remembering = remembering;
    }

    static StandardOutput on(OutputStream out) {
        return new StandardOutput(new Remembering(out));
    }

    /** Takes the place of {@code System.out}; {@code System.err} writes UTF-8 from then on too. */
    public static StandardOutput install() {
        StandardOutput output = on(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 8192));
        System.setOut(output);
        System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8));
        return output;
    }

    /**
     * What to throw when a stream has an error: that nobody reads it any more, or why what was written is incomplete.
     *
     * @param out any stream; of one that does not remember, that its reader is gone is assumed
     */
    static RuntimeException failureOf(PrintStream out) {
        if (out instanceof StandardOutput own) {
            String reason = own.reason();
            if (reason != null) {
                return new Failure(ExitCode.FAILED, reason);
            }
        }
        return new ReaderGone();
    }

    /**
     * The exit code of a command that has ended with another one: a success whose output could not be written is a failure, and says so.
     */
    public int exitCode(int code) {
        checkError(); // flushes
        String reason = reason();
        if (code != ExitCode.DONE || reason == null) {
            return code;
        }
        System.err.println("waybill: " + reason);
        return ExitCode.FAILED;
    }

    /** Null if all was written, or if nobody wants it any more. */
    private String reason() {
        IOException failure = remembering.failure;
        if (failure == null) {
            return null;
        }
        String text = String.valueOf(failure.getMessage());
        return text.contains("Broken pipe") || text.contains("pipe is being closed")
                ? null
                : "the output could not be written: " + text
                        + "; what was shown is incomplete. Write it elsewhere or make room";
    }
}
