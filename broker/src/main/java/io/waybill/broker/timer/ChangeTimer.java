/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.settings.TimerSettings;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.StoreStatus;
import io.waybill.store.TimerStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.PendingTimer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * CHANGE_TIMER (30564): cancels or moves delayed messages, named by handle, unique key or business key (a KEYS word). Each message gets one definite
 * answer. Whether it was cancelled, moved or delivered is decided by the store, where firing and cancelling of one message exclude each other; so
 * CANCELLED means that nobody will ever receive it, and ALREADY_DELIVERED that consumers can.
 */
final class ChangeTimer {
    private static final Logger LOG = LoggerFactory.getLogger(ChangeTimer.class);
    private static final int MAX_TEXT_LENGTH = 256;
    private static final int MAX_KEY_LENGTH = 255;

    /** Messages one request changes; the rest stays and another request finds it. */
    static final int MOST_CHANGED = 1_000;

    /** Ended messages of a key that are shown. */
    private static final int MOST_ENDED = 32;

    /** Looks while the views are behind the log. */
    private static final int MOST_LOOKS = 200;

    /** Best first: the answer for a whole request is the best of its messages. */
    enum TimerAnswer {
        CANCELLED,
        MOVED,
        ALREADY_DELIVERED,
        ALREADY_CANCELLED,
        NEVER_EXISTED
    }

    /** @param deliverMillis negative to cancel */
    private record Wanted(String topic, String key, String uniqueKey, long handle, long deliverMillis, String by) {
        boolean isCancel() {
            return deliverMillis < 0;
        }
    }

    /** @param handle negative if not known */
    private record Changed(long handle, String uniqueKey, String offsetId, TimerAnswer answer, long deliverMillis) {}

    private final MessageStore messageStore;
    private final TimerStore timerStore;
    private final StoreStatus storeStatus;
    private final Clock clock;
    private final TimerSettings settings;
    private final Lanes lanes;

    ChangeTimer(
            MessageStore messageStore,
            TimerStore timerStore,
            StoreStatus storeStatus,
            Clock clock,
            TimerSettings settings,
            Lanes lanes) {
        this.messageStore = messageStore;
        this.timerStore = timerStore;
        this.storeStatus = storeStatus;
        this.clock = clock;
        this.settings = settings;
        this.lanes = lanes;
    }

    Reply change(Request request) {
        Wanted wanted = read(request);
        lanes.run(Lane.OPERATOR, request, () -> begin(request, wanted, 0));
        return Reply.LATER;
    }

    // ---- the question

    private Wanted read(Request request) {
        JsonObject json = Json.parse(request.command().body());
        String topic = json.requireString("topic");
        String fault = Names.checkTopic(topic);
        if (fault != null) {
            throw new BadField("topic", fault, topic);
        }
        String key = name(json, "key");
        String uniqueKey = name(json, "uniqueKey");
        boolean byHandle = json.get("handle") != null;
        if ((key == null ? 0 : 1) + (uniqueKey == null ? 0 : 1) + (byHandle ? 1 : 0) != 1) {
            throw new BadField("key, uniqueKey, handle", "exactly one of them", json.toString());
        }
        long handle = byHandle ? json.requireLong("handle") : -1;
        if (byHandle && handle < 0) {
            throw new BadField("handle", "0 or more", Long.toString(handle));
        }
        String by = json.getString("by");
        if (by != null && (by.isBlank() || by.length() > MAX_TEXT_LENGTH)) {
            throw new BadField("by", "1 to " + MAX_TEXT_LENGTH + " characters", by);
        }
        String action = json.requireString("action");
        String who = (by == null ? "somebody" : by) + " at " + RequestOrigin.address(request);
        return switch (action) {
            case "CANCEL" -> new Wanted(topic, key, uniqueKey, handle, -1, who);
            case "RESCHEDULE" -> new Wanted(topic, key, uniqueKey, handle, deliverMillis(json), who);
            default -> throw new BadField("action", "CANCEL or RESCHEDULE", action);
        };
    }

    private static String name(JsonObject json, String member) {
        String text = json.getString(member);
        if (text != null && (text.isBlank() || text.length() > MAX_KEY_LENGTH)) {
            throw new BadField(member, "1 to " + MAX_KEY_LENGTH + " characters", text);
        }
        return text;
    }

