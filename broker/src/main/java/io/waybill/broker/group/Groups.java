/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.SubscriptionGroupTable;
import io.waybill.protocol.frame.BadField;
import io.waybill.store.CatalogStore;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The settings of consumer groups: a view of the catalog in the log.
 *
 * <p>A group nobody created gets the default settings when it is first seen, if that is allowed; these are used at once
 * and recorded behind its back, since losing them would only mean making the same ones again. Reads never block.
 */
public final class Groups {
    private static final Logger log = LoggerFactory.getLogger(Groups.class);

    private static final int MAX_RETRY_QUEUES = 1024;
    /** Names the setting that holds the topics a group may not read, with spaces between. */
    private static final String FORBIDDEN = "forbidden:";

    private static final int MAX_FORBIDDEN = 1024;
    /** With its retry policy and attributes, which are kept as they come. */
    private static final int MAX_JSON_LENGTH = 16 * 1024;

    private final CatalogStore catalogStore;
    private final StoreClock storeClock;
    private final BrokerSettings settings;
    private final Map<String, SubscriptionGroupConfig> table = new ConcurrentHashMap<>();
    /** By group the topics it may not read; each set is replaced, never changed. */
    private final Map<String, Set<String>> forbidden = new ConcurrentHashMap<>();

    /** What groups may not read once it is stored, so that of two changes at the same time both count. Guarded by this. */
    private final Map<String, Set<String>> beingForbidden = new HashMap<>();

    private final List<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
    private volatile DataVersion version;

    /** Reads the catalog; an entry that cannot be read stops the start. */
    public Groups(CatalogStore catalogStore, StoreClock storeClock, BrokerSettings settings) {
        this.catalogStore = catalogStore;
        this.storeClock = storeClock;
        this.settings = settings;
        catalogStore
                .catalogValues(CatalogKind.GROUP)
                .forEach((name, value) -> table.put(name, SubscriptionGroupConfig.parse(ByteBuffer.wrap(value))));
        catalogStore.catalogValues(CatalogKind.SETTING).forEach((name, value) -> {
            if (name.startsWith(FORBIDDEN)) {
                String topics = new String(value, StandardCharsets.UTF_8);
                forbidden.put(name.substring(FORBIDDEN.length()), Set.of(topics.split(" ")));
            }
        });
        version = new DataVersion(0, storeClock.nowMillis(), 0);
    }

    /** Notifies somebody, by the name of the group, of settings that are in force from now on or gone. */
    public void addListener(Consumer<String> changeListener) {
        listeners.add(changeListener);
    }

    /** Whether the members of a group are told that it changed. */
    public boolean wantsNotices(String group) {
        SubscriptionGroupConfig config = table.get(group);
        return config == null || config.notifyConsumerIdsChangedEnable();
    }

    /** The group's settings, or null when there is no such group. */
    public SubscriptionGroupConfig find(String group) {
        return table.get(group);
    }

    /**
     * The group's settings, made from the defaults when the group is new and such groups are accepted; null when it may
     * not come into being: creation is off, the name is illegal, or there are too many groups.
     */
    public SubscriptionGroupConfig findOrCreate(String group) {
        SubscriptionGroupConfig known = table.get(group);
        if (known != null) {
            return known;
        }
        if (!settings.groups().autoCreate()
                || Names.checkGroup(group) != null
                || table.size() >= settings.groups().most()) {
            return null;
        }
        SubscriptionGroupConfig fresh = defaults(group);
        SubscriptionGroupConfig raced = table.putIfAbsent(group, fresh);
        if (raced != null) {
            return raced;
        }
        changed();
        catalogStore.putCatalog(CatalogKind.GROUP, group, fresh.toJson(), outcome -> {
            if (!(outcome instanceof Stored)) {
                log.warn("The settings of the new group {} are only in memory: {}", group, outcome);
            }
        });
        return fresh;
    }

    /** The group's settings, or those it would get if it came now, which it does not; null when it may not come. */
    SubscriptionGroupConfig findOrDefault(String group) {
        SubscriptionGroupConfig known = table.get(group);
        boolean mayCome = settings.groups().autoCreate() && Names.checkGroup(group) == null;
        return known != null || !mayCome ? known : defaults(group);
    }

    /** The settings a new group gets. */
    public SubscriptionGroupConfig defaults(String group) {
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(group);
        return new SubscriptionGroupConfig(
                group,
                usual.consumeEnable(),
                usual.consumeFromMinEnable(),
                usual.consumeBroadcastEnable(),
                usual.consumeMessageOrderly(),
                usual.retryQueueNums(),
                settings.groups().retryMax(),
                usual.groupRetryPolicy(),
                usual.brokerId(),
                usual.whichBrokerWhenConsumeSlowly(),
                usual.notifyConsumerIdsChangedEnable(),
                usual.groupSysFlag(),
                usual.consumeTimeoutMinute(),
                usual.attributes());
    }

