/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** The keys of a group that are in quarantine, by topic and key. Whoever uses it holds its monitor, except to ask whether there are any. */
final class QuarantinedGroup {
    private record Name(String topic, String key) {}

    final String name;
    private final Map<Name, QuarantinedKey> keys = new HashMap<>();
    private volatile boolean isEmpty = true;

    QuarantinedGroup(String name) {
        this.name = name;
    }

    QuarantinedKey find(String topic, String key) {
        return keys.get(new Name(topic, key));
    }

    void add(QuarantinedKey key) {
        keys.put(new Name(key.topic, key.key), key);
        isEmpty = false;
    }

    void remove(QuarantinedKey key) {
        keys.remove(new Name(key.topic, key.key), key);
        isEmpty = keys.isEmpty();
    }

    boolean isEmpty() {
        return isEmpty;
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