    private long deliverMillis(JsonObject json) {
        long millis = json.requireLong("deliverTimeMillis");
        if (millis < 0 || millis - clock.wallMillis() > settings.maxDelayMillis()) {
            throw new BadField(
                    "deliverTimeMillis",
                    "a time at most " + settings.maxDelayMillis() + " ms from now (timerMaxDelayMillis)",
                    Long.toString(millis));
        }
        return millis;
    }

    // ---- the work

    private Reply begin(Request request, Wanted wanted, int looks) {
        try {
            List<Changed> ended = ended(wanted);
            List<Long> pending = pending(wanted);
            // What is neither pending nor seen as ended may have been delivered by a record the views are just taking
            // in.
            long confirmed = storeStatus.positions().confirmed();
            if (pending.isEmpty()) {
                if (storeStatus.positions().applied() < confirmed && looks < MOST_LOOKS) {
                    lanes.run(Lane.OPERATOR, request, () -> begin(request, wanted, looks + 1));
                    return Reply.LATER;
                }
                ended = ended(wanted);
            }
            PendingTimer first = pending.isEmpty() ? null : timerStore.pendingTimer(pending.get(0));
            AdminLog.before(
                    request,
                    pending.size() + " pending" + (first == null ? "" : ", the first due at " + first.dueMillis()));
            change(request, wanted, pending, 0, new ArrayList<>(), ended);
            return Reply.LATER;
        } catch (RuntimeException e) {
            return failed(e);
        }
    }

    /** Some may have been changed, which no general sentence says. */
    private static Reply failed(RuntimeException e) {
        LOG.error("a delayed message could not be changed", e);
        return Reply.refused(
                ResponseCode.SYSTEM_ERROR,
                "not all delayed messages were looked at, ask again; the broker's log says why");
    }

    private List<Long> pending(Wanted wanted) {
        if (wanted.handle() >= 0) {
            PendingTimer due = timerStore.pendingTimer(wanted.handle());
            return due == null || !due.topic().equals(wanted.topic()) ? List.of() : List.of(wanted.handle());
        }
        List<Long> handles = wanted.key() != null
                ? timerStore.handlesByKey(wanted.topic(), wanted.key())
                : timerStore.handlesByUniqueKey(wanted.topic(), wanted.uniqueKey());
        return handles.size() > MOST_CHANGED ? handles.subList(0, MOST_CHANGED) : handles;
    }

    /** What was delivered or cancelled before this request. */
    private List<Changed> ended(Wanted wanted) {
        List<Changed> ended = new ArrayList<>();
        if (wanted.handle() >= 0) {
            endedByHandle(wanted, ended);
            return ended;
        }
        String key = wanted.key() == null ? wanted.uniqueKey() : wanted.key();
        for (ByteBuffer visible : messageStore.findByKey(wanted.topic(), key, MOST_ENDED, 0, Long.MAX_VALUE)) {
            boolean meant = wanted.key() != null || key.equals(uniqueKey(visible));
            if (meant && wasDelayed(visible)) {
                ended.add(delivered(-1, visible));
            }
        }
        List<CancelledTimer> cancelled = timerStore.cancelledByKey(wanted.topic(), key);
        for (CancelledTimer one : cancelled.subList(Math.max(0, cancelled.size() - MOST_ENDED), cancelled.size())) {
            ByteBuffer message = messageStore.readUnverified(one.handle());
            boolean meant = wanted.key() != null || message == null || key.equals(uniqueKey(message));
            if (meant) {
                ended.add(described(one.handle(), message, TimerAnswer.ALREADY_CANCELLED, -1));
            }
        }
        return ended;
    }

    private void endedByHandle(Wanted wanted, List<Changed> ended) {
        long handle = wanted.handle();
        if (timerStore.pendingTimer(handle) != null) {
            return;
        }
        ByteBuffer once = messageStore.readUnverified(handle); // proven below by what is known under its key
        String key = once == null ? null : uniqueKey(once);
        if (key == null) {
            return;
        }
        for (CancelledTimer one : timerStore.cancelledByKey(wanted.topic(), key)) {
            if (one.handle() == handle) {
                ended.add(described(handle, once, TimerAnswer.ALREADY_CANCELLED, -1));
                return;
            }
        }
        for (ByteBuffer visible : messageStore.findByKey(wanted.topic(), key, MOST_ENDED, 0, Long.MAX_VALUE)) {
            if (key.equals(uniqueKey(visible)) && wasDelayed(visible) && StoredMessage.position(visible, 0) > handle) {
                ended.add(delivered(handle, visible));
                return;
            }
        }
    }

