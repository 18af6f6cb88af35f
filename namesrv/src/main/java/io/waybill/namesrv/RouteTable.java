/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import io.waybill.platform.MemoryBudget;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.BrokerData;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicRoute;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * Who serves what. Every broker address in a route belongs to a living registration, and every topic has at least one
 * queue entry of a broker name that is still known. Pure state: time and connections come in as arguments, and nothing
 * goes out. Thread-safe by its own monitor, which is never held over anything slow.
 *
 * <p>Registrations add topics and change them; a topic ends when it is deleted here or when its last broker goes. (A
 * broker may register only what has changed, so a topic missing from a registration says nothing.) No broker name holds more
 * than three quarters of the table's memory; topics beyond that are left out.
 */
final class RouteTable {
    static final int MAX_BROKERS = 1_000;
    static final int MAX_TOPICS = 200_000;

    /** What clients ask for with a first send unless they are told otherwise. */
    private static final int NEW_TOPIC_QUEUES = 4;

    /** A broker process: cluster and the address it serves. */
    record Address(String cluster, String address) {}

    /** What a broker says when it registers. */
    record Registration(
            String cluster,
            String brokerName,
            long brokerId,
            String address,
            String haAddress,
            boolean enableActingMaster,
            String zone,
            DataVersion version,
            Collection<TopicConfig> topics) {

        Address key() {
            return new Address(cluster, address);
        }
    }

    /**
     * What became of a registration.
     *
     * @param refusal null when accepted, else the sentence why not
     * @param heldBy the living address that holds the name and id, or whose cluster holds the name; null if that is not the reason
     * @param masterAddress for slaves, else null
     * @param masterHaAddress for slaves, else null
     * @param topicsIgnored topics beyond the limit
     */
    record Registered(String refusal, String heldBy, String masterAddress, String masterHaAddress, int topicsIgnored) {
        boolean accepted() {
            return refusal == null;
        }

        static Registered refused(String why, String heldBy) {
            return new Registered(why, heldBy, null, null, 0);
        }
    }

    private static final class Living {
        final String brokerName;
        final long brokerId;
        final String haAddress;
        DataVersion version;
        final long connectionId;
        long seenMillis;

        Living(Registration last, long connectionId, long nowMillis) {
            this.brokerName = last.brokerName();
            this.brokerId = last.brokerId();
            this.haAddress = last.haAddress();
            this.version = last.version();
            this.connectionId = connectionId;
            this.seenMillis = nowMillis;
        }
    }

    private static final class Broker {
        final String cluster;
        final TreeMap<Long, String> addresses = new TreeMap<>();
        boolean enableActingMaster;
        String zone;

        Broker(String cluster) {
            this.cluster = cluster;
        }
    }

    /** What an entry of a topic takes of the heap, beside the name of the topic. */
    private static final int ENTRY_BYTES = 220;
    /** A broker name may hold so many times what is left: three quarters when it is alone. */
    private static final int SHARE = 3;

    private final MemoryBudget memory;
    /** What the topics of each broker name take of it. */
    private final Map<String, Long> heldBytes = new HashMap<>();

    private final Map<Address, Living> living = new HashMap<>();
    private final TreeMap<String, Broker> brokers = new TreeMap<>();
    private final TreeMap<String, TreeMap<String, QueueData>> topics = new TreeMap<>();

    /** @param memory what topics and their entries may take */
    RouteTable(MemoryBudget memory) {
        this.memory = memory;
    }

