/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The map from topic to living brokers. Brokers push what they serve, clients ask; nothing of it is kept on disk and no name
 * server knows of another. Beside it a small key-value table, which is kept in a file where there is a directory. Read
 * {@link io.waybill.namesrv.NameServer} first, then {@code RouteTable}. Imports {@code remoting}, {@code protocol} and
 * {@code platform}; no broker and no client.
 */
package io.waybill.namesrv;
