/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** How an open transaction ended. The code is the byte in the log. */
public enum Decision {
    /** The producer said yes: a visible copy (or a delayed one) stands in the same frame. */
    COMMIT(1),
    /** The producer said no. */
    ROLLBACK(2),
    /** Nobody said anything until the checks ran out. */
    EXHAUSTED(3);

    private final int code;

    Decision(int code) {
        this.code = code;
    }

    public int code() {
        return code;
    }

    /** The decision of a code, or null when there is none. */
    public static Decision ofCode(int code) {
        return switch (code) {
            case 1 -> COMMIT;
            case 2 -> ROLLBACK;
            case 3 -> EXHAUSTED;
            default -> null;
        };
    }
}
