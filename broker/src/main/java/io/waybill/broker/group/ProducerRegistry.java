/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.remoting.Connection;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Predicate;

/**
 * Producer groups and who is connected for them. A group without members is not kept. Read from any thread without a lock, changed only by
 * {@link ClientRegistry} under its lock.
 */
public final class ProducerRegistry {
    private final Map<String, ProducerGroup> groups = new ConcurrentHashMap<>();

    ProducerRegistry() {}

    private static final class ProducerGroup {
        final Map<ClientChannelKey, ClientChannelInfo> members = new ConcurrentHashMap<>();
        /** The member that was heard last on each connection, for requests that name no client. */
        final Map<Long, ClientChannelInfo> byConnection = new ConcurrentHashMap<>();

        final AtomicInteger turn = new AtomicInteger();
    }

    /** A living connection of the producer group, another one each time; null when there is none. */
    public Connection connectionOf(String group) {
        ProducerGroup producer = groups.get(group);
        if (producer == null) {
            return null;
        }
        List<ClientChannelInfo> members = new ArrayList<>(producer.members.values());
        int start = producer.turn.getAndIncrement() & Integer.MAX_VALUE;
        for (int i = 0; i < members.size(); i++) {
            Connection connection = members.get((start + i) % members.size()).connection();
            if (connection.isOpen()) {
                return connection;
            }
        }
        return null;
    }

    /** A living connection of this client as a producer of the group, or null. */
    public Connection connectionOf(String group, String clientId) {
        for (ClientChannelInfo member : membersOf(group)) {
            if (member.clientId().equals(clientId) && member.connection().isOpen()) {
                return member.connection();
            }
        }
        return null;
    }

    /** The id of the client that sent its last heartbeat as a producer of the group on this connection, or null. */
    public String clientId(String group, Connection connection) {
        ClientChannelInfo member = memberOn(group, connection);
        return member == null ? null : member.clientId();
    }

    /** The producers of a group, one per client and connection; empty when there are none. */
    public Collection<ClientChannelInfo> membersOf(String group) {
        ProducerGroup producer = groups.get(group);
        return producer == null ? List.of() : List.copyOf(producer.members.values());
    }

    /** Names of the producer groups somebody is connected for. */
    public Set<String> groups() {
        return new TreeSet<>(groups.keySet());
    }

    ClientChannelInfo memberOn(String group, Connection connection) {
        ProducerGroup producer = groups.get(group);
        return producer == null ? null : producer.byConnection.get(connection.id());
    }

    ClientChannelInfo member(String group, ClientChannelKey key) {
        ProducerGroup producer = groups.get(group);
        return producer == null ? null : producer.members.get(key);
    }

    /** Adds a member that was seen just now, or says that it is the one heard last on its connection. */
    void put(String group, ClientChannelKey key, ClientChannelInfo member) {
        ProducerGroup producer = groups.computeIfAbsent(group, g -> new ProducerGroup());
        producer.members.put(key, member);
        producer.byConnection.put(key.connectionId(), member);
    }

    /** Whether somebody left. */
    boolean remove(String group, Predicate<ClientChannelKey> gone) {
        ProducerGroup producer = groups.get(group);
        if (producer == null) {
            return false;
        }
        List<ClientChannelKey> leaving =
                producer.members.keySet().stream().filter(gone).toList();
        for (ClientChannelKey key : leaving) {
            producer.byConnection.remove(key.connectionId(), producer.members.remove(key));
        }
        if (producer.members.isEmpty()) {
            groups.remove(group);
        }
        return !leaving.isEmpty();
    }

    void forEach(BiConsumer<String, Collection<ClientChannelInfo>> action) {
        groups.forEach((group, producer) -> action.accept(group, producer.members.values()));
    }
}
