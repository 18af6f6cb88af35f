/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Programs of one page each: a small order service with its own database (H2, in memory) that uses Waybill. Run one with the name server as its
 * argument, or in NAMESRV_ADDR; the default is 127.0.0.1:9876.
 *
 * <p>Start with {@link io.waybill.example.OrderProducer}, then {@link io.waybill.example.OrderedOrderConsumer} and
 * {@link io.waybill.example.TransactionalOrderProducer}. Imports the public types of {@code client} and {@code client.jdbc} and the JDK, as a service
 * would.
 */
package io.waybill.example;
