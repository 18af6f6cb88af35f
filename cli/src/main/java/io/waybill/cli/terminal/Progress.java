/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import java.io.PrintStream;

/**
 * How far a long command is, on standard error: a bar that is drawn over itself on a terminal, elsewhere a line every ten
 * seconds. On a terminal that gets the data as well it stays silent: the data is the progress. One thread at a time.
 */
public final class Progress implements AutoCloseable {
    private static final int WIDTH = 24;
    private static final long BAR_NANOS = 200_000_000L;
    private static final long LINE_NANOS = 10_000_000_000L;

    private final PrintStream err;
    private final boolean terminal;
    private final boolean silent;
    private final long total;
    private final long pauseNanos;
    private final long startNanos = System.nanoTime();
    private long lastNanos = startNanos;
    private boolean drawn;

    /**
     * @param total how many there will be, or -1 if nobody knows
     * @param dataToo whether the command writes data to standard output meanwhile
     */
    public Progress(long total, boolean dataToo) {
        this(System.err, isTerminal(), dataToo && told("out"), total, isTerminal() ? BAR_NANOS : LINE_NANOS);
    }

    Progress(PrintStream err, boolean terminal, boolean silent, long total, long pauseNanos) {
        this.err = err;
        this.terminal = terminal;
        this.silent = silent;
        this.total = total;
        this.pauseNanos = pauseNanos;
    }

    static boolean isTerminal() {
        return told("err") && System.getenv().getOrDefault("CI", "").isEmpty();
    }

    /** Whether a stream is a terminal, as bin/waybill has seen it. */
    private static boolean told(String stream) {
        return System.getProperty("waybill.terminal", "").contains(stream);
    }

    /** Shows it, if it is time to. */
    public void show(long done) {
        long now = System.nanoTime();
        if (silent || now - lastNanos < pauseNanos) {
            return;
        }
        lastNanos = now;
        double perSecond = done / ((now - startNanos) / 1e9);
        if (terminal) {
            // Without wrapping, or a bar in a narrow window would scroll.
            err.print("\r\033[?7l" + line(done, perSecond) + "\033[K\033[?7h");
            drawn = true;
        } else {
            err.println(line(done, perSecond));
        }
        err.flush();
    }

    private String line(long done, double perSecond) {
        if (total < 0) {
            return String.format("  %,d  %,.0f/s", done, perSecond);
        }
        String bar = "";
        if (terminal) {
            int filled = total == 0 ? WIDTH : (int) Math.min(WIDTH, WIDTH * done / total);
            bar = "  " + "█".repeat(filled) + "░".repeat(WIDTH - filled);
        }
        long left = perSecond <= 0 ? 0 : Math.round(Math.max(0, total - done) / perSecond);
        return bar + String.format("  %,d / %,d  %,.0f/s  %d s left", done, total, perSecond, left);
    }

    /** Takes the bar off the terminal. */
    @Override
    public void close() {
        if (drawn) {
            err.print("\r\033[K");
            err.flush();
            drawn = false;
        }
    }
}
