/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * A key in quarantine, and which of its messages are quarantined. Guarded by its group.
 *
 * <p>QUARANTINED: its messages are quarantined as the group meets them. RELEASING: what was quarantined is in a queue of the retry topic, and later messages are still
 * quarantined until the group has consumed that; so nothing overtakes. DISCARDING: as QUARANTINED, and what was quarantined when an operator asked for
 * it is being discarded.
 */
final class QuarantinedKey {
    static final long STOPPED_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Where a message was in its topic; the order of a key. */
    record Origin(int queueId, long offset) implements Comparable<Origin> {
        @Override
        public int compareTo(Origin other) {
            int byOffset = Long.compare(offset, other.offset);
            return byOffset != 0 ? byOffset : Integer.compare(queueId, other.queueId);
        }
    }

    final String topic;
    final String key;
    long sinceMillis;
    String reason;
    String by;

    /** Quarantined and not given back: origin to offset in the topic of quarantined messages. */
    final TreeMap<Origin, Long> waiting = new TreeMap<>();

    /** By queue of the topic: messages of the key up to this offset were given back, so a read that meets them again passes them. */
    final TreeMap<Integer, Long> givenBack = new TreeMap<>();

    boolean releasing;
    /**
     * A discard was accepted and is not through: its messages below this offset of the quarantine topic are discarded,
     * whatever comes in between; 0 for none.
     */
    long discardBelow;
    /** Who wants that, for people. */
    String discardBy;
    /** Monotonic: when the broker tries again what it could not do with the key; null when nothing has failed. */
    private Long againNanos;

    /** The queue of the retry topic they are given back in; -1 before the first release. */
    int retryQueue = -1;
    /** When the group's progress there has come so far, it has consumed them. */
    long consumedAt;
    /** Reads that have met a message to be quarantined and have not quarantined it yet. */
    int rerouting;
    /** Of the monotonic clock, when one met such a message. */
    long reroutedNanos;
    /** A release is in work. */
    boolean busy;

    QuarantinedKey(String topic, String key, long sinceMillis, String reason, String by) {
        this.topic = topic;
        this.key = key;
        this.sinceMillis = sinceMillis;
        this.reason = reason;
        this.by = by;
    }

    boolean isGivenBack(Origin origin) {
        return givenBack.getOrDefault(origin.queueId(), -1L) >= origin.offset();
    }

    /** A release or a discard stopped. As long as the disk is full or the log is frozen it will do so again, so the broker waits before it goes on. */
    void stopped(long nowNanos) {
        againNanos = nowNanos + STOPPED_PAUSE_NANOS;
    }

    /** The store took what was asked of it. */
    void wentOn() {
        againNanos = null;
    }

    /** Whether the broker may go on by itself with a release or a discard. An operator need not wait. */
    boolean mayGoOn(long nowNanos) {
        return againNanos == null || nowNanos - againNanos >= 0;
    }

    /** As lists show it. */
    String state() {
        return discardBelow > 0 ? "DISCARDING" : releasing ? "RELEASING" : "QUARANTINED";
    }

    /** What the catalog keeps of it. */
    byte[] toJson() {
        Map<String, String> texts = new TreeMap<>();
        givenBack.forEach((queueId, offset) -> texts.put(queueId.toString(), offset.toString()));
        return new JsonWriter()
                .beginObject()
                .field("givenBack", texts)
                .field("sinceMillis", sinceMillis)
                .field("reason", reason)
                .field("by", by)
                .field("releasing", releasing)
                .field("retryQueue", retryQueue)
                .field("consumedAt", consumedAt)
                .field("discardBelow", discardBelow)
                .field("discardBy", discardBy)
                .endObject()
                .toByteArray();
    }

    static QuarantinedKey parse(String topic, String key, byte[] json) {
        JsonObject kept = Json.parse(ByteBuffer.wrap(json));
        QuarantinedKey quarantined = new QuarantinedKey(
                topic, key, kept.getLong("sinceMillis", 0), kept.getString("reason"), kept.getString("by"));
        quarantined.releasing = kept.getBoolean("releasing", false);
        quarantined.retryQueue = kept.getInt("retryQueue", -1);
        quarantined.consumedAt = kept.getLong("consumedAt", 0);
        quarantined.discardBelow = kept.getLong("discardBelow", 0);
        quarantined.discardBy = kept.getString("discardBy");
        kept.getStringMap("givenBack")
                .forEach(
                        (queueId, offset) -> quarantined.givenBack.put(Integer.valueOf(queueId), Long.valueOf(offset)));
        return quarantined;
    }
}
