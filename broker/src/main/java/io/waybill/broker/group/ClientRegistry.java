/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.MemoryBudget;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
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
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who is connected: producers and consumers by group and connection.
 *
 * <p>What always holds: a member's connection was open when it was added; a connection that closed is in no group once
 * {@link #closed} ran. A group without members is not kept. What heartbeats bring is counted in bytes, and no connection
 * holds more than is left for all others. Changes happen under one lock; the reads that requests need take none. The notices of a change (code 40) are sent after it is visible.
 */
public final class ClientRegistry implements Duty {
    private static final Logger log = LoggerFactory.getLogger(ClientRegistry.class);
    /** Groups times clients on one connection; a proxy may bring many. */
    static final int MOST_MEMBERSHIPS = 8192;

    /** Of 320 MiB heap, 20. */
    private static final int HEAP_DIVISOR = 16;
    /** What a membership takes beside its names, and what a subscription does. */
    private static final int MEMBERSHIP_BYTES = 400;

    private static final int SUBSCRIPTION_BYTES = 500;

    private static final long SCAN_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Groups groups;
    private final Clock clock;
    private final long expiryNanos;
    private final Map<String, ConsumerGroup> consumers = new ConcurrentHashMap<>();
    private final Map<String, ProducerGroup> producers = new ConcurrentHashMap<>();
    /** Fingerprints of the last full heartbeat, by connection and client; of connections that are still open. */
    private final Map<Long, Map<String, Integer>> fingerprints = new ConcurrentHashMap<>();

    /** The connection each client was heard on last; as long as it is open. Changed under this. */
    private final Map<String, Connection> clients = new ConcurrentHashMap<>();

    /** Client ids that two processes use. Changed under this. */
    private final SharedClientIds shared;

    /** What each connection is a member of, so that its end costs what it brought. Guarded by this. */
    private final Map<Long, Brought> memberships = new HashMap<>();

    private final MemoryBudget memory;

    private final AtomicLong arrivals = new AtomicLong();
    private final SubscriptionRefresher fresh = new SubscriptionRefresher(this);

    /** The members' wishes are told by peers: a crowd of them must not fill the log. */
    private final LogRateLimiter conflictLines;

    private volatile BiConsumer<String, ClientChannelInfo> producerListener = (group, member) -> {};
    private volatile BiConsumer<String, String> producerLeftListener = (group, clientId) -> {};
    private volatile Consumer<ConsumerGroup> conflictListener = group -> {};
    private volatile BiConsumer<String, Connection> wishListener = (group, connection) -> {};

    public ClientRegistry(Groups groups, BrokerSettings settings, Clock clock) {
        this(groups, settings, clock, MemoryBudget.ofHeap(HEAP_DIVISOR));
    }

    /** @param memory what heartbeats may make this hold */
    ClientRegistry(Groups groups, BrokerSettings settings, Clock clock, MemoryBudget memory) {
        this.memory = memory;
        this.groups = groups;
        this.clock = clock;
        this.conflictLines = new LogRateLimiter(clock);
        this.shared = new SharedClientIds(clock);
        this.expiryNanos = TimeUnit.MILLISECONDS.toNanos(settings.clientExpiryMillis());
    }

    private record Membership(boolean isProducer, String group, String clientId) {}

    /** What a connection brought: its memberships, and about how many bytes each takes. */
    private static final class Brought {
        final Map<Membership, Integer> bytes = new HashMap<>();
        long sum;
    }

    private static final class ProducerGroup {
        final Map<ClientChannelKey, ClientChannelInfo> members = new ConcurrentHashMap<>();
        /** The member that was heard last on each connection, for requests that name no client. */
        final Map<Long, ClientChannelInfo> byConnection = new ConcurrentHashMap<>();

        final AtomicInteger turn = new AtomicInteger();
    }

    /** Asks members what they want. */
    public SubscriptionRefresher fresh() {
        return fresh;
    }

    // ---- reads

    /** A living connection of the producer group, another one each time; null when there is none. */
    public Connection producerOf(String group) {
        ProducerGroup producer = producers.get(group);
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
    public Connection producerOf(String group, String clientId) {
        for (ClientChannelInfo member : producersOf(group)) {
            if (member.clientId().equals(clientId) && member.connection().isOpen()) {
                return member.connection();
            }
        }
        return null;
    }

    /** The id of the client that sent its last heartbeat as a producer of the group on this connection, or null. */
    public String producerOn(String group, Connection connection) {
        ProducerGroup producer = producers.get(group);
        ClientChannelInfo member = producer == null ? null : producer.byConnection.get(connection.id());
        return member == null ? null : member.clientId();
    }

    /** The living connection on which a client sent its last heartbeat, or null. */
    public Connection connectionOf(String clientId) {
        Connection connection = clients.get(clientId);
        return connection != null && connection.isOpen() ? connection : null;
    }

    /** The producers of a group, one per client and connection; empty when there are none. */
    public Collection<ClientChannelInfo> producersOf(String group) {
        ProducerGroup producer = producers.get(group);
        return producer == null ? List.of() : List.copyOf(producer.members.values());
    }

    /** Names of the producer groups somebody is connected for. */
    public Set<String> producerGroups() {
        return new TreeSet<>(producers.keySet());
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

    /** Whether each member of a group that is online keeps its own offsets. */
    public boolean isBroadcasting(String group) {
        ConsumerGroup consumer = consumers.get(group);
        return consumer != null && consumer.isBroadcasting();
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
            ProducerGroup producer = producers.get(group);
            member = producer == null ? null : producer.byConnection.get(connection.id());
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

    /** Sets who is told the name of a producer group and its new member when somebody is connected for it; once, at the start. */
    public void onProducer(BiConsumer<String, ClientChannelInfo> listener) {
        this.producerListener = listener;
    }

    /** Sets who is told the name of a producer group and the id of a client that said it leaves; once, at the start. */
    public void onProducerLeft(BiConsumer<String, String> listener) {
        this.producerLeftListener = listener;
    }

    /** Sets who is told of a group whose members want different things, whenever something about its members changed; once, at the start. */
    public void onConflict(Consumer<ConsumerGroup> listener) {
        this.conflictListener = listener;
    }

    /**
     * Sets who is told the group and the connection of a member that is new, wants something else or has left, when that is in force and before anybody
     * is told of it; once, at the start.
     */
    public void onWish(BiConsumer<String, Connection> listener) {
        this.wishListener = listener;
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
            boolean isKnown = isKnown(connection, data.clientId());
            join(connection, data);
            boolean isMember = !data.producers().isEmpty() || !data.consumers().isEmpty();
            if (isMember) { // what ends with the connection
                Connection last = clients.put(data.clientId(), connection);
                if (isKnown && last != null && last.id() != connection.id() && last.isOpen()) {
                    shared.found(data.clientId(), connection, last);
                }
            }
            fullWanted = !isMember || !knowsFingerprint(connection, data);
            for (String group : data.producers()) {
                ProducerGroup producer = producers.computeIfAbsent(group, g -> new ProducerGroup());
                boolean isNew = seen(producer.members, connection, data.clientId(), language, version);
                ClientChannelInfo member = producer.members.get(new ClientChannelKey(connection.id(), data.clientId()));
                producer.byConnection.put(connection.id(), member);
                if (isNew) {
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
        changed.forEach(group -> wishListener.accept(group, connection));
        changed.forEach(this::announce);
        newProducers.forEach(producerListener);
        return fullWanted;
    }

    /** Whether a client was heard on this connection before. */
    private boolean isKnown(Connection connection, String clientId) {
        Brought brought = memberships.get(connection.id());
        return brought != null
                && brought.bytes.keySet().stream()
                        .anyMatch(membership -> membership.clientId().equals(clientId));
    }

    private void join(Connection connection, HeartbeatData data) {
        Brought known = memberships.get(connection.id());
        Map<Membership, Integer> wanted = new HashMap<>();
        data.producers()
                .forEach(group -> wanted.put(new Membership(true, group, data.clientId()), bytesOf(group, data)));
        for (ConsumerData consumer : data.consumers()) {
            Membership membership = new Membership(false, consumer.groupName(), data.clientId());
            int bytes = bytesOf(consumer.groupName(), data);
            for (SubscriptionData subscription : consumer.subscriptions()) {
                bytes += bytesOf(subscription);
            }
            // One that leaves its subscriptions out keeps them.
            int before = known == null || !data.withoutSub() ? 0 : known.bytes.getOrDefault(membership, 0);
            wanted.put(membership, Math.max(bytes, before));
        }
        if (wanted.isEmpty()) {
            return;
        }
        int count = known == null ? 0 : known.bytes.size();
        long more = 0;
        for (Map.Entry<Membership, Integer> one : wanted.entrySet()) {
            Integer before = known == null ? null : known.bytes.get(one.getKey());
            count += before == null ? 1 : 0;
            more += one.getValue() - (before == null ? 0 : before);
        }
        if (count > MOST_MEMBERSHIPS) {
            throw new BadField(
                    "groups", "at most " + MOST_MEMBERSHIPS + " groups of clients on one connection", count + "");
        }
        long own = known == null ? 0 : known.sum;
        if (more > 0 && !memory.admits(own, more)) {
            throw new BadField(
                    "subscriptions",
                    "so many that no connection holds more than is left for others of " + memory.limitBytes()
                            + " bytes, here at most " + (own + Math.max(0, memory.freeBytes() - own)) + " bytes",
                    own + more + " bytes");
        }
        memory.add(more);
        Brought all = known != null ? known : memberships.computeIfAbsent(connection.id(), id -> new Brought());
        all.bytes.putAll(wanted);
        all.sum += more;
    }

    private static int bytesOf(String group, HeartbeatData data) {
        return MEMBERSHIP_BYTES + group.length() + data.clientId().length();
    }

    /** The expression is there as text, as it is shown, and compiled. */
    private static int bytesOf(SubscriptionData subscription) {
        int bytes = SUBSCRIPTION_BYTES
                + 2 * subscription.topic().length()
                + 50 * subscription.codeSet().size();
        for (String tag : subscription.tagsSet()) {
            bytes += 2 * (tag == null ? 0 : tag.length()) + 100;
        }
        int expression =
                subscription.subString() == null ? 0 : subscription.subString().length();
        return bytes + (subscription.isTagType() ? 16 : 64) * expression;
    }

    private void leave(Connection connection, Membership membership) {
        Brought known = memberships.get(connection.id());
        Integer bytes = known == null ? null : known.bytes.remove(membership);
        if (bytes == null) {
            return;
        }
        known.sum -= bytes;
        memory.add(-bytes);
        if (known.bytes.keySet().stream().noneMatch(m -> m.clientId().equals(membership.clientId()))) {
            clients.remove(membership.clientId(), connection);
            Map<String, Integer> prints = fingerprints.get(connection.id());
            if (prints != null) {
                prints.remove(membership.clientId());
            }
        }
        if (known.bytes.isEmpty()) {
            memberships.remove(connection.id());
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

    private boolean seen(
            Map<ClientChannelKey, ClientChannelInfo> members,
            Connection connection,
            String clientId,
            byte language,
            int version) {
        ClientChannelKey key = new ClientChannelKey(connection.id(), clientId);
        ClientChannelInfo known = members.get(key);
        boolean isNew = known == null;
        ClientChannelInfo member = isNew ? new ClientChannelInfo(clientId, connection) : known;
        member.seen(language, version, clock.nanoTime(), clock.wallMillis());
        if (isNew) {
            members.put(key, member);
        }
        return isNew;
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
            if (before == null || !before.wish().equals(subscription.wish())) {
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
            wishListener.accept(name, connection);
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
                left = removeProducer(producerGroup, key::equals);
            }
            if (consumerGroup != null) {
                leave(connection, new Membership(false, consumerGroup, clientId));
                changed = removeConsumer(consumerGroup, key::equals);
                fingerprints.remove(connection.id());
            }
        }
        if (left) { // of a client that was not here on this connection nothing was said
            producerLeftListener.accept(producerGroup, clientId);
        }
        if (changed) {
            wishListener.accept(consumerGroup, connection);
            announce(consumerGroup);
        }
    }

    /** Forgets a connection in every group. */
    public void closed(Connection connection) {
        Set<String> changed = new LinkedHashSet<>();
        Predicate<ClientChannelKey> ofConnection = key -> key.connectionId() == connection.id();
        synchronized (this) {
            fingerprints.remove(connection.id());
            shared.closed(connection);
            Brought left = memberships.remove(connection.id());
            memory.add(left == null ? 0 : -left.sum);
            for (Membership membership : left == null ? Set.<Membership>of() : left.bytes.keySet()) {
                clients.remove(membership.clientId(), connection);
                if (membership.isProducer()) {
                    removeProducer(membership.group(), ofConnection);
                } else if (removeConsumer(membership.group(), ofConnection)) {
                    changed.add(membership.group());
                }
            }
        }
        changed.forEach(group -> wishListener.accept(group, connection));
        changed.forEach(this::announce);
    }

    private boolean removeProducer(String name, Predicate<ClientChannelKey> gone) {
        ProducerGroup group = producers.get(name);
        if (group == null) {
            return false;
        }
        List<ClientChannelKey> leaving =
                group.members.keySet().stream().filter(gone).toList();
        for (ClientChannelKey key : leaving) {
            group.byConnection.remove(key.connectionId(), group.members.remove(key));
        }
        if (group.members.isEmpty()) {
            producers.remove(name);
        }
        return !leaving.isEmpty();
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
            conflictListener.accept(consumers);
        }
        SubscriptionGroupConfig config = groups.find(group);
        if (config != null && !config.notifyConsumerIdsChangedEnable()) {
            return;
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

    @Override
    public String roleName() {
        return "broker-members";
    }

    /** Drops memberships that were silent for too long, by the monotonic clock, and a connection with its last one. */
    @Override
    public long run() {
        long now = clock.nanoTime();
        List<Silent> silent = new ArrayList<>();
        producers.forEach((group, producer) -> collectSilent(true, group, producer.members.values(), now, silent));
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
        return SCAN_NANOS;
    }

    private record Silent(Membership membership, Connection connection) {}

    private synchronized boolean brought(Connection connection) {
        return memberships.containsKey(connection.id());
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
