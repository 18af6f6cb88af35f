/* SPDX-License-Identifier: Apache-2.0 */
/** {@code waybill tx}: transactions that wait for a decision, and deciding them by hand. */
package io.waybill.cli.tx;
