/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small table of text per namespace. Never holds more than {@value #MAX_ENTRIES} entries and {@value #MAX_CHARACTERS} characters, so that its part for
 * ordered topics fits the answer to each registration; who puts one keeps to {@value #MAX_VALUE_LENGTH} characters. With a file a change is told as done
 * when it is durable; several at once are written together. Thread-safe.
 */
final class KvConfig {
    private static final Logger LOG = LoggerFactory.getLogger(KvConfig.class);

    static final int MAX_ENTRIES = 10_000;
    static final int MAX_VALUE_LENGTH = 4096;
    static final int MAX_CHARACTERS = 1 << 20;

    private final Map<String, TreeMap<String, String>> namespaces;
    private final KvFile file;
    private final Executor writing;
    private int entries;
    private int characters;
    /** Counts changes. Guarded by this. */
    private long version;

    /** The version the file has. Of the writing thread. */
    private long written;

    /** A table in memory only. */
    KvConfig() {
        this(new TreeMap<>(), null, Runnable::run);
    }

    /** The table of a file. {@code writing} runs one task at a time. */
    KvConfig(KvFile file, Executor writing) throws IOException {
        this(file.read(), file, writing);
    }

    private KvConfig(Map<String, TreeMap<String, String>> namespaces, KvFile file, Executor writing) {
        this.namespaces = namespaces;
        this.file = file;
        this.writing = writing;
        namespaces.forEach((namespace, known) -> known.forEach((key, value) -> {
            entries++;
            characters += size(namespace, key, value);
        }));
    }

    private static int size(String namespace, String key, String value) {
        return namespace.length() + key.length() + value.length();
    }

    /**
     * Puts one. {@code then} is called exactly once, with null when it is kept, else with the sentence why not.
     */
    void put(String namespace, String key, String value, Consumer<String> then) {
        long mine;
        synchronized (this) {
            Map<String, String> known = namespaces.get(namespace);
            String before = known == null ? null : known.get(key);
            if (before == null && entries >= MAX_ENTRIES) {
                then.accept("the table is full: " + MAX_ENTRIES + " entries");
                return;
            }
            int more = size(namespace, key, value) - (before == null ? 0 : size(namespace, key, before));
            if (more > 0 && characters + more > MAX_CHARACTERS) {
                then.accept("the table is full: " + MAX_CHARACTERS + " characters of names and values");
                return;
            }
            namespaces.computeIfAbsent(namespace, name -> new TreeMap<>()).put(key, value);
            entries += before == null ? 1 : 0;
            characters += more;
            mine = ++version;
        }
        write(mine, then);
    }

    /** The value, or null. */
    synchronized String get(String namespace, String key) {
        Map<String, String> known = namespaces.get(namespace);
        return known == null ? null : known.get(key);
    }

    /** Deletes one, if it is there. {@code then} is called exactly once, with null when that is kept, else with the sentence why not. */
    void delete(String namespace, String key, Consumer<String> then) {
        long mine;
        synchronized (this) {
            Map<String, String> known = namespaces.get(namespace);
            String before = known == null ? null : known.remove(key);
            if (before != null) {
                entries--;
                characters -= size(namespace, key, before);
                if (known.isEmpty()) {
                    namespaces.remove(namespace);
                }
                version++;
            }
            mine = version;
        }
        write(mine, then);
    }

    /** A copy of all entries; null when there are none. */
    synchronized Map<String, String> list(String namespace) {
        Map<String, String> known = namespaces.get(namespace);
        return known == null ? null : new TreeMap<>(known);
    }

    private void write(long mine, Consumer<String> then) {
        if (file == null) {
            then.accept(null);
            return;
        }
        try {
            writing.execute(() -> then.accept(writeUpTo(mine)));
        } catch (RejectedExecutionException e) {
            then.accept("it is in force, but not kept: too many changes wait to be written");
        }
    }

    private String writeUpTo(long mine) {
        if (written >= mine) {
            return null;
        }
        Map<String, TreeMap<String, String>> table = new TreeMap<>();
        long latest;
        synchronized (this) {
            namespaces.forEach((namespace, known) -> table.put(namespace, new TreeMap<>(known)));
            latest = version;
        }
        try {
            file.write(table);
            written = latest;
            return null;
        } catch (IOException e) {
            LOG.warn("The key-value table cannot be written", e);
            return "it is in force until the next start, but not kept: " + e.getMessage();
        }
    }
}
