/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import java.io.PrintStream;

/** One line of progress: a bar that is drawn over itself on a terminal, a line every two seconds elsewhere. */
final class ProgressLine {
    private static final int WIDTH = 24;

    private final PrintStream out;
    private final boolean terminal;
    private final long total;
    private final long startNanos = System.nanoTime();
    private long lastNanos;

    ProgressLine(PrintStream out, boolean terminal, long total) {
        this.out = out;
        this.terminal = terminal;
        this.total = total;
        this.lastNanos = startNanos;
    }

    /** Shows how far it is, at most five times a second on a terminal. */
    void show(long done) {
        long now = System.nanoTime();
        if (now - lastNanos < (terminal ? 200_000_000L : 2_000_000_000L)) {
            return;
        }
        lastNanos = now;
        if (terminal) {
            // Without wrapping, or a bar in a narrow window would scroll.
            out.print("\r\033[?7l" + bar(done) + "\033[K\033[?7h");
            out.flush();
        } else {
            out.println("  " + done + " of " + total);
        }
    }

    /** Ends the line with what came of it. */
    void end(String result) {
        out.println((terminal ? "\r\033[K" : "") + "  " + result);
    }

    private String bar(long done) {
        int filled = total == 0 ? WIDTH : (int) Math.min(WIDTH, WIDTH * done / total);
        double seconds = (System.nanoTime() - startNanos) / 1e9;
        return "  " + "█".repeat(filled) + "░".repeat(WIDTH - filled) + String.format("  %,d / %,d", done, total)
                + String.format("  %,.0f/s", done / seconds);
    }
}
