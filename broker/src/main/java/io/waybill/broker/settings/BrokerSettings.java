/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

import io.waybill.protocol.Names;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.StoreSettings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The values a broker was started with. Immutable: {@link #with} returns another one.
 *
 * <p>Every value was checked against its row of {@link #table()} when it was set; an unknown key is refused and the
 * nearest known one is named. There is no setting besides the table.
 */
public final class BrokerSettings {
    private static final long MINUTE = 60_000L;
    private static final long DAY = 24 * 60 * MINUTE;
    private static final long KIB = 1024;
    private static final long MIB = 1024 * KIB;
    private static final long GIB = 1024 * MIB;

    private static final Map<String, Setting> TABLE = index(List.of(
            Setting.text("clusterName", "DefaultCluster", "Name of the cluster this broker belongs to."),
            Setting.text("brokerName", "broker-a", "Name of this broker, unique in its cluster."),
            Setting.number("brokerId", 0, 0, 0, "Place in the broker group; 0 is the one that takes writes."),
            Setting.text("host", "127.0.0.1", "Address to listen on; loopback unless another is named."),
            Setting.onOff(
                    "insecure",
                    false,
                    "Allow an address that other machines reach, although this broker does not ask who they are."),
            Setting.number("port", 10911, 0, 65535, "Port to listen on; 0 takes a free one."),
            Setting.text("advertisedHost", "", "Address given to clients; empty: the one listened on."),
            Setting.text("namesrv", "127.0.0.1:9876", "Name servers as host:port, separated by ';'; empty: none."),
            Setting.word("flush", "sync", List.of("sync", "async"), "sync: an answer means forced to disk."),
            Setting.number("asyncFlushMillis", 200, 1, 60_000, "With flush=async, time between two forces."),
            Setting.onOff("autoCreateTopic", true, "Create a topic on the first send to it."),
            Setting.number("autoCreateTopicQueues", 8, 1, 1024, "Most queues of a topic created by a send."),
            Setting.onOff("autoCreateGroup", true, "Accept consumer groups that nobody created."),
            Setting.number("maxTopics", 100_000, 16, 200_000, "Most topics, built-in ones included."),
            Setting.number("maxGroups", 100_000, 16, 1_000_000, "Most consumer groups."),
            Setting.number(
                    "maxConnections", 10_000, 16, 1_000_000, "Most connections; further ones are closed at once."),
            Setting.number("maxHeldPulls", 50_000, 16, 10_000_000, "Most pulls that wait for a message at one time."),
            Setting.word(
                    "messageRequestMode",
                    "pull",
                    List.of("pull", "pop"),
                    "How groups without a mode of their own get messages when their clients let the broker assign queues."),
            Setting.text("region", "DefaultRegion", "Region written on every message."),
            Setting.onOff("trace", true, "Tells clients that they may send message traces."),
            Setting.number("maxMessageBytes", 4 * MIB, 1, 15 * MIB, "Largest message or batch body, in bytes."),
            Setting.number("transactionTimeoutMillis", 6_000, 1, 30 * DAY, "Age of a half message at its first check."),
            Setting.number(
                    "transactionCheckMillis",
                    30_000,
                    1,
                    30 * DAY,
                    "Time between the first two checks of a half message; it doubles from check to check, up to ten times this. A sender that is away is waited for so long."),
            Setting.number("transactionCheckMax", 15, 1, 10_000, "Checks before a half message is given up."),
            Setting.text(
                    "messageDelayLevels",
                    "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h",
                    "Delay of level 1, 2, ... with unit s, m, h or d."),
            Setting.number("timerMaxDelayMillis", 3650 * DAY, 1, 36500 * DAY, "Longest delay of a timed message."),
            Setting.onOff("recall", true, "Allow producers to cancel a delayed message."),
            Setting.number("retryMax", 16, 0, 10_000, "Tries of a new group before a message is a dead letter."),
            Setting.number("pullMaxCount", 1024, 1, 65_536, "Most messages in one pull reply."),
            Setting.number(
                    "pullMaxBytes", MIB, 4 * KIB, 15 * MIB, "Most bytes in one pull reply; one message always fits."),
            Setting.number("pullHoldMaxMillis", 30_000, 1, 10 * MINUTE, "Longest time an empty pull is held."),
            Setting.number("coldReadThreads", 2, 1, 64, "Threads that read messages which are not in memory."),
            Setting.number("registerMillis", 30_000, 100, 10 * MINUTE, "Time between two registrations."),
            Setting.number("registerTimeoutMillis", 1_000, 100, 60_000, "Longest wait for a name server's answer."),
            Setting.number("clientExpiryMillis", 120_000, 1_000, DAY, "Silence after which a client is dropped."),
            Setting.number("lockExpiryMillis", 60_000, 1_000, DAY, "Time an ordered queue stays locked unrenewed."),
            Setting.number(
                    "offsetFlushMillis", 1_000, 10, MINUTE, "Longest time a committed offset is only in memory."),
            Setting.number("segmentBytes", 64 * MIB, MIB, GIB, "Size of one file of the log."),
            Setting.number(
                    "maxClockAheadMillis",
                    60 * MINUTE,
                    0,
                    366 * DAY,
                    "The broker does not start when the newest time in its store is more ahead of the clock; 0 = starts."),
            Setting.number("checkpointMillis", 5_000, 100, 10 * MINUTE, "Time between two checkpoints of the views."),
            Setting.number("checkpointBytes", 64 * MIB, MIB, 4 * GIB, "Log bytes after which a checkpoint is made."),
            Setting.number("retentionMillis", 3 * DAY, 0, 36500 * DAY, "Age after which messages may go; 0: no limit."),
            Setting.number(
                    "retentionBytes", 0, 0, Long.MAX_VALUE, "Size after which the oldest messages go; 0: no limit."),
            Setting.number(
                    "freeDiskFloorBytes",
                    256 * MIB,
                    0,
                    Long.MAX_VALUE,
                    "Free disk below which new messages are refused.")));

    private static final BrokerSettings DEFAULTS = new BrokerSettings(parsedDefaults());

    private final Map<String, Object> values;

    /** Made once: asked for with every request. */
    private final TopicSettings topics;

    private final GroupSettings groups;
    private final ReadSettings reads;

    private BrokerSettings(Map<String, Object> values) {
        this.values = values;
        this.topics = new TopicSettings(isOn("autoCreateTopic"), small("autoCreateTopicQueues"), small("maxTopics"));
        this.groups = new GroupSettings(
                isOn("autoCreateGroup"),
                small("maxGroups"),
                small("retryMax"),
                number("clientExpiryMillis"),
                number("lockExpiryMillis"),
                number("offsetFlushMillis"));
        this.reads = new ReadSettings(
                small("pullMaxCount"),
                small("pullMaxBytes"),
                number("pullHoldMaxMillis"),
                small("maxHeldPulls"),
                text("messageRequestMode").equals("pop"),
                small("coldReadThreads"));
    }

    public static BrokerSettings defaults() {
        return DEFAULTS;
    }

    /** Every setting there is, in the order of the documentation. */
    public static List<Setting> table() {
        return List.copyOf(TABLE.values());
    }

    /**
     * These settings with one changed.
     *
     * @throws IllegalArgumentException naming the nearest key when the key is unknown, or key, limit and what was seen
     */
    public BrokerSettings with(String key, String value) {
        Setting setting = TABLE.get(key);
        if (setting == null) {
            String nearest = Nearest.of(key, TABLE.keySet());
            throw new IllegalArgumentException("unknown setting '" + key + "'; "
                    + (nearest == null ? "--list-settings shows those there are" : "did you mean '" + nearest + "'?"));
        }
        Object parsed = setting.parse(value);
        checkMeaning(key, parsed);
        Map<String, Object> changed = new LinkedHashMap<>(values);
        changed.put(key, parsed);
        return new BrokerSettings(Map.copyOf(changed));
    }

    public BrokerSettings with(String key, long value) {
        return with(key, Long.toString(value));
    }

    public BrokerSettings with(String key, boolean value) {
        return with(key, Boolean.toString(value));
    }

    private static void checkMeaning(String key, Object value) {
        if (key.equals("messageDelayLevels")) {
            DelayLevels.parse((String) value);
        }
        // Cluster and broker are also names of topics, so they follow the grammar of topics.
        if (key.equals("clusterName") || key.equals("brokerName")) {
            String refusal = Names.checkTopic((String) value);
            if (refusal != null) {
                throw new IllegalArgumentException(key + ": " + refusal);
            }
        }
    }

    private static Map<String, Setting> index(List<Setting> settings) {
        Map<String, Setting> index = new LinkedHashMap<>();
        settings.forEach(s -> index.put(s.key(), s));
        return index;
    }

    private static Map<String, Object> parsedDefaults() {
        Map<String, Object> parsed = new LinkedHashMap<>();
        TABLE.values().forEach(s -> parsed.put(s.key(), s.parse(s.defaultValue())));
        return Map.copyOf(parsed);
    }

    private Object value(String key) {
        return values.get(key);
    }

    /** The value of a key as text, as it would be given to {@link #with(String, String)}. */
    public String get(String key) {
        if (!TABLE.containsKey(key)) {
            throw new IllegalArgumentException("unknown setting '" + key + "'");
        }
        return value(key).toString();
    }

    private long number(String key) {
        return (Long) value(key);
    }

    private int small(String key) {
        return Math.toIntExact((Long) value(key));
    }

    private String text(String key) {
        return (String) value(key);
    }

    private boolean isOn(String key) {
        return (Boolean) value(key);
    }

    /** The name of this broker, unique in its cluster. */
    public String brokerName() {
        return text("brokerName");
    }

    /** Where this broker listens, and where clients reach it. */
    public ListenSettings listen() {
        String advertised = text("advertisedHost");
        return new ListenSettings(
                text("host"),
                small("port"),
                isOn("insecure"),
                advertised.isEmpty() ? text("host") : advertised,
                small("maxConnections"));
    }

    /** How this broker makes itself known. */
    public RegistrationSettings registration() {
        List<String> addresses = new ArrayList<>();
        for (String part : text("namesrv").split("[;,]")) {
            if (!part.isBlank()) {
                addresses.add(part.trim());
            }
        }
        return new RegistrationSettings(
                text("clusterName"),
                small("brokerId"),
                List.copyOf(addresses),
                number("registerMillis"),
                number("registerTimeoutMillis"));
    }

    /** How the log is kept. */
    public StoreSettings store() {
        StoreSettings usual = StoreSettings.defaults();
        return usual.withSegmentBytes(number("segmentBytes"))
                .withFlush(text("flush").equals("sync") ? FlushMode.SYNC : FlushMode.ASYNC)
                .withAsyncFlushMillis(number("asyncFlushMillis"))
                // A batch takes more in the log than in its request.
                .withMaxChangeBytes(Math.max(usual.maxChangeBytes(), 2 * small("maxMessageBytes") + (1 << 20)))
                .withMaxClockAheadMillis(number("maxClockAheadMillis"))
                .withCheckpoint(number("checkpointBytes"), number("checkpointMillis"))
                .withRetention(
                        number("retentionMillis"),
                        number("retentionBytes"),
                        number("freeDiskFloorBytes"),
                        usual.retentionCheckMillis());
    }

    public TopicSettings topics() {
        return topics;
    }

    public GroupSettings groups() {
        return groups;
    }

    public MessageSettings messages() {
        return new MessageSettings(text("region"), isOn("trace"), small("maxMessageBytes"));
    }

    public ReadSettings reads() {
        return reads;
    }

    public TimerSettings timers() {
        return new TimerSettings(
                DelayLevels.parse(text("messageDelayLevels")), number("timerMaxDelayMillis"), isOn("recall"));
    }

    public TransactionSettings transactions() {
        return new TransactionSettings(
                number("transactionTimeoutMillis"), number("transactionCheckMillis"), small("transactionCheckMax"));
    }
}
