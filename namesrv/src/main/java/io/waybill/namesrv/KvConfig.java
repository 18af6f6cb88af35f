/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import java.util.Map;
import java.util.TreeMap;

/** A small table of text per namespace, in memory only. Never holds more than {@value #MAX_ENTRIES} entries; who puts one keeps to
 * {@value #MAX_VALUE_LENGTH} characters. Thread-safe. */
final class KvConfig {
    static final int MAX_ENTRIES = 10_000;
    static final int MAX_VALUE_LENGTH = 4096;

    private final Map<String, TreeMap<String, String>> namespaces = new TreeMap<>();
    private int entries;

    /** False when the table is full. */
    synchronized boolean put(String namespace, String key, String value) {
        Map<String, String> known = namespaces.get(namespace);
        boolean isNew = known == null || !known.containsKey(key);
        if (isNew && entries >= MAX_ENTRIES) {
            return false;
        }
        namespaces.computeIfAbsent(namespace, name -> new TreeMap<>()).put(key, value);
        entries += isNew ? 1 : 0;
        return true;
    }

    /** The value, or null. */
    synchronized String get(String namespace, String key) {
        Map<String, String> known = namespaces.get(namespace);
        return known == null ? null : known.get(key);
    }

    synchronized void delete(String namespace, String key) {
        Map<String, String> known = namespaces.get(namespace);
        if (known != null && known.remove(key) != null) {
            entries--;
            if (known.isEmpty()) {
                namespaces.remove(namespace);
            }
        }
    }

    /** A copy of all entries; null when there are none. */
    synchronized Map<String, String> list(String namespace) {
        Map<String, String> known = namespaces.get(namespace);
        return known == null ? null : new TreeMap<>(known);
    }
}
