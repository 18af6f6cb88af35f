/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The connections to name servers and brokers, and the requests that several rooms make.
 *
 * <p>Start with {@link io.waybill.client.internal.connection.BrokerConnections}: every request leaves through it. A class named {@code ...Api}, here and in
 * other rooms, turns typed questions of one kind into requests and replies into typed answers, and keeps no state. May import {@code message} and
 * {@code runtime}.
 */
package io.waybill.client.internal.connection;
