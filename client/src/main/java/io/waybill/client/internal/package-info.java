/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Composition of a client. One room for each thing a client does lies below; only this package knows all of them.
 *
 * <p>Start with {@code ConnectedClient}: it makes what the rooms share, hands each part what it uses, and builds producers and consumers.
 * {@code BrokerRequests} says what a broker may ask of a client.
 *
 * <p>The rooms, arrows only from right to left: id, runtime &lt;- message &lt;- connection &lt;- route &lt;- group &lt;- {send &lt;- transaction}, {consume
 * &lt;- pop, pull}, and admin, which uses send for changes of delayed messages. No room imports this package.
 */
package io.waybill.client.internal;
