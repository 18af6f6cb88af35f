/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Half messages: kept invisible until their producer says commit or rollback, asked about when it stays silent, set aside
 * when nobody ever answers, and open to inspection and decision by hand. Start reading at
 * {@link io.waybill.broker.transaction.TransactionChecks}. Imports {@code timer} and packages of the core wing.
 */
package io.waybill.broker.transaction;
