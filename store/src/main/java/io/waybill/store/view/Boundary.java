/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** Which side of an instant a search by store time wants. */
public enum Boundary {
    /** The first message with store time at or after the instant; the max offset if there is none. */
    LOWER,
    /** The last message with store time at or before the instant; the min offset if there is none. */
    UPPER
}
