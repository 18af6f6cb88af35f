/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What every command shares: tables and JSON, times and durations, exit codes, the way to the cluster. Read
 * {@link io.waybill.cli.terminal.ClusterCommand} first. Imports the client; knows no command.
 */
package io.waybill.cli.terminal;
