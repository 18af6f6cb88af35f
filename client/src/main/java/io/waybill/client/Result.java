/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/** What became of a message in a handler. */
public enum Result {
    /** Done; it will not come again. */
    SUCCESS,
    /**
     * Not done; give it again later. Concurrent consumers get it again with growing delay, at last it goes to the dead letters of the group;
     * ordered consumers get it again, before anything behind it in its queue.
     */
    RETRY_LATER
}
