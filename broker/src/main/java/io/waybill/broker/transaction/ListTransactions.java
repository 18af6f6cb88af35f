/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.platform.Clock;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.ConflictStore;
import io.waybill.store.MessageStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.PendingHalf;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * LIST_TRANSACTIONS (30561): open transactions, oldest first, or the decisions that came too late; of one producer group, topic or span of ages if
 * wanted.
 */
final class ListTransactions implements RouteHandler<ListTransactions.Query> {
    private static final int MOST = 1_000;
    private static final int USUAL = 100;
    /** Of properties, most of which an answer may repeat. */
    private static final int MOST_BYTES = 4 << 20;

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final ConflictStore conflictStore;
    private final Clock clock;
    private final String brokerName;

    ListTransactions(
            MessageStore messageStore,
            TransactionStore transactionStore,
            ConflictStore conflictStore,
            Clock clock,
            String brokerName) {
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.conflictStore = conflictStore;
        this.clock = clock;
        this.brokerName = brokerName;
    }

    @Override
    public Reply handle(Request request, Query query) {
        return Reply.success(query.conflicts() ? conflicts(query, query.max()) : list(query, query.max()));
    }

    /** What is listed, and how many; null = any. */
    record Query(String group, String topic, long minAgeMillis, long maxAgeMillis, int max, boolean conflicts) {
        static Query read(Command command) {
            ByteBuffer body = command.body();
            JsonObject wanted = body.hasRemaining() ? Json.parse(body) : Json.parse("{}");
            long least = wanted.getLong("minAgeMillis", 0);
            long most = wanted.getLong("maxAgeMillis", Long.MAX_VALUE);
            if (least < 0) {
                throw new BadField("minAgeMillis", "0 or more", least + "");
            }
            if (most < least) {
                throw new BadField("maxAgeMillis", "at least minAgeMillis, " + least, most + "");
            }
            return new Query(
                    wanted.getString("group"),
                    wanted.getString("topic"),
                    least,
                    most,
                    Math.max(1, Math.min(wanted.getInt("max", USUAL), MOST)),
                    wanted.getBoolean("conflicts", false));
        }

        boolean isAll() {
            return group == null && topic == null && minAgeMillis == 0 && maxAgeMillis == Long.MAX_VALUE;
        }

        boolean fits(String producerGroup, long sinceMillis, long nowMillis) {
            long ageMillis = Math.max(0, nowMillis - sinceMillis);
            return (group == null || group.equals(producerGroup))
                    && ageMillis >= minAgeMillis
                    && ageMillis <= maxAgeMillis;
        }
    }

    /** Those on the newest half messages, the newest last. */
    private byte[] conflicts(Query query, int max) {
        long nowMillis = clock.wallMillis();
        Deque<DecisionConflict> found = new ArrayDeque<>();
        conflictStore.visitConflicts(conflict -> {
            if (query.fits(conflict.producerGroup(), conflict.atMillis(), nowMillis)
                    && (query.topic() == null || query.topic().equals(conflict.topic()))) {
                found.add(conflict);
                if (found.size() > max) {
                    found.remove();
                }
            }
            return true;
        });
        JsonWriter json = new JsonWriter().beginObject().field("brokerName", brokerName);
        json.field("open", transactionStore.openHalfCount()).name("conflicts").beginArray();
        for (DecisionConflict conflict : found) {
            TransactionJson.conflict(json, conflict, conflictStore.publicationOf(conflict.handle()));
        }
        return json.endArray().endObject().toByteArray();
    }

    private byte[] list(Query query, int max) {
        long nowMillis = clock.wallMillis();
        JsonWriter json = new JsonWriter().beginObject().field("brokerName", brokerName);
        json.field("open", transactionStore.openHalfCount())
                .name("transactions")
                .beginArray();
        int listed = 0;
        int bytes = 0;
        for (PendingHalf half : transactionStore.openHalves(query.isAll() ? max : TransactionLookup.MOST_SCANNED)) {
            if (listed == max) {
                break;
            }
            if (!query.fits(half.producerGroup(), half.storeTimeMillis(), nowMillis)) {
                continue;
            }
            ByteBuffer stored = messageStore.readPending(half.handle());
            if (stored == null || query.topic() != null && !StoredMessage.topicEquals(stored, 0, query.topic())) {
                continue; // decided in the meantime, or another topic
            }
            TransactionJson.transaction(json, half.handle(), half, Message.decode(stored, 0), nowMillis);
            listed++;
            bytes += StoredMessage.propertiesLength(stored, 0);
            if (bytes > MOST_BYTES) {
                break;
            }
        }
        return json.endArray().endObject().toByteArray();
    }
}
