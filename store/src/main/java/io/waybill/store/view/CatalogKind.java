/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** What a catalog entry describes. The code is the byte in the log. */
public enum CatalogKind {
    TOPIC(1),
    GROUP(2),
    SETTING(3);

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
            default -> null;
        };
    }
}
