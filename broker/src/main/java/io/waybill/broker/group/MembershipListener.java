/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.remoting.Connection;

/**
 * Is notified of what changes about clients and groups, when it is in force and before the members are notified of it. Clients live as long as the node, so a
 * listener that lives as long as a leadership takes itself off at its end. Any thread; must not block.
 */
public interface MembershipListener {
    /** A client is connected for a producer group. */
    default void producerJoined(String group, ClientChannelInfo member) {}

    /** A client said that it leaves a producer group; one whose connection ends has not said so. */
    default void producerLeft(String group, String clientId) {}

    /** The member of a consumer group on this connection is new, subscribes to something else or has left. */
    default void subscriptionChanged(String group, Connection connection) {}

    /** Something about the members of a group changed that subscribe to different things. */
    default void conflict(ConsumerGroup group) {}
}
