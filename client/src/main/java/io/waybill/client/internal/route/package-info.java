/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where the queues of a topic are, and at which address a broker is.
 *
 * <p>Start with {@link io.waybill.client.internal.route.RouteCache}. May import {@code connection}, {@code message} and {@code runtime}.
 */
package io.waybill.client.internal.route;
