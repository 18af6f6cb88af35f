/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Makes the broker and its topics known to the name servers.
 *
 * <p>Start with {@link io.waybill.broker.route.Registration}. Core wing: imports request, settings and topic.
 */
package io.waybill.broker.route;
