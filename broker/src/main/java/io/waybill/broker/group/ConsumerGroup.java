/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.filter.Filter;
import io.waybill.protocol.Names;
import io.waybill.remoting.Connection;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A consumer group with members: how they consume and what they subscribe to.
 *
 * <p>What always holds: every member keeps its own subscriptions; the group's subscription to a topic is the one that a member told last. If members of a group
 * that shares its queues want different things of a topic, that is a {@link Conflict}. Read from any thread, changed only by {@link ClientRegistry} under its lock.
 */
public final class ConsumerGroup {
    private final String name;
    private final Map<ClientChannelKey, ClientChannelInfo> members = new ConcurrentHashMap<>();
    private final Map<Long, ClientChannelInfo> byConnection = new ConcurrentHashMap<>();
    private final Map<String, Subscription> newest = new ConcurrentHashMap<>();
    private volatile Map<String, Conflict> conflicts = Map.of();
    /** By topic with a conflict, what any member wants that also reads the retry topic. */
    private volatile Map<String, Filter> unions = Map.of();

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
    public Collection<ClientChannelInfo> members() {
        return List.copyOf(members.values());
    }

    /** The member that sent its heartbeat on this connection, or null. */
    public ClientChannelInfo memberOn(Connection connection) {
        return byConnection.get(connection.id());
    }

    /** The client ids, sorted, each once. */
    public List<String> clientIds() {
        TreeSet<String> ids = new TreeSet<>();
        members.values().forEach(m -> ids.add(m.clientId()));
        return new ArrayList<>(ids);
    }

    /** What the newest subscription of a member wants of a topic, or null. */
    public Subscription subscription(String topic) {
        return newest.get(topic);
    }

    /** A copy of all subscriptions by topic, of each the newest. */
    public Map<String, Subscription> subscriptions() {
        return Map.copyOf(newest);
    }

    /** What a member wants, by topic. */
    public Map<String, Subscription> subscriptionsOf(ClientChannelInfo member) {
        return member.subscriptions();
    }

    /** Whether members want different things of the topic, or some of them nothing. */
    public boolean hasConflict(String topic) {
        return conflicts.containsKey(topic);
    }

    boolean hasConflicts() {
        return !conflicts.isEmpty();
    }

    /** All conflicts, by topic. */
    public Collection<Conflict> conflicts() {
        return conflicts.values();
    }

    /** For a topic with a conflict: what any member wants that can be reached through the retry topic. Null without a conflict or such a member. */
    public Filter union(String topic) {
        return unions.get(topic);
    }

    // ---- changes

    void describe(String type, String model, String fromWhere) {
        consumeType = type == null ? "" : type;
        messageModel = model == null ? "" : model;
        consumeFromWhere = fromWhere == null ? "" : fromWhere;
    }

    ClientChannelInfo member(ClientChannelKey key) {
        return members.get(key);
    }

    void add(ClientChannelKey key, ClientChannelInfo member) {
        members.put(key, member);
        byConnection.put(key.connectionId(), member);
    }

    /** Takes members out; true when there were some. */
    boolean remove(Collection<ClientChannelKey> gone) {
        boolean changed = false;
        for (ClientChannelKey key : gone) {
            changed |= members.remove(key) != null;
        }
        if (changed) {
            byConnection.clear();
            members.forEach((key, member) -> byConnection.put(key.connectionId(), member));
        }
        return changed;
    }

    Set<ClientChannelKey> keys() {
        return members.keySet();
    }

    boolean isEmpty() {
        return members.isEmpty();
    }

    /** Notes a newer version of a subscription whose expression is the same. */
    void renewed(Subscription subscription) {
        newest.merge(
                subscription.data().topic(), subscription, (old, fresh) -> fresh.told() > old.told() ? fresh : old);
    }

    /** Works out anew what follows from the members; returns the conflicts that are new or other than before. */
    List<Conflict> settle() {
        Map<String, Subscription> best = new TreeMap<>();
        for (ClientChannelInfo member : members.values()) {
            member.subscriptions()
                    .forEach((topic, own) -> best.merge(topic, own, (a, b) -> a.told() >= b.told() ? a : b));
        }
        newest.putAll(best);
        newest.keySet().retainAll(best.keySet());
        Map<String, Conflict> now = new TreeMap<>();
        Map<String, Filter> wanted = new TreeMap<>();
        if (members.size() > 1 && !isBroadcasting()) {
            for (String topic : best.keySet()) {
                Conflict conflict = Names.isRetry(topic) ? null : conflict(topic);
                if (conflict != null) {
                    now.put(topic, conflict);
                    Filter union = unionOf(topic);
                    if (union != null) {
                        wanted.put(topic, union);
                    }
                }
            }
        }
        List<Conflict> changed = now.values().stream()
                .filter(conflict -> !conflict.equals(conflicts.get(conflict.topic())))
                .toList();
        unions = wanted;
        conflicts = now;
        return changed;
    }

    private Conflict conflict(String topic) {
        Map<String, List<String>> clients = new TreeMap<>();
        for (ClientChannelInfo member : members.values()) {
            Subscription own = member.subscriptions().get(topic);
            clients.computeIfAbsent(own == null ? Conflict.NOTHING : own.expression(), expression -> new ArrayList<>())
                    .add(member.clientId());
        }
        clients.values().forEach(ids -> ids.sort(null));
        return clients.size() < 2 ? null : new Conflict(topic, clients);
    }

    private Filter unionOf(String topic) {
        Map<String, Filter> filters = new TreeMap<>();
        for (ClientChannelInfo member : members.values()) {
            Subscription own = member.subscriptions().get(topic);
            if (own != null && takesRetries(member)) {
                filters.put(own.expression(), own.filter());
            }
        }
        return filters.isEmpty() ? null : Filter.anyOf(new LinkedHashSet<>(filters.values()));
    }

    /** Whether what is put into the group's retry topic can reach the member. */
    public boolean takesRetries(ClientChannelInfo member) {
        return member.subscriptions().containsKey(Names.retryTopic(name));
    }
}
