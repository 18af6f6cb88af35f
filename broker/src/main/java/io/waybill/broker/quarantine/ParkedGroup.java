/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** The keys of a group that are in quarantine, by topic and key. Whoever uses it holds its monitor. */
final class ParkedGroup {
    private record Name(String topic, String key) {}

    final String name;
    private final Map<Name, ParkedKey> keys = new HashMap<>();

    ParkedGroup(String name) {
        this.name = name;
    }

    ParkedKey find(String topic, String key) {
        return keys.get(new Name(topic, key));
    }

    void add(ParkedKey key) {
        keys.put(new Name(key.topic, key.key), key);
    }

    void remove(ParkedKey key) {
        keys.remove(new Name(key.topic, key.key), key);
    }

    Collection<ParkedKey> keys() {
        return keys.values();
    }

    int size() {
        return keys.size();
    }
}
