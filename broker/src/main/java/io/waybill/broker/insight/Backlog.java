/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.setaside.SetAsideQueue;
import io.waybill.protocol.Names;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.ReadResult;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.Settlement;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Counts what a group still has to do. Each message is in one column: the one that says what it waits for.
 *
 * <p>Without a filter this is arithmetic; with one, and for the origin of retries and dead letters, messages are looked at, at most
 * {@link #MOST_ENTRIES} and {@link #MOST_MESSAGES} in one count. One instance counts once, in one thread.
 */
final class Backlog {
    /** Queue entries looked at: what a tag rules out costs nothing more. */
    static final int MOST_ENTRIES = 2_000_000;

    /** Messages read. */
    static final int MOST_MESSAGES = 200_000;

    private static final int PAGE_BYTES = 1 << 20;

    private final InsightStoreAccess store;
    private final GroupState state;
    private final String group;
    private final Map<String, Row> rows = new TreeMap<>();
    private long entriesLeft;
    private long messagesLeft;

    /** What a group has to do in one topic. */
    static final class Row {
        final Amount ready = new Amount();
        final Amount inFlight = new Amount();
        final Amount retrying = new Amount();
        final Amount delayed = new Amount();
        final Amount half = new Amount();
        final Amount dead = new Amount();
        final Amount quarantined = new Amount();
        String subscription;
        long examined;
        boolean isExact = true;

        void add(Row other) {
            ready.add(other.ready);
            inFlight.add(other.inFlight);
            retrying.add(other.retrying);
            delayed.add(other.delayed);
            half.add(other.half);
            dead.add(other.dead);
            quarantined.add(other.quarantined);
            examined += other.examined;
            isExact &= other.isExact;
        }

        void write(JsonWriter json, long nowMillis) {
            ready.write(json, "ready", nowMillis);
            inFlight.write(json, "inFlight", nowMillis);
            retrying.write(json, "retrying", nowMillis);
            delayed.write(json, "delayed", nowMillis);
            half.write(json, "half", nowMillis);
            dead.write(json, "dead", nowMillis);
            quarantined.write(json, "quarantined", nowMillis);
            json.field("exact", isExact);
            if (!isExact) {
                json.field("examined", examined);
            }
        }
    }

    Backlog(InsightStoreAccess store, GroupState state, String group) {
        this(store, state, group, MOST_ENTRIES, MOST_MESSAGES);
    }

    Backlog(InsightStoreAccess store, GroupState state, String group, long mostEntries, long mostMessages) {
        this.store = store;
        this.state = state;
        this.group = group;
        this.entriesLeft = mostEntries;
        this.messagesLeft = mostMessages;
    }

    /** Counts; the rows by topic. */
    Map<String, Row> count() {
        for (String topic : state.topicsOf(group)) {
            SubscriptionFilter wants = state.wants(group, topic);
            Row row = row(topic);
            row.subscription = wants.text();
            for (int queueId : state.isBroadcasting(group) ? Set.<Integer>of() : state.queuesOf(topic)) {
                visible(state.of(group, topic, queueId), wants, row);
            }
        }
        waiting();
        halves();
        String retry = Names.retryTopic(group);
        for (int queueId : state.queuesOf(retry)) {
            retries(state.of(group, retry, queueId));
        }
        setAside(Settlement.SetAsideKind.DEAD_LETTER, Names.deadLetterTopic(group));
        setAside(Settlement.SetAsideKind.QUARANTINE, Names.quarantineTopic(group));
        rows.keySet()
                .removeIf(topic -> (Names.groupOf(topic) != null || topic.startsWith(GroupState.QUARANTINE_PREFIX))
                        && isEmpty(rows.get(topic)));
        return rows;
    }

    private static boolean isEmpty(Row row) {
        return row.ready.count()
                        + row.inFlight.count()
                        + row.retrying.count()
                        + row.dead.count()
                        + row.quarantined.count()
                == 0;
    }

    private Row row(String topic) {
        return rows.computeIfAbsent(topic, name -> new Row());
    }

    // ---- visible messages

    private void visible(GroupQueueSnapshot snapshot, SubscriptionFilter wants, Row row) {
        if (snapshot.ahead() == 0) {
            return;
        }
        if (wants.isAll()) {
            long inFlight = snapshot.inFlight();
            row.inFlight.add(inFlight, storeTime(snapshot, GroupQueueSnapshot.Place.IN_FLIGHT));
            row.ready.add(
                    snapshot.ahead() - inFlight - snapshot.acknowledged(),
                    storeTime(snapshot, GroupQueueSnapshot.Place.READY));
            return;
        }
        walk(snapshot.topic(), snapshot.queueId(), snapshot.start(), snapshot.max(), wants, row, (message, offset) -> {
            Amount amount = switch (snapshot.placeOf(offset)) {
                case READY -> row.ready;
                case IN_FLIGHT -> row.inFlight;
                case PASSED -> null;
            };
            if (amount != null) {
                amount.add(1, StoredMessage.storeTimestamp(message, 0));
            }
        });
    }

    private long storeTime(GroupQueueSnapshot snapshot, GroupQueueSnapshot.Place place) {
        long offset = snapshot.first(place);
        return offset < 0 ? -1 : store.queues().storeTimeOf(snapshot.topic(), snapshot.queueId(), offset);
    }

    private interface Visitor {
        void message(ByteBuffer message, long offset);
    }

    /** Shows every wanted message of a queue from an offset on; stops at the bound and says so in the row. The offset it stopped at. */
    private long walk(
            String topic, int queueId, long from, long max, SubscriptionFilter wants, Row row, Visitor visitor) {
        long next = from;
        while (next < max) {
            if (entriesLeft <= 0 || messagesLeft <= 0) {
                row.isExact = false;
                return next;
            }
            long[] read = new long[1];
            ReadResult result = store.queues()
                    .readQueue(
                            topic,
                            queueId,
                            next,
                            Integer.MAX_VALUE,
                            PAGE_BYTES,
                            wants.isAll() ? null : wants::mayMatch,
                            (buffer, at) -> {
                                read[0]++;
                                long offset = StoredMessage.queueOffset(buffer, at);
                                if (offset < max && wants.matches(buffer, at)) {
                                    visitor.message(at == 0 ? buffer : buffer.slice(at, buffer.limit() - at), offset);
                                }
                                return false; // nothing is gathered
                            });
            long reached = result.nextOffset();
            if (result.status() == ReadResult.Status.DAMAGED) {
                row.isExact = false;
                reached++;
            }
            if (reached <= next) {
                break;
            }
            entriesLeft -= reached - next;
            messagesLeft -= read[0];
            row.examined += reached - next;
            next = reached;
        }
        return next;
    }

    // ---- what failed

    private void retries(GroupQueueSnapshot snapshot) {
        if (snapshot.ahead() == 0) {
            return;
        }
        Row own = row(snapshot.topic());
        SubscriptionFilter all = SubscriptionFilter.UNKNOWN;
        long max = snapshot.max();
        long seen = walk(snapshot.topic(), snapshot.queueId(), snapshot.start(), max, all, own, (message, offset) -> {
            Row row = row(originOf(message, snapshot.topic()));
            switch (snapshot.placeOf(offset)) {
                case READY -> row.retrying.add(1, StoredMessage.storeTimestamp(message, 0));
                case IN_FLIGHT -> row.inFlight.add(1, StoredMessage.storeTimestamp(message, 0));
                case PASSED -> {
                    // done with
                }
            }
        });
        // What was too much to look at is counted, though not by its origin.
        own.retrying.add(Math.max(0, snapshot.max() - Math.max(snapshot.start(), seen)), -1);
    }

    private void setAside(Settlement.SetAsideKind kind, String topic) {
        for (int queueId : state.queuesOf(topic)) {
            SetAsideQueue queue = SetAsideQueue.of(store.queues(), store.settlements(), kind, topic, queueId);
            Row own = row(topic);
            walk(topic, queueId, queue.min(), queue.max(), SubscriptionFilter.UNKNOWN, own, (message, offset) -> {
                if (queue.settlementAt(offset) == null) {
                    Row row = row(originOf(message, topic));
                    Amount amount = kind == Settlement.SetAsideKind.QUARANTINE ? row.quarantined : row.dead;
                    amount.add(1, StoredMessage.storeTimestamp(message, 0));
                }
            });
            if (!own.isExact) {
                rows.values().forEach(row -> row.isExact = false);
            }
        }
    }

    /** Where a message was sent first; the topic it lies in when nothing says so. */
    static String originOf(ByteBuffer message, String otherwise) {
        String origin = StoredMessage.property(message, 0, MessageProperties.RETRY_TOPIC);
        if (origin == null) {
            origin = StoredMessage.property(message, 0, MessageProperties.DLQ_ORIGIN_TOPIC);
        }
        return origin == null || Names.checkTopic(origin) != null ? otherwise : origin;
    }

    // ---- what is not visible yet

    private void waiting() {
        String retry = Names.retryTopic(group);
        boolean any = store.timers().pendingTimerCount(retry) > 0;
        for (String topic : rows.keySet()) {
            any |= store.timers().pendingTimerCount(topic) > 0;
        }
        if (!any) {
            return;
        }
        int most = (int) Math.min(entriesLeft, MOST_ENTRIES) + 1;
        long seen = 0;
        for (PendingTimer due : store.timers().pendingTimers(most)) {
            if (++seen == most) {
                rows.values().forEach(row -> row.isExact = false);
                break;
            }
            boolean isRetry = due.topic().equals(retry);
            Row row = isRetry ? row(retry) : rows.get(due.topic());
            if (row == null) {
                continue;
            }
            SubscriptionFilter wants = isRetry ? SubscriptionFilter.UNKNOWN : state.wants(group, due.topic());
            ByteBuffer message = isRetry || !wants.isAll() ? read(due.handle(), row) : null;
            if (isRetry) {
                (message == null ? row : row(originOf(message, retry))).retrying.add(1, due.storeTimeMillis());
            } else if (wants.isAll() || message != null && wants.matches(message, 0)) {
                row.delayed.add(1, due.storeTimeMillis());
            }
        }
        entriesLeft -= seen;
    }

    private void halves() {
        if (store.transactions().openHalfCount() == 0) {
            return;
        }
        int most = (int) Math.max(0, Math.min(messagesLeft, MOST_MESSAGES));
        for (PendingHalf half : store.transactions().openHalves(most)) {
            ByteBuffer message = store.messages().readPending(half.handle());
            messagesLeft--;
            if (message == null) {
                continue; // decided meanwhile
            }
            String topic = StoredMessage.topic(message, 0);
            Row row = rows.get(topic);
            if (row != null && state.wants(group, topic).matches(message, 0)) {
                row.half.add(1, StoredMessage.storeTimestamp(message, 0));
            }
        }
        if (store.transactions().openHalfCount() > most) {
            rows.values().forEach(row -> row.isExact = false);
        }
    }

    private ByteBuffer read(long handle, Row row) {
        if (messagesLeft <= 0) {
            row.isExact = false;
            return null;
        }
        messagesLeft--;
        row.examined++;
        return store.messages().readPending(handle);
    }

    // ---- the answer

    static byte[] answer(
            String group, String brokerName, ClientRegistry members, Map<String, Row> rows, long nowMillis) {
        ConsumerGroup online = members.consumerGroup(group);
        JsonWriter json = new JsonWriter().beginObject().field("group", group).field("brokerName", brokerName);
        json.field("members", online == null ? 0 : online.clientIds().size());
        if (online != null && online.isBroadcasting()) {
            json.field("broadcasting", true);
        }
        if (online != null && !online.conflicts().isEmpty()) {
            json.name("conflicts").beginArray();
            for (Conflict conflict : online.conflicts()) {
                json.beginObject()
                        .field("topic", conflict.topic())
                        .name("wants")
                        .beginArray();
                conflict.clients()
                        .forEach((expression, ids) -> json.beginObject()
                                .field("expression", expression)
                                .field("clients", ids)
                                .endObject());
                json.endArray().endObject();
            }
            json.endArray();
        }
        json.name("topics").beginArray();
        Row total = new Row();
        rows.forEach((topic, row) -> {
            json.beginObject().field("topic", topic);
            if (row.subscription != null) {
                json.field("subscription", row.subscription);
            }
            row.write(json, nowMillis);
            json.endObject();
            total.add(row);
        });
        json.endArray().name("total").beginObject();
        total.write(json, nowMillis);
        return json.endObject().endObject().toByteArray();
    }
}
