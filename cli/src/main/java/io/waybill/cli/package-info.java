/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The command {@code waybill}: what runs a server, administers a cluster and looks inside a store. Read
 * {@link io.waybill.cli.Main} first. A package for each kind of command imports {@code terminal} and the client; only
 * {@code run} imports the server and only {@code store} the store.
 */
package io.waybill.cli;
