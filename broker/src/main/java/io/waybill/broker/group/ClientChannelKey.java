/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

/** A client on a connection: one connection may carry several clients, one client may be there on two connections. */
record ClientChannelKey(long connectionId, String clientId) {}