    private static boolean wasDelayed(ByteBuffer message) {
        return StoredMessage.property(message, 0, MessageProperties.TIMER_OUT_MS) != null
                || StoredMessage.property(message, 0, MessageProperties.DELAY) != null
                || StoredMessage.property(message, 0, MessageProperties.TIMER_DELIVER_MS) != null
                || StoredMessage.property(message, 0, MessageProperties.TIMER_DELAY_MS) != null
                || StoredMessage.property(message, 0, MessageProperties.TIMER_DELAY_SEC) != null;
    }

    private static String uniqueKey(ByteBuffer message) {
        return StoredMessage.property(message, 0, MessageProperties.UNIQ_KEY);
    }

    private static Changed delivered(long handle, ByteBuffer visible) {
        String id = MessageIds.offsetId(
                StoredMessage.storeHost(visible, 0), handle >= 0 ? handle : StoredMessage.position(visible, 0));
        return new Changed(handle, uniqueKey(visible), id, TimerAnswer.ALREADY_DELIVERED, -1);
    }

    private static Changed described(long handle, ByteBuffer message, TimerAnswer answer, long deliverMillis) {
        return message == null
                ? new Changed(handle, null, null, answer, deliverMillis)
                : new Changed(
                        handle,
                        uniqueKey(message),
                        MessageIds.offsetId(StoredMessage.storeHost(message, 0), handle),
                        answer,
                        deliverMillis);
    }

    /** Changes one after the other, so that the answer to each is known; calls itself from the store's answers. */
    private void change(
            Request request, Wanted wanted, List<Long> pending, int next, List<Changed> changed, List<Changed> ended) {
        if (next == pending.size()) {
            changed.addAll(ended);
            answer(request, wanted, changed);
            return;
        }
        long handle = pending.get(next);
        ByteBuffer message = messageStore.readPending(handle);
        if (wanted.isCancel()) {
            timerStore.cancel(
                    handle,
                    "cancelled by " + wanted.by(),
                    outcome -> changed(request, wanted, pending, next, changed, ended, message, outcome));
        } else {
            timerStore.reschedule(
                    handle,
                    wanted.deliverMillis(),
                    outcome -> changed(request, wanted, pending, next, changed, ended, message, outcome));
        }
    }

    private void changed(
            Request request,
            Wanted wanted,
            List<Long> pending,
            int next,
            List<Changed> changed,
            List<Changed> ended,
            ByteBuffer message,
            Outcome outcome) {
        long handle = pending.get(next);
        if (outcome instanceof Stored) {
            TimerAnswer answer = wanted.isCancel() ? TimerAnswer.CANCELLED : TimerAnswer.MOVED;
            changed.add(described(handle, message, answer, wanted.isCancel() ? -1 : wanted.deliverMillis()));
        } else if (outcome instanceof Refused) {
            TimerAnswer answer = timerStore.cancelledTimer(handle) == null
                    ? TimerAnswer.ALREADY_DELIVERED
                    : TimerAnswer.ALREADY_CANCELLED;
            changed.add(described(handle, message, answer, -1));
        } else {
            request.refuse(Outcomes.code(outcome), changed.size() + " changed, then: " + Outcomes.text(outcome));
            return;
        }
        lanes.run(Lane.OPERATOR, request, () -> {
            try {
                change(request, wanted, pending, next + 1, changed, ended);
                return Reply.LATER;
            } catch (RuntimeException e) {
                return failed(e);
            }
        });
    }

    private static void answer(Request request, Wanted wanted, List<Changed> all) {
        TimerAnswer best = TimerAnswer.NEVER_EXISTED;
        for (Changed one : all) {
            best = one.answer().compareTo(best) < 0 ? one.answer() : best;
        }
        JsonWriter json = new JsonWriter().beginObject().field("answer", best.name());
        json.name("messages").beginArray();
        for (Changed one : all) {
            json.beginObject();
            if (one.handle() >= 0) {
                json.field("handle", one.handle());
            }
            json.field("uniqueKey", one.uniqueKey()).field("offsetMsgId", one.offsetId());
            json.field("answer", one.answer().name());
            if (one.deliverMillis() >= 0) {
                json.field("deliverTimeMillis", one.deliverMillis());
            }
            json.endObject();
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(json.endArray().endObject().toByteArray())
                .build());
    }
}
