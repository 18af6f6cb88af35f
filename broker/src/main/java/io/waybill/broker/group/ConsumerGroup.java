/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A consumer group with members: how they consume and what they subscribe to. Read from any thread, changed only by
 * {@link Members} under its lock.
 */
public final class ConsumerGroup {
    private final String name;
    private final Map<MemberKey, Member> members = new ConcurrentHashMap<>();
    private final Map<String, Subscription> subscriptions = new ConcurrentHashMap<>();
    private volatile String consumeType = "";
    private volatile String messageModel = "";
    private volatile String consumeFromWhere = "";

    ConsumerGroup(String name) {
        this.name = name;
    }

    public String name() {
        return name;
    }

    /** {@code CONSUME_ACTIVELY}, {@code CONSUME_PASSIVELY} or {@code CONSUME_POP}, as the newest heartbeat said. */
    public String consumeType() {
        return consumeType;
    }

    /** {@code CLUSTERING} or {@code BROADCASTING}. */
    public String messageModel() {
        return messageModel;
    }

    public boolean isBroadcasting() {
        return messageModel.equals("BROADCASTING");
    }

    public String consumeFromWhere() {
        return consumeFromWhere;
    }

    /** The members, one per client and connection. */
    public Collection<Member> members() {
        return List.copyOf(members.values());
    }

    /** The client ids, sorted, each once. */
    public List<String> clientIds() {
        TreeSet<String> ids = new TreeSet<>();
        members.values().forEach(m -> ids.add(m.clientId()));
        return new ArrayList<>(ids);
    }

    /** What the group wants of a topic, or null. */
    public Subscription subscription(String topic) {
        return subscriptions.get(topic);
    }

    /** A copy of all subscriptions by topic. */
    public Map<String, Subscription> subscriptions() {
        return Map.copyOf(subscriptions);
    }

    Map<MemberKey, Member> memberTable() {
        return members;
    }

    Map<String, Subscription> subscriptionTable() {
        return subscriptions;
    }

    void describe(String type, String model, String fromWhere) {
        consumeType = type == null ? "" : type;
        messageModel = model == null ? "" : model;
        consumeFromWhere = fromWhere == null ? "" : fromWhere;
    }
}
