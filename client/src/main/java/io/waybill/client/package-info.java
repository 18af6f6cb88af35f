/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The library as an application sees it: producers, transactional producers, consumers, replay and the administration of a cluster.
 * Everything here is a promise; everything under {@code internal} may change in any release.
 *
 * <p>Start with {@link io.waybill.client.WaybillClient}, which builds all others, then {@link io.waybill.client.Message} and
 * {@link io.waybill.client.ReceivedMessage}.
 *
 * <p>An interface has what is needed first, and a method for each thing beyond that ({@code positions()}, {@code delayed()}, {@code delivery()},
 * the parts of {@link io.waybill.client.Admin}; ADR 0037).
 *
 * <p>Imports nothing of {@code internal} but {@code internal.id}; what implements these interfaces is found by the service loader (ADR 0034).
 */
package io.waybill.client;
