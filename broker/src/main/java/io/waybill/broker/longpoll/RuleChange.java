/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.remoting.Connection;

/**
 * What changed for the requests of a group, of a topic, or of a group on one connection; the others are null, or -1.
 */
public record RuleChange(String group, String topic, long connectionId) {
    private static final long EVERY_CONNECTION = -1;

    /** The settings of a topic changed, or it was deleted. */
    public static RuleChange ofTopic(String topic) {
        return new RuleChange(null, topic, EVERY_CONNECTION);
    }

    /** The settings of a group changed, or it was deleted. */
    public static RuleChange ofGroup(String group) {
        return new RuleChange(group, null, EVERY_CONNECTION);
    }

    /** The subscriptions of a member changed. */
    public static RuleChange ofSubscription(String group, Connection connection) {
        return new RuleChange(group, null, connection.id());
    }

    boolean isOfConnection() {
        return connectionId != EVERY_CONNECTION;
    }

    boolean concerns(HeldRequest request) {
        return topic == null ? request.group().equals(group) : request.topic().equals(topic);
    }
}
