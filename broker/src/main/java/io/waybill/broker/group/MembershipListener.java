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

    /** Something about the members of a group changed that subscribe to different things; also of one that was like that before this one listened. */
    default void conflict(ConsumerGroup group) {}

    /** Whether the members of a group want to be told that it changed, so that they share out its queues anew. As long as nobody listens they do. */
    default boolean wantsNotices(String group) {
        return true;
    }
}