    /**
     * Takes a registration that came on a connection. A name and id belong to the address that has them for as long as it lives, whatever version the
     * newcomer claims: two processes that take turns would send each client to one and its messages to the other. The same address is the same broker,
     * also on a new connection.
     *
     * @param nowMillis time for expiry, from any origin
     */
    synchronized Registered register(Registration asked, long connectionId, long nowMillis) {
        Broker broker = brokers.get(asked.brokerName());
        if (broker != null) {
            String holder = broker.addresses.get(asked.brokerId());
            String any = broker.addresses.firstEntry().getValue();
            boolean onlyItself = broker.addresses.size() == 1 && any.equals(asked.address());
            if (!broker.cluster.equals(asked.cluster()) && !onlyItself) {
                return Registered.refused(
                        "the name " + asked.brokerName() + " is that of a living broker at " + any + " in cluster "
                                + broker.cluster,
                        any);
            }
            if (holder != null && !holder.equals(asked.address())) {
                long silentMillis = nowMillis - living.get(new Address(broker.cluster, holder)).seenMillis;
                return Registered.refused(
                        "broker " + asked.brokerName() + " id " + asked.brokerId() + " is registered and lives at "
                                + holder + " (last heard " + silentMillis + " ms ago)",
                        holder);
            }
        }
        if (living.size() >= MAX_BROKERS && !living.containsKey(asked.key())) {
            return Registered.refused("there are " + MAX_BROKERS + " living brokers, which is the limit", null);
        }
        if (broker != null && !broker.cluster.equals(asked.cluster())) {
            // The same process, started in another cluster.
            remove(new Address(broker.cluster, asked.address()));
            broker = null;
        }
        Living before = living.get(asked.key());
        if (before != null && (before.brokerId != asked.brokerId() || !before.brokerName.equals(asked.brokerName()))) {
            // The same process under another name or id, as when a slave was promoted.
            remove(asked.key());
            before = null;
            broker = brokers.get(asked.brokerName());
        }
        if (broker == null) {
            broker = new Broker(asked.cluster());
            brokers.put(asked.brokerName(), broker);
        }
        broker.addresses.put(asked.brokerId(), asked.address());
        broker.enableActingMaster = asked.enableActingMaster();
        broker.zone = asked.zone();
        living.put(asked.key(), new Living(asked, connectionId, nowMillis));

        int ignored = 0;
        boolean changed = before == null || !asked.version().equals(before.version);
        if (changed && speaksForTopics(asked, broker)) {
            boolean acting = asked.brokerId() != BrokerData.MASTER_ID;
            for (TopicConfig topic : asked.topics()) {
                ignored += put(topic, asked.brokerName(), acting) ? 0 : 1;
            }
        }
        if (asked.brokerId() == BrokerData.MASTER_ID) {
            return new Registered(null, null, null, null, ignored);
        }
        String master = broker.addresses.get(BrokerData.MASTER_ID);
        Living masterLiving = master == null ? null : living.get(new Address(asked.cluster(), master));
        return new Registered(null, null, master, masterLiving == null ? null : masterLiving.haAddress, ignored);
    }

    /** The master speaks for its name; without one the slave with the lowest id does, when it was allowed to act. */
    private static boolean speaksForTopics(Registration asked, Broker broker) {
        return asked.brokerId() == BrokerData.MASTER_ID
                || asked.enableActingMaster() && broker.addresses.firstKey() == asked.brokerId();
    }

    private boolean put(TopicConfig topic, String brokerName, boolean readOnly) {
        TreeMap<String, QueueData> entries = topics.get(topic.topicName());
        if (entries == null || !entries.containsKey(brokerName)) {
            long bytes = bytesOf(topic.topicName());
            if (entries == null && topics.size() >= MAX_TOPICS
                    || heldBytes.getOrDefault(brokerName, 0L) + bytes > SHARE * memory.freeBytes()) {
                return false;
            }
            count(brokerName, bytes);
        }
        if (entries == null) {
            entries = new TreeMap<>();
            topics.put(topic.topicName(), entries);
        }
        int perm = readOnly ? topic.perm() & ~Perm.WRITE : topic.perm();
        entries.put(
                brokerName,
                new QueueData(brokerName, topic.readQueueNums(), topic.writeQueueNums(), perm, topic.topicSysFlag()));
        return true;
    }

    private static long bytesOf(String topic) {
        return ENTRY_BYTES + topic.length();
    }

    private void count(String brokerName, long bytes) {
        memory.add(bytes);
        heldBytes.compute(brokerName, (name, held) -> {
            long now = bytes + (held == null ? 0 : held);
            return now == 0 ? null : (Long) now;
        });
    }

    /** A sign of life between registrations; false when the broker is not known. */
    synchronized boolean heartbeat(Address address, long nowMillis) {
        Living known = living.get(address);
        if (known != null) {
            known.seenMillis = nowMillis;
        }
        return known != null;
    }

    /** The version a broker registered last; null when it is not known. */
    synchronized DataVersion version(Address address) {
        Living known = living.get(address);
        return known == null ? null : known.version;
    }

    /**
     * Forgets one broker process; false when it is not known under that name and id, or somebody else asks: neither on the connection it registered on
     * nor from the host of its address.
     */
    synchronized boolean unregister(
            Address address, String brokerName, long brokerId, long connectionId, String peerHost) {
        Living known = living.get(address);
        return known != null
                && known.brokerName.equals(brokerName)
                && known.brokerId == brokerId
                && (known.connectionId == connectionId || address.address().startsWith(peerHost + ":"))
                && remove(address);
    }

