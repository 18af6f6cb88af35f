/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

/** What is done with the messages of a queue. */
enum PopMode {
    /** POP: they are delivered, and invisible to others for a while. */
    LEASE,
    /** PEEK: they are delivered, and nothing changes. */
    PEEK,
    /** NOTIFICATION: whether there are any. */
    NOTIFY
}
