/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.group.ConnectionMemberships.Membership;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.MemoryBudget;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Connection;
import io.waybill.remoting.LogRateLimiter;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is connected: producers and consumers by group and connection. It lives as long as the node; whatever a leadership has to do with it listens.
 *
 * <p>What always holds: a member's connection was open when it was added; a connection that closed is in no group once
 * {@link #closed} ran. A group without members is not kept. What heartbeats bring is counted in bytes, and no connection
 * holds more than is left for all others. Changes happen under one lock; the reads that requests need take none. The notices of a change (code 40) are sent after it is visible.
 */
public final class ClientRegistry {
    private static final Logger log = LoggerFactory.getLogger(ClientRegistry.class);
    /** Of 320 MiB heap, 20. */
    private static final int HEAP_DIVISOR = 16;

    private final Clock clock;
    private final long expiryNanos;
    private final Map<String, ConsumerGroup> consumers = new ConcurrentHashMap<>();
    private final ProducerRegistry producers = new ProducerRegistry();
    /** Fingerprints of the last full heartbeat, by connection and client; of connections that are still open. */
    private final Map<Long, Map<String, Integer>> fingerprints = new ConcurrentHashMap<>();

    /** The connection each client was heard on last; as long as it is open. Changed under this. */
    private final Map<String, Connection> clients = new ConcurrentHashMap<>();

    /** Client ids that two processes use. Changed under this. */
    private final SharedClientIds shared;

    /** Guarded by this. */
    private final ConnectionMemberships memberships;

    private final AtomicLong arrivals = new AtomicLong();
    private final SubscriptionRefresher fresh = new SubscriptionRefresher(this);

    /** What members subscribe to is told by peers: a crowd of them must not fill the log. */
    private final LogRateLimiter conflictLines;

    private final List<MembershipListener> listeners = new CopyOnWriteArrayList<>();

    public ClientRegistry(BrokerSettings settings, Clock clock) {
        this(settings, clock, MemoryBudget.ofHeap(HEAP_DIVISOR));
    }

    /** @param memory what heartbeats may make this hold */
    ClientRegistry(BrokerSettings settings, Clock clock, MemoryBudget memory) {
        this.memberships = new ConnectionMemberships(memory);
        this.clock = clock;
        this.conflictLines = new LogRateLimiter(clock);
        this.shared = new SharedClientIds(clock);
        this.expiryNanos = TimeUnit.MILLISECONDS.toNanos(settings.groups().clientExpiryMillis());
    }

    /** Asks members what they want. */
    public SubscriptionRefresher fresh() {
        return fresh;
    }

    // ---- reads

    /** Who produces. */
    public ProducerRegistry producers() {
        return producers;
    }

    /** The living connection on which a client sent its last heartbeat, or null. */
    public Connection connectionOf(String clientId) {
        Connection connection = clients.get(clientId);
        return connection != null && connection.isOpen() ? connection : null;
    }

    /** A consumer group somebody is connected for, or null. */
    public ConsumerGroup consumerGroup(String group) {
        return consumers.get(group);
    }

    /** Every consumer group somebody is connected for, by name. */
    public Collection<ConsumerGroup> consumerGroups() {
        return new TreeMap<>(consumers).values();
    }

    /** The consumers of a group, one per client and connection; empty when it is offline. */
    public Collection<ClientChannelInfo> membersOf(String group) {
        ConsumerGroup consumer = consumers.get(group);
        return consumer == null ? List.of() : consumer.members();
    }

    /** What an online group wants of a topic, or null. */
    public Subscription subscription(String group, String topic) {
        ConsumerGroup consumer = consumers.get(group);
        return consumer == null ? null : consumer.subscription(topic);
    }

    /** The consumer of a group with this client id on a living connection, or null. */
    public ClientChannelInfo member(String group, String clientId) {
        for (ClientChannelInfo member : membersOf(group)) {
            if (member.clientId().equals(clientId) && member.connection().isOpen()) {
                return member;
            }
        }
        return null;
    }

    /** Whether the client is a member of the group on this connection. */
    boolean isMember(String group, String clientId, Connection connection) {
        ConsumerGroup consumer = consumers.get(group);
        return consumer != null && consumer.member(new ClientChannelKey(connection.id(), clientId)) != null;
    }

    /** The id of the consumer that sent its heartbeat for the group on this connection, or null. */
    public String clientId(String group, Connection connection) {
        ClientChannelInfo member = memberOn(group, connection);
        return member == null ? null : member.clientId();
    }

    /** The member of a group that sent its heartbeat on this connection, or null. */
    public ClientChannelInfo memberOn(String group, Connection connection) {
        ConsumerGroup consumer = consumers.get(group);
        return consumer == null ? null : consumer.memberOn(connection);
    }

    /** Who speaks for a group on a connection, for people: the client id if a heartbeat told it, and the address. */
    public String nameOf(String group, Connection connection) {
        ClientChannelInfo member = memberOn(group, connection);
        if (member == null) {
            member = producers.memberOn(group, connection);
        }
        InetSocketAddress address = connection.remoteAddress();
        String where = address.getHostString() + ":" + address.getPort();
        return member == null ? where : member.clientId() + " at " + where;
    }

    /** Client ids that more than one process uses. */
    public SharedClientIds shared() {
        return shared;
    }

    // ---- changes

    /** Notifies somebody of what changes from now on, and at once of the conflicts that there are. */
    public void addListener(MembershipListener listener) {
        listeners.add(listener);
        for (ConsumerGroup group : consumers.values()) {
            if (group.hasConflicts()) {
                listener.conflict(group);
            }
        }
    }

    public void removeListener(MembershipListener listener) {
        listeners.remove(listener);
    }

    /** The number of something that was told now; what comes later gets a larger one. */
    long arrival() {
        return arrivals.incrementAndGet();
    }

    /**
     * Applies a heartbeat; when this returns, pulls and member lists see it.
     *
     * @param arrival of {@link #arrival}
     * @return whether the client must send a full heartbeat the next time
     * @throws BadField when the connection would be a member of too many groups; nothing is applied
     */
    boolean heartbeat(Connection connection, byte language, int version, HeartbeatData data, long arrival) {
        Set<String> changed = new LinkedHashSet<>();
        Map<String, ClientChannelInfo> newProducers = new LinkedHashMap<>();
        boolean fullWanted;
        synchronized (this) {
            if (!connection.isOpen()) {
                return true;
            }
            boolean isKnown = memberships.isKnown(connection.id(), data.clientId());
            memberships.join(connection.id(), data);
            boolean isMember = !data.producers().isEmpty() || !data.consumers().isEmpty();
            if (isMember) { // what ends with the connection
                Connection last = clients.put(data.clientId(), connection);
                if (isKnown && last != null && last.id() != connection.id() && last.isOpen()) {
                    shared.found(data.clientId(), connection, last);
                }
            }
            fullWanted = !isMember || !knowsFingerprint(connection, data);
            for (String group : data.producers()) {
                ClientChannelKey key = new ClientChannelKey(connection.id(), data.clientId());
                ClientChannelInfo known = producers.member(group, key);
                ClientChannelInfo member = known != null ? known : new ClientChannelInfo(data.clientId(), connection);
                member.seen(language, version, clock.nanoTime(), clock.wallMillis());
                producers.put(group, key, member);
                if (known == null) {
                    newProducers.put(group, member);
                }
            }
            for (ConsumerData consumer : data.consumers()) {
                if (applyConsumer(connection, language, version, data, consumer, arrival)) {
                    changed.add(consumer.groupName());
                }
            }
        }
        // Outside the lock: a slow peer's buffer must not hold up heartbeats.
        changed.forEach(group -> subscriptionChanged(group, connection));
        changed.forEach(this::announce);
        newProducers.forEach((group, member) -> listeners.forEach(listener -> listener.producerJoined(group, member)));
        return fullWanted;
    }

    private void subscriptionChanged(String group, Connection connection) {
        listeners.forEach(listener -> listener.subscriptionChanged(group, connection));
    }

    private void leave(Connection connection, Membership membership) {
        if (!memberships.leave(connection.id(), membership)) {
            return;
        }
        if (!memberships.isKnown(connection.id(), membership.clientId())) {
            clients.remove(membership.clientId(), connection);
            Map<String, Integer> prints = fingerprints.get(connection.id());
            if (prints != null) {
                prints.remove(membership.clientId());
            }
        }
        if (memberships.isEmpty(connection.id())) {
            fingerprints.remove(connection.id());
        }
    }

    private boolean applyConsumer(
            Connection connection,
            byte language,
            int version,
            HeartbeatData data,
            ConsumerData consumer,
            long arrival) {
        ConsumerGroup group = consumers.computeIfAbsent(consumer.groupName(), ConsumerGroup::new);
        boolean wasBroadcasting = group.isBroadcasting();
        group.describe(consumer.consumeType(), consumer.messageModel(), consumer.consumeFromWhere());
        ClientChannelKey key = new ClientChannelKey(connection.id(), data.clientId());
        ClientChannelInfo member = group.member(key);
        boolean changed = member == null || wasBroadcasting != group.isBroadcasting();
        if (member == null) {
            member = new ClientChannelInfo(data.clientId(), connection);
        }
        member.seen(language, version, clock.nanoTime(), clock.wallMillis());
        if (!data.withoutSub() && member.isNewest(arrival)) {
            changed |= replaceSubscriptions(group, member, consumer.subscriptions(), arrival);
        }
        if (changed) {
            group.add(key, member); // with its subscriptions: a group must not look as if one member wanted nothing
            settle(group);
        }
        return changed;
    }

    /** Sets what a member wants; true when that is something else than before, not only a newer version of it. */
    private static boolean replaceSubscriptions(
            ConsumerGroup group, ClientChannelInfo member, Collection<SubscriptionData> wanted, long arrival) {
        Map<String, Subscription> known = member.subscriptions();
        Map<String, Subscription> own = new HashMap<>();
        for (SubscriptionData data : wanted) {
            own.put(data.topic(), Subscription.told(data, known.get(data.topic()), arrival));
        }
        return apply(group, member, own);
    }

    private static boolean apply(ConsumerGroup group, ClientChannelInfo member, Map<String, Subscription> own) {
        Map<String, Subscription> known = member.subscriptions();
        boolean changed = !known.keySet().equals(own.keySet());
        for (Subscription subscription : own.values()) {
            Subscription before = known.get(subscription.data().topic());
            if (before == null || !before.expression().equals(subscription.expression())) {
                changed = true;
            } else if (before != subscription) {
                group.renewed(subscription);
            }
        }
        member.subscriptions(own);
        return changed;
    }

    /**
     * Applies what the member on a connection told when asked: newer versions win, since a heartbeat may have overtaken the answer; none is added or taken
     * away.
     */
    void refresh(String name, Connection connection, Collection<SubscriptionData> told) {
        boolean changed;
        synchronized (this) {
            ConsumerGroup group = consumers.get(name);
            ClientChannelInfo member = group == null ? null : group.memberOn(connection);
            if (member == null) {
                return;
            }
            Map<String, Subscription> own = new HashMap<>(member.subscriptions());
            for (SubscriptionData data : told) {
                // Only what it subscribed to before: an answer is no way to bring new topics.
                own.computeIfPresent(
                        data.topic(),
                        (topic, known) -> known.version() >= data.subVersion()
                                ? known
                                : Subscription.told(data, known, arrival()));
            }
            changed = apply(group, member, own);
            if (changed) {
                settle(group);
            }
        }
        if (changed) {
            subscriptionChanged(name, connection);
            announce(name);
        }
    }

    private void settle(ConsumerGroup group) {
        boolean had = group.hasConflicts();
        for (Conflict conflict : group.settle()) {
            String more = conflictLines.admit();
            if (more != null) {
                log.warn(
                        "Members of group {} want different things of topic {}: {}. What one reads and only another wants goes to that one through {}{}",
                        group.name(),
                        conflict.topic(),
                        conflict,
                        Names.retryTopic(group.name()),
                        more);
            }
        }
        if (had && !group.hasConflicts()) {
            log.info("All members of group {} want the same again", group.name());
        }
    }

    private boolean knowsFingerprint(Connection connection, HeartbeatData data) {
        int fingerprint = data.heartbeatFingerprint();
        if (fingerprint == 0) {
            return false;
        }
        Map<String, Integer> known = fingerprints.computeIfAbsent(connection.id(), id -> new ConcurrentHashMap<>());
        if (data.withoutSub()) {
            return Integer.valueOf(fingerprint).equals(known.get(data.clientId()));
        }
        known.put(data.clientId(), fingerprint);
        return true;
    }

    /** A client leaves one of its groups; either name may be null. */
    void unregister(Connection connection, String clientId, String producerGroup, String consumerGroup) {
        ClientChannelKey key = new ClientChannelKey(connection.id(), clientId);
        boolean changed = false;
        boolean left = false;
        synchronized (this) {
            if (producerGroup != null) {
                leave(connection, new Membership(true, producerGroup, clientId));
                left = producers.remove(producerGroup, key::equals);
            }
            if (consumerGroup != null) {
                leave(connection, new Membership(false, consumerGroup, clientId));
                changed = removeConsumer(consumerGroup, key::equals);
                fingerprints.remove(connection.id());
            }
        }
        if (left) { // of a client that was not here on this connection nothing was said
            listeners.forEach(listener -> listener.producerLeft(producerGroup, clientId));
        }
        if (changed) {
            subscriptionChanged(consumerGroup, connection);
            announce(consumerGroup);
        }
    }

    /** Forgets a connection in every group. */
    void closed(Connection connection) {
        Set<String> changed = new LinkedHashSet<>();
        Predicate<ClientChannelKey> ofConnection = key -> key.connectionId() == connection.id();
        synchronized (this) {
            fingerprints.remove(connection.id());
            shared.closed(connection);
            for (Membership membership : memberships.remove(connection.id())) {
                clients.remove(membership.clientId(), connection);
                if (membership.isProducer()) {
                    producers.remove(membership.group(), ofConnection);
                } else if (removeConsumer(membership.group(), ofConnection)) {
                    changed.add(membership.group());
                }
            }
        }
        changed.forEach(group -> subscriptionChanged(group, connection));
        changed.forEach(this::announce);
    }

    private boolean removeConsumer(String name, Predicate<ClientChannelKey> gone) {
        ConsumerGroup group = consumers.get(name);
        if (group == null || !group.remove(group.keys().stream().filter(gone).toList())) {
            return false;
        }
        if (group.isEmpty()) {
            consumers.remove(name);
        } else {
            settle(group);
        }
        return true;
    }

    /** Tells every member that the group changed, so that they share out the queues anew at once. */
    public void announce(String group) {
        ConsumerGroup consumers = consumerGroup(group);
        if (consumers != null && consumers.hasConflicts()) {
            listeners.forEach(listener -> listener.conflict(consumers));
        }
        for (MembershipListener listener : listeners) {
            if (!listener.wantsNotices(group)) {
                return;
            }
        }
        for (ClientChannelInfo member : membersOf(group)) {
            member.connection()
                    .send(Command.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
                            .oneway()
                            .field("consumerGroup", group)
                            .build());
        }
    }

    // ---- expiry

    /** Drops memberships that were silent for too long, by the monotonic clock, and a connection with its last one. */
    void dropSilent() {
        long now = clock.nanoTime();
        List<Silent> silent = new ArrayList<>();
        producers.forEach((group, members) -> collectSilent(true, group, members, now, silent));
        consumers.forEach((group, consumer) -> collectSilent(false, group, consumer.members(), now, silent));
        for (Silent one : silent) {
            Membership membership = one.membership();
            log.info(
                    "Client {} at {} was silent for group {} for too long and is dropped from it",
                    membership.clientId(),
                    one.connection().remoteAddress(),
                    membership.group());
            unregister(
                    one.connection(),
                    membership.clientId(),
                    membership.isProducer() ? membership.group() : null,
                    membership.isProducer() ? null : membership.group());
            if (!brought(one.connection())) {
                closed(one.connection());
                one.connection().close();
            }
        }
    }

    private record Silent(Membership membership, Connection connection) {}

    private synchronized boolean brought(Connection connection) {
        return !memberships.isEmpty(connection.id());
    }

    private void collectSilent(
            boolean isProducer, String group, Collection<ClientChannelInfo> members, long now, List<Silent> silent) {
        for (ClientChannelInfo member : members) {
            if (member.isSilent(now, expiryNanos)) {
                silent.add(new Silent(new Membership(isProducer, group, member.clientId()), member.connection()));
            }
        }
    }
}