    /** Forgets what registered on a connection and not since on another one; returns the addresses. */
    synchronized List<String> connectionClosed(long connectionId) {
        return removeIf(known -> known.connectionId == connectionId);
    }

    /** Forgets brokers without a sign of life for longer than the expiry; returns their addresses. */
    synchronized List<String> expire(long nowMillis, long expiryMillis) {
        return removeIf(known -> nowMillis - known.seenMillis > expiryMillis);
    }

    /** When the next broker would expire if it stayed silent; Long.MAX_VALUE without brokers. */
    synchronized long nextExpiry(long expiryMillis) {
        long next = Long.MAX_VALUE;
        for (Living known : living.values()) {
            next = Math.min(next, known.seenMillis + expiryMillis);
        }
        return next;
    }

    private List<String> removeIf(Predicate<Living> dead) {
        List<Address> gone = new ArrayList<>();
        living.forEach((address, known) -> {
            if (dead.test(known)) {
                gone.add(address);
            }
        });
        gone.forEach(this::remove);
        return gone.stream().map(Address::address).toList();
    }

    private boolean remove(Address address) {
        Living known = living.remove(address);
        if (known == null) {
            return false;
        }
        String name = known.brokerName;
        Broker broker = brokers.get(name);
        if (broker != null) {
            broker.addresses.remove(known.brokerId, address.address());
            if (broker.addresses.isEmpty()) {
                brokers.remove(name);
                removeTopicsOf(name);
            } else if (known.brokerId == BrokerData.MASTER_ID && broker.enableActingMaster) {
                forbidWriting(name);
            }
        }
        return true;
    }

    private void removeTopicsOf(String brokerName) {
        count(brokerName, -heldBytes.getOrDefault(brokerName, 0L));
        Iterator<TreeMap<String, QueueData>> each = topics.values().iterator();
        while (each.hasNext()) {
            Map<String, QueueData> entries = each.next();
            entries.remove(brokerName);
            if (entries.isEmpty()) {
                each.remove();
            }
        }
    }

    /** Takes the write permission from all topics of a broker name; returns how many topics it has. */
    synchronized int forbidWriting(String brokerName) {
        return changePerm(brokerName, Perm.WRITE, 0);
    }

    /** Gives the write permission to all topics of a broker name; returns how many topics it has. */
    synchronized int allowWriting(String brokerName) {
        return changePerm(brokerName, Perm.WRITE, Perm.WRITE);
    }

    private int changePerm(String brokerName, int bits, int to) {
        int count = 0;
        for (Map<String, QueueData> entries : topics.values()) {
            QueueData old = entries.get(brokerName);
            if (old != null) {
                int perm = old.perm() & ~bits | to;
                entries.put(
                        brokerName,
                        new QueueData(brokerName, old.readQueueNums(), old.writeQueueNums(), perm, old.topicSysFlag()));
                count++;
            }
        }
        return count;
    }

    /**
     * Forgets a topic, in one cluster only when it is given. A broker that still has it brings it back with its next registration: a topic is deleted at the
     * brokers, and nobody can hide one that they serve.
     */
    synchronized void deleteTopic(String topic, String clusterOrNull) {
        Map<String, QueueData> entries = topics.get(topic);
        if (entries == null) {
            return;
        }
        for (Living broker : living.values()) {
            if (entries.containsKey(broker.brokerName)) {
                broker.version = DataVersion.NONE;
            }
        }
        entries.keySet().removeIf(name -> {
            boolean goes = clusterOrNull == null || brokers.get(name).cluster.equals(clusterOrNull);
            if (goes) {
                count(name, -bytesOf(topic));
            }
            return goes;
        });
        if (entries.isEmpty()) {
            topics.remove(topic);
        }
    }

    /** Null when no living broker serves the topic. */
    synchronized TopicRoute route(String topic) {
        Map<String, QueueData> entries = topics.get(topic);
        if (entries == null) {
            return null;
        }
        List<BrokerData> serving = new ArrayList<>(entries.size());
        for (String name : entries.keySet()) {
            serving.add(brokerData(name));
        }
        return new TopicRoute(null, List.copyOf(entries.values()), serving);
    }

