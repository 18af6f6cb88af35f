/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Half messages: kept invisible until their producer says commit or rollback, asked about when it stays silent, set aside when
 * nobody ever answers, and open to inspection and decision by hand.
 */
package io.waybill.broker.transaction;
