/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The one final decision of a transaction.
 *
 * @param position where the decision stands in the log; the record is kept as long as the log keeps it
 * @param by who decided, for people
 */
public record DecisionRecord(
        long handle, long position, Decision outcome, boolean fromCheck, long atMillis, String by) {}