    /**
     * The route that the retry topic of a group will have: one queue on every living broker. Consumers ask for it before
     * their first heartbeat lets the brokers make it, and not again for half a minute. Null when the name is no retry
     * topic of a legal group, or nobody lives.
     */
    synchronized TopicRoute expectedRetryRoute(String topic) {
        if (brokers.isEmpty() || !Names.isRetry(topic) || Names.checkGroup(Names.groupOf(topic)) != null) {
            return null;
        }
        List<QueueData> queues = new ArrayList<>(brokers.size());
        List<BrokerData> serving = new ArrayList<>(brokers.size());
        for (String name : brokers.keySet()) {
            queues.add(new QueueData(name, 1, 1, Perm.READ_WRITE, 0));
            serving.add(brokerData(name));
        }
        return new TopicRoute(null, queues, serving);
    }

    /**
     * The route that a topic will have which a consumer waits for: on each living broker that lets topics be created by use as many queues as a first send
     * makes. The broker creates it with the heartbeat of the consumer. Null when the name is illegal, or no broker would.
     */
    synchronized TopicRoute expectedRoute(String topic) {
        Map<String, QueueData> templates = topics.get(Names.DEFAULT_TOPIC);
        if (templates == null
                || Names.checkTopic(topic) != null
                || Names.groupOf(topic) != null
                || Names.isSystemTopic(topic)
                || Names.isSendForbidden(topic)) {
            return null;
        }
        List<QueueData> queues = new ArrayList<>(templates.size());
        List<BrokerData> serving = new ArrayList<>(templates.size());
        for (QueueData template : templates.values()) {
            if (Perm.isInherited(template.perm()) && Perm.isWriteable(template.perm())) {
                int count = Math.min(NEW_TOPIC_QUEUES, template.writeQueueNums());
                queues.add(new QueueData(template.brokerName(), count, count, Perm.READ_WRITE, 0));
                serving.add(brokerData(template.brokerName()));
            }
        }
        return queues.isEmpty() ? null : new TopicRoute(null, queues, serving);
    }

    private BrokerData brokerData(String name) {
        Broker broker = brokers.get(name);
        return new BrokerData(
                broker.cluster, name, new TreeMap<>(broker.addresses), broker.zone, broker.enableActingMaster);
    }

    synchronized ClusterInfo clusterInfo() {
        Map<String, BrokerData> byName = new TreeMap<>();
        Map<String, Set<String>> byCluster = new TreeMap<>();
        brokers.forEach((name, broker) -> {
            byName.put(name, brokerData(name));
            byCluster
                    .computeIfAbsent(broker.cluster, cluster -> new TreeSet<>())
                    .add(name);
        });
        return new ClusterInfo(byName, byCluster);
    }

    /** Addresses by id of a broker name; empty when it is not known. */
    synchronized TreeMap<Long, String> members(String cluster, String brokerName) {
        Broker broker = brokers.get(brokerName);
        return broker == null || !broker.cluster.equals(cluster) ? new TreeMap<>() : new TreeMap<>(broker.addresses);
    }

    synchronized List<String> topics() {
        return List.copyOf(topics.keySet());
    }

    synchronized List<String> topicsOf(String cluster) {
        List<String> found = new ArrayList<>();
        topics.forEach((topic, entries) -> {
            if (entries.keySet().stream()
                    .anyMatch(name -> brokers.get(name).cluster.equals(cluster))) {
                found.add(topic);
            }
        });
        return found;
    }

    /** Topics whose flags, of any broker, have all bits of one mask and none of another. */
    synchronized List<String> flagged(int all, int none) {
        List<String> found = new ArrayList<>();
        topics.forEach((topic, entries) -> {
            int flags = 0;
            for (QueueData queues : entries.values()) {
                flags |= queues.topicSysFlag();
            }
            if ((flags & all) == all && (flags & none) == 0) {
                found.add(topic);
            }
        });
        return found;
    }

    /** Names of clusters and brokers: each of them is a topic that brokers create for themselves. */
    synchronized List<String> systemTopics() {
        Set<String> names = new TreeSet<>(brokers.keySet());
        brokers.values().forEach(broker -> names.add(broker.cluster));
        return List.copyOf(names);
    }

    /** The address of some living broker, or null. */
    synchronized String anyAddress() {
        return brokers.isEmpty()
                ? null
                : brokers.firstEntry().getValue().addresses.firstEntry().getValue();
    }
}
