/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** What a catalog entry describes. The code is the byte in the log. */
public enum CatalogKind {
    TOPIC(1),
    GROUP(2),
    SETTING(3),
    /** A topic that was deleted: what it was. When the entry is removed, what its queues hold from then is shown again. */
    DELETED_TOPIC(4);

    private final int code;

    CatalogKind(int code) {
        this.code = code;
    }

    public int code() {
        return code;
    }

    /** The kind of a code, or null when there is none. */
    public static CatalogKind ofCode(int code) {
        return switch (code) {
            case 1 -> TOPIC;
            case 2 -> GROUP;
            case 3 -> SETTING;
            case 4 -> DELETED_TOPIC;
            default -> null;
        };
    }
}
