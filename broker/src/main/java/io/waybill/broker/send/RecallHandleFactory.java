/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

/** Makes the handle that recalls a delayed message. */
@FunctionalInterface
interface RecallHandleFactory {
    /** Null when there is none. */
    String handle(String uniqueKey);
}
