/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/** The outcome of a local transaction. */
public enum Decision {
    /** The message becomes visible. */
    COMMIT,
    /** The message is dropped; nobody ever sees it. */
    ROLLBACK,
    /** Not known yet: the broker asks again later. */
    UNKNOWN
}