    /**
     * The settings as they are meant: tools send attributes as changes, {@code +name} with a value and {@code -name}, to those there are. Names without
     * a sign are taken as they are.
     */
    SubscriptionGroupConfig changed(SubscriptionGroupConfig wanted) {
        SubscriptionGroupConfig known = table.get(wanted.groupName());
        Map<String, String> attributes = new TreeMap<>(known == null ? Map.of() : known.attributes());
        boolean isChange = true;
        for (String name : wanted.attributes().keySet()) {
            isChange &= name.startsWith("+") || name.startsWith("-");
        }
        if (!isChange) {
            return wanted;
        }
        wanted.attributes().forEach((name, value) -> {
            if (name.startsWith("+")) {
                attributes.put(name.substring(1), value);
            } else {
                attributes.remove(name.substring(1));
            }
        });
        return wanted.withAttributes(attributes);
    }

    /** Null, or the sentence why these settings are not taken. */
    public String refusal(SubscriptionGroupConfig config) {
        return refusal(config, config.toJson());
    }

    /** Null, or the sentence why these settings are not taken. */
    String refusal(SubscriptionGroupConfig config, byte[] json) {
        String name = Names.checkGroup(config.groupName());
        if (name != null) {
            return name;
        }
        if (config.retryQueueNums() < 0 || config.retryQueueNums() > MAX_RETRY_QUEUES) {
            return "retryQueueNums: must be from 0 to " + MAX_RETRY_QUEUES + ", was " + config.retryQueueNums();
        }
        if (config.retryMaxTimes() < -1) {
            return "retryMaxTimes: must be -1 (no limit) or more, was " + config.retryMaxTimes();
        }
        try {
            config.retryPolicy();
        } catch (BadField e) {
            return e.getMessage();
        }
        String attributes = GroupAttributes.refusal(config.attributes());
        if (attributes != null) {
            return attributes;
        }
        if (json.length > MAX_JSON_LENGTH) {
            return "settings of a group: must have at most " + MAX_JSON_LENGTH + " bytes, had " + json.length;
        }
        if (!table.containsKey(config.groupName())
                && table.size() >= settings.groups().most()) {
            return "group '" + config.groupName() + "' is not created: this broker has " + table.size()
                    + " groups, the limit maxGroups is " + settings.groups().most();
        }
        return null;
    }

    /** Sets a group's settings, which {@link #refusal} was asked about; in force once stored. {@code then} is called exactly once. */
    public void put(SubscriptionGroupConfig config, Consumer<Outcome> then) {
        catalogStore.putCatalog(CatalogKind.GROUP, config.groupName(), config.toJson(), outcome -> {
            if (outcome instanceof Stored) {
                table.put(config.groupName(), config);
                listeners.forEach(listener -> listener.accept(config.groupName()));
                changed();
            }
            then.accept(outcome);
        });
    }

    /** Forgets a group's settings, and what it may not read. {@code then} is called exactly once. */
    public void delete(String group, Consumer<Outcome> then) {
        if (forbidden.containsKey(group)) {
            catalogStore.putCatalog(CatalogKind.SETTING, FORBIDDEN + group, null, outcome -> {
                if (outcome instanceof Stored) {
                    forbidden.remove(group);
                }
            });
        }
        catalogStore.putCatalog(CatalogKind.GROUP, group, null, outcome -> {
            if (outcome instanceof Stored) {
                table.remove(group);
                listeners.forEach(listener -> listener.accept(group));
                changed();
            }
            then.accept(outcome);
        });
    }

    /** Whether a group may read a topic. */
    public boolean mayRead(String group, String topic) {
        return forbidden.isEmpty() || !forbidden.getOrDefault(group, Set.of()).contains(topic);
    }

    /**
     * Lets a group read a topic, or forbids it; in force once stored. {@code then} is called exactly once.
     *
     * @throws BadField when the name is illegal or too many topics would be forbidden
     */
    public synchronized void allow(String group, String topic, boolean readable, Consumer<Outcome> then) {
        String illegal = Names.checkTopic(topic);
        Set<String> latest = beingForbidden.getOrDefault(group, forbidden.getOrDefault(group, Set.of()));
        Set<String> topics = new TreeSet<>(latest);
        if (illegal != null || topics.size() >= MAX_FORBIDDEN && !readable) {
            throw new BadField("topic", "legal, and one of at most " + MAX_FORBIDDEN + " forbidden to a group", topic);
        }
        if (readable) {
            topics.remove(topic);
        } else {
            topics.add(topic);
        }
        byte[] value = topics.isEmpty() ? null : String.join(" ", topics).getBytes(StandardCharsets.UTF_8);
        beingForbidden.put(group, topics);
        catalogStore.putCatalog(CatalogKind.SETTING, FORBIDDEN + group, value, outcome -> {
            synchronized (this) {
                if (beingForbidden.get(group) == topics) {
                    beingForbidden.remove(group);
                }
            }
            if (outcome instanceof Stored && topics.isEmpty()) {
                forbidden.remove(group);
            } else if (outcome instanceof Stored) {
                forbidden.put(group, Set.copyOf(topics));
            }
            listeners.forEach(listener -> listener.accept(group));
            then.accept(outcome);
        });
    }

    /** Every group's settings, by name. */
    public Collection<SubscriptionGroupConfig> all() {
        return Collections.unmodifiableCollection(new TreeMap<>(table).values());
    }

    /** All groups together with the version they make up. */
    SubscriptionGroupTable snapshot() {
        DataVersion current = version;
        return new SubscriptionGroupTable(current, new TreeMap<>(table));
    }

    /** Changes with every change of the table. */
    public DataVersion version() {
        return version;
    }

    private synchronized void changed() {
        version = version.next(storeClock.nowMillis());
    }
}
