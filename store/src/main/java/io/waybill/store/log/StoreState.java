/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Whether the store takes changes; the reason is a sentence for people, empty while it is open. */
public record StoreState(StoreMode kind, String reason) {
    public enum StoreMode {
        OPEN,
        /** After a failed write or force: reads of confirmed data go on, changes are refused. */
        FROZEN,
        CLOSED
    }

    static final StoreState OPEN = new StoreState(StoreMode.OPEN, "");
    static final StoreState CLOSED = new StoreState(StoreMode.CLOSED, "the store is closed");

    public boolean isOpen() {
        return kind == StoreMode.OPEN;
    }
}
