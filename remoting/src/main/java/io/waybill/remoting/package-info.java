/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Carries frames between processes and pairs replies with requests, in both directions of one connection. Nothing of the network
 * library shows outside this package, and nothing else imports it. Read {@link io.waybill.remoting.Connection} first, then
 * {@code SocketConnection}, and {@code MemoryBudgets} for what peers may make a process hold (docs/adr/0023). Imports
 * {@code protocol} and {@code platform}.
 */
package io.waybill.remoting;
