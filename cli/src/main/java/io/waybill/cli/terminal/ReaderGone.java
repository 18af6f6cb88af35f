/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

/** Nobody reads standard output any more, as after {@code | head}: the command ends at once, without a word. */
public final class ReaderGone extends RuntimeException {
    ReaderGone() {
        super("standard output is closed", null, false, false);
    }

    /** Whether this is why something failed. */
    public static boolean isCauseOf(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof ReaderGone) {
                return true;
            }
        }
        return false;
    }
}
