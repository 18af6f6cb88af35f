/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.internal.message.SubscriptionFilter;

/**
 * One pop from any queue of a broker.
 *
 * @param waitMillis how long the broker may hold it when there is nothing
 */
record PopRequest(
        String topic, String broker, SubscriptionFilter filter, int max, long invisibleMillis, long waitMillis) {}
