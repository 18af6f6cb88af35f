/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Outcomes;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.view.DueItem;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** LIST_TIMERS (30565): delayed messages that wait, the next one first, of one topic or key if wanted. */
final class ListTimers implements RequestHandler {
    private static final Logger LOG = LoggerFactory.getLogger(ListTimers.class);
    private static final int USUAL = 100;
    private static final int MOST = 1_000;

    /** Entries of the due index looked through, the next ones first. */
    static final int MOST_SCANNED = 100_000;

    private final Store store;
    private final String brokerName;
    private final Executor blocking;

    ListTimers(Store store, String brokerName, Executor blocking) {
        this.store = store;
        this.brokerName = brokerName;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        ByteBuffer body = request.command().body();
        JsonObject wanted = body.hasRemaining() ? Json.parse(body) : Json.parse("{}");
        String topic = wanted.getString("topic");
        String key = wanted.getString("key");
        int max = Math.max(1, Math.min(wanted.getInt("max", USUAL), MOST));
        if (key != null && topic == null) {
            throw new BadField("topic", "named when a key is", null);
        }
        blocking.execute(() -> {
            try {
                request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(list(topic, key, max))
                        .build());
            } catch (RuntimeException e) {
                LOG.error("the delayed messages could not be listed", e);
                Outcomes.refuse(request, e, "the delayed messages could not be listed; the broker's log says why");
            }
        });
    }

    private byte[] list(String topic, String key, int max) {
        long pending = topic == null ? store.pendingDueCount() : store.pendingDueCount(topic);
        JsonWriter json = new JsonWriter().beginObject().field("brokerName", brokerName);
        json.field("pending", pending).name("timers").beginArray();
        for (PendingTimer due : key == null ? next(topic, max) : withKey(topic, key, max)) {
            ByteBuffer stored = store.readPending(due.handle());
            if (stored != null) { // else it was delivered or cancelled in the meantime
                timer(json, due, stored);
            }
        }
        return json.endArray().endObject().toByteArray();
    }

    private List<PendingTimer> next(String topic, int max) {
        List<PendingTimer> found = new ArrayList<>();
        int scanned = topic == null ? (int) Math.min(MOST_SCANNED, max + store.openHalfCount()) : MOST_SCANNED;
        for (DueItem item : store.dueUpTo(Long.MAX_VALUE, scanned).items()) {
            if (found.size() == max) {
                break;
            }
            PendingTimer due = item.kind() == DueItem.Kind.DELIVER ? store.due(item.handle()) : null;
            if (due != null && (topic == null || topic.equals(due.topic()))) {
                found.add(due);
            }
        }
        return found;
    }

    private List<PendingTimer> withKey(String topic, String key, int max) {
        List<PendingTimer> found = new ArrayList<>();
        for (long handle : store.pendingByKey(topic, key)) {
            PendingTimer due = store.due(handle);
            if (due != null) {
                found.add(due);
            }
        }
        found.sort(Comparator.comparingLong(PendingTimer::dueMillis));
        return found.subList(0, Math.min(max, found.size()));
    }

    private static void timer(JsonWriter json, PendingTimer due, ByteBuffer stored) {
        json.beginObject().field("handle", due.handle());
        json.field("offsetMsgId", MessageIds.offsetId(StoredMessage.storeHost(stored, 0), due.handle()));
        json.field("uniqueKey", StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY));
        json.field("keys", StoredMessage.property(stored, 0, MessageProperties.KEYS));
        json.field("topic", due.topic()).field("queueId", due.queueId());
        json.field("deliverTimeMillis", due.dueMillis());
        json.field("storeTimestamp", StoredMessage.storeTimestamp(stored, 0));
        json.field("unless", StoredMessage.property(stored, 0, MessageProperties.UNLESS));
        json.endObject();
    }
}
