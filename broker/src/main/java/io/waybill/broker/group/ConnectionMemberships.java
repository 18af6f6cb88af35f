/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.platform.MemoryBudget;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.BadField;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What each connection is a member of, and about how many bytes that takes. No connection holds more than is left for all others, and its end costs what it
 * brought. Guarded by the lock of {@link ClientRegistry}.
 */
final class ConnectionMemberships {
    /** Groups times clients on one connection; a proxy may bring many. */
    static final int MOST_MEMBERSHIPS = 8192;

    /** What a membership takes beside its names, and what a subscription does. */
    private static final int MEMBERSHIP_BYTES = 400;

    private static final int SUBSCRIPTION_BYTES = 500;

    private final MemoryBudget memory;
    private final Map<Long, ConnectionBytes> held = new HashMap<>();

    ConnectionMemberships(MemoryBudget memory) {
        this.memory = memory;
    }

    record Membership(boolean isProducer, String group, String clientId) {}

    private static final class ConnectionBytes {
        final Map<Membership, Integer> bytes = new HashMap<>();
        long sum;
    }

    boolean isEmpty(long connectionId) {
        return !held.containsKey(connectionId);
    }

    /** Whether a client was heard on this connection before. */
    boolean isKnown(long connectionId, String clientId) {
        ConnectionBytes known = held.get(connectionId);
        return known != null
                && known.bytes.keySet().stream()
                        .anyMatch(membership -> membership.clientId().equals(clientId));
    }

    /** @throws BadField when the connection would hold too many or too much; nothing has changed then */
    void join(long connectionId, HeartbeatData data) {
        ConnectionBytes known = held.get(connectionId);
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
        ConnectionBytes all = known != null ? known : held.computeIfAbsent(connectionId, id -> new ConnectionBytes());
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

    /** Whether the connection had this membership; it has not any more. */
    boolean leave(long connectionId, Membership membership) {
        ConnectionBytes known = held.get(connectionId);
        Integer bytes = known == null ? null : known.bytes.remove(membership);
        if (bytes == null) {
            return false;
        }
        known.sum -= bytes;
        memory.add(-bytes);
        if (known.bytes.isEmpty()) {
            held.remove(connectionId);
        }
        return true;
    }

    /** Forgets a connection; what it was a member of. */
    Set<Membership> remove(long connectionId) {
        ConnectionBytes left = held.remove(connectionId);
        if (left == null) {
            return Set.of();
        }
        memory.add(-left.sum);
        return left.bytes.keySet();
    }
}
