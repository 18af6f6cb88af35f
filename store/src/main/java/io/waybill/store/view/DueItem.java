/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** Something to do at a time: deliver the delayed message, or check the open transaction, of a handle. */
public record DueItem(long dueMillis, long handle, DueAction kind) {
    /** What is to be done. */
    public enum DueAction {
        /** Make the delayed message visible. */
        DELIVER,
        /** Ask a producer of the group for its decision. */
        CHECK
    }
}
