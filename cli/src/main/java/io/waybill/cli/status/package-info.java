/* SPDX-License-Identifier: Apache-2.0 */
/** The command that shows how the brokers are. */
package io.waybill.cli.status;
