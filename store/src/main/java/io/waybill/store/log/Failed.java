/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * The store could not keep the change.
 *
 * @param maybeStored whether the change may turn out to be kept after a restart
 * @param text one sentence for people
 */
public record Failed(FailureCause cause, boolean maybeStored, String text) implements Outcome {
    public enum FailureCause {
        /** A write or force failed; the store takes no more changes until it is opened again. */
        FROZEN,
        /** No room for another segment. Works again as soon as there is. */
        DISK_FULL,
        /** No further segment can be made for another reason, say for want of descriptors. Works again as soon as it can. */
        NO_SEGMENT,
        CLOSED,
        /** The change does not fit a segment. */
        TOO_LARGE,
        /** Too many changes wait for the writer. Try again. */
        OVERLOADED,
        /** What the change must be judged by is being rebuilt. Try again. */
        REBUILDING,
        /** Another node leads, or none: ask for the leader and try there. */
        MOVED
    }
}
