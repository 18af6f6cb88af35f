/* SPDX-License-Identifier: Apache-2.0 */
/** The command {@code waybill}: what runs a server, administers a cluster and looks inside a store. */
package io.waybill.cli;
