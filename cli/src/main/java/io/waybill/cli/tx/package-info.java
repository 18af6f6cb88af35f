/* SPDX-License-Identifier: Apache-2.0 */
/**
 * {@code waybill tx}: transactions that wait for a decision, and deciding them by hand. Imports {@code terminal} and the client.
 */
package io.waybill.cli.tx;
