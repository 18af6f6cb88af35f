/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Consumer groups: their settings, which clients are connected for them and what these subscribe to, and the notices members get when that changes.
 *
 * <p>Start with {@link io.waybill.broker.group.ClientRegistry} (who is connected; lives as long as the node) and {@link io.waybill.broker.group.Groups}
 * (settings, from the log). Core wing: imports request, settings, topic and filter.
 */
package io.waybill.broker.group;
