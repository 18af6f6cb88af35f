/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** The keys of a group that are in quarantine, by topic and key. Whoever uses it holds its monitor, except to ask whether there are any. */
final class ParkedGroup {
    private record Name(String topic, String key) {}

    final String name;
    private final Map<Name, ParkedKey> keys = new HashMap<>();
    private volatile boolean isEmpty = true;

    ParkedGroup(String name) {
        this.name = name;
    }

    ParkedKey find(String topic, String key) {
        return keys.get(new Name(topic, key));
    }

    void add(ParkedKey key) {
        keys.put(new Name(key.topic, key.key), key);
        isEmpty = false;
    }

    void remove(ParkedKey key) {
        keys.remove(new Name(key.topic, key.key), key);
        isEmpty = keys.isEmpty();
    }

    boolean isEmpty() {
        return isEmpty;
    }

    /** Messages that are parked and not given back. */
    long waiting() {
        long count = 0;
        for (ParkedKey key : keys.values()) {
            count += key.waiting.size();
        }
        return count;
    }

    Collection<ParkedKey> keys() {
        return keys.values();
    }

    int size() {
        return keys.size();
    }
}
