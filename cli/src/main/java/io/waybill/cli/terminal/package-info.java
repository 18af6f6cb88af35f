/* SPDX-License-Identifier: Apache-2.0 */
/** What every command shares: tables and JSON, times and durations, exit codes, the way to the cluster. */
package io.waybill.cli.terminal;
