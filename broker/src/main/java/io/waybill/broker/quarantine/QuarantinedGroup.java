/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** The keys of a group that are in quarantine, by topic and key. Whoever uses it holds its monitor, except to ask whether there are any. */
final class QuarantinedGroup {
    private record TopicKey(String topic, String key) {}

    final String name;
    private final Map<TopicKey, QuarantinedKey> keys = new HashMap<>();
    private volatile boolean isEmpty = true;

    QuarantinedGroup(String name) {
        this.name = name;
    }

    QuarantinedKey find(String topic, String key) {
        return keys.get(new TopicKey(topic, key));
    }

    void add(QuarantinedKey key) {
        keys.put(new TopicKey(key.topic, key.key), key);
        isEmpty = false;
    }

    void remove(QuarantinedKey key) {
        keys.remove(new TopicKey(key.topic, key.key), key);
        isEmpty = keys.isEmpty();
    }

    boolean isEmpty() {
        return isEmpty;
    }

    /**
     * The key of a message that was set aside. When its quarantine ended meanwhile (the read that met the message was overtaken) it begins anew, so that
     * the message is given back after the others.
     */
    private QuarantinedKey findOrBegin(String topic, String key, long nowMillis) {
        QuarantinedKey known = find(topic, key);
        if (known == null) {
            known = new QuarantinedKey(topic, key, nowMillis, "quarantined at the end of its quarantine", "broker");
            known.releasing = true;
            add(known);
        }
        return known;
    }

    /**
     * A message lies in the quarantine topic.
     *
     * @param isFirstTopic whether a read met it in the topic it was sent to; what was given back from there already is not waited for again
     * @return false when the same message lies there already, and this copy is one too many
     */
    boolean setAside(
            String topic, String key, Origin origin, long quarantinedAt, boolean isFirstTopic, long nowMillis) {
        QuarantinedKey known = findOrBegin(topic, key, nowMillis);
        if (isFirstTopic && known.isGivenBack(origin)) {
            return false;
        }
        return known.waiting.putIfAbsent(origin, quarantinedAt) == null;
    }

    /** Messages that are quarantined and not given back. */
    long waiting() {
        long count = 0;
        for (QuarantinedKey key : keys.values()) {
            count += key.waiting.size();
        }
        return count;
    }

    Collection<QuarantinedKey> keys() {
        return keys.values();
    }

    int size() {
        return keys.size();
    }
}
