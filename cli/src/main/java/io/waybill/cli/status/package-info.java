/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The command that shows how the brokers are. Start reading at {@code StatusCommand}. Imports {@code terminal} and the client.
 */
package io.waybill.cli.status;
