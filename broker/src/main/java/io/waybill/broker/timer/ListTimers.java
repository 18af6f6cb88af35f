/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.view.DueItem;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** LIST_TIMERS (30565): delayed messages that wait, the next one first, of one topic or key if wanted. */
final class ListTimers implements RouteHandler<ListTimers.Wanted> {
    private static final int USUAL = 100;
    private static final int MOST = 1_000;

    /** Entries of the due index looked through, the next ones first. */
    static final int MOST_SCANNED = 100_000;

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final TimerStore timerStore;
    private final String brokerName;

    ListTimers(MessageStore messageStore, TransactionStore transactionStore, TimerStore timerStore, String brokerName) {
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.timerStore = timerStore;
        this.brokerName = brokerName;
    }

    /** What is listed; topic and key may be null. */
    record Wanted(String topic, String key, int max) {
        static Wanted read(Command command) {
            ByteBuffer body = command.body();
            JsonObject json = body.hasRemaining() ? Json.parse(body) : Json.parse("{}");
            Wanted wanted = new Wanted(
                    json.getString("topic"),
                    json.getString("key"),
                    Math.max(1, Math.min(json.getInt("max", USUAL), MOST)));
            if (wanted.key() != null && wanted.topic() == null) {
                throw new BadField("topic", "named when a key is", null);
            }
            return wanted;
        }
    }

    @Override
    public Reply handle(Request request, Wanted wanted) {
        return Reply.success(list(wanted.topic(), wanted.key(), wanted.max()));
    }

    private byte[] list(String topic, String key, int max) {
        long pending = topic == null ? timerStore.pendingTimerCount() : timerStore.pendingTimerCount(topic);
        JsonWriter json = new JsonWriter().beginObject().field("brokerName", brokerName);
        json.field("pending", pending).name("timers").beginArray();
        for (PendingTimer due : key == null ? next(topic, max) : withKey(topic, key, max)) {
            ByteBuffer stored = messageStore.readPending(due.handle());
            if (stored != null) { // else it was delivered or cancelled in the meantime
                timer(json, due, stored);
            }
        }
        return json.endArray().endObject().toByteArray();
    }

    private List<PendingTimer> next(String topic, int max) {
        List<PendingTimer> found = new ArrayList<>();
        int scanned =
                topic == null ? (int) Math.min(MOST_SCANNED, max + transactionStore.openHalfCount()) : MOST_SCANNED;
        for (DueItem item : timerStore.dueUpTo(Long.MAX_VALUE, scanned).items()) {
            if (found.size() == max) {
                break;
            }
            PendingTimer due = item.kind() == DueItem.DueAction.DELIVER ? timerStore.pendingTimer(item.handle()) : null;
            if (due != null && (topic == null || topic.equals(due.topic()))) {
                found.add(due);
            }
        }
        return found;
    }

    private List<PendingTimer> withKey(String topic, String key, int max) {
        List<PendingTimer> found = new ArrayList<>();
        for (long handle : timerStore.handlesByKey(topic, key)) {
            PendingTimer due = timerStore.pendingTimer(handle);
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
