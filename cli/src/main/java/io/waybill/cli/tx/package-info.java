/* SPDX-License-Identifier: Apache-2.0 */
/**
 * {@code waybill tx}: transactions that wait for a decision, and deciding them by hand. Start reading at {@code TxCommand}.
 * Imports {@code terminal} and the client.
 */
package io.waybill.cli.tx;
