/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import io.waybill.client.WaybillException;

/** What a script can tell from how a command ended. */
public final class ExitCode {
    public static final int DONE = 0;
    public static final int FAILED = 1;
    public static final int USAGE = 2;
    public static final int NOT_FOUND = 3;
    public static final int UNREACHABLE = 4;
    public static final int REFUSED = 5;
    /** Of a server whose store froze: it can be started again at once, which recovers what was acknowledged. */
    public static final int FROZEN = 6;

    /** Of the demo: nothing is claimed, since the machine did not get far enough. */
    public static final int TOO_SLOW = 7;

    /** For the foot of every help text. */
    public static final String[] LINES = {
        "0:done",
        "1:failed",
        "2:wrong usage",
        "3:not found",
        "4:cannot reach or timed out",
        "5:refused",
        "6:the store of a server is frozen",
        "7:the machine is too slow for a check of the demo",
    };

    private ExitCode() {}

    /** The code for what went wrong at the cluster. */
    public static int of(WaybillException e) {
        return switch (e.kind()) {
            case INVALID -> USAGE;
            case NOT_FOUND -> NOT_FOUND;
            case UNREACHABLE, TIMEOUT -> UNREACHABLE;
            case REFUSED, OVERLOADED -> REFUSED;
            case UNREADABLE, CLOSED, INTERRUPTED, HANDLER -> FAILED;
        };
    }
}
