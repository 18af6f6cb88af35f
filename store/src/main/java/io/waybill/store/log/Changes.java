/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RecordedFacts;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.RewriteSource;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyOwner;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The changes there are, one small class each. */
final class Changes {
    private Changes() {}

    static final class Put extends Change {
        private final MessageDraft message;

        Put(MessageDraft message, Completion done) {
            super(done);
            this.message = message;
        }

        @Override
        int size() {
            return message.size();
        }

        @Override
        long weight() {
            return super.weight() + extraOf(message);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.visible(message, 0);
        }
    }

    static final class PutBatch extends Change {
        private final List<MessageDraft> messages;
        private final int size;

        PutBatch(List<MessageDraft> messages, Completion done) {
            super(done);
            this.messages = sameQueue(messages);
            size = sizeOf(this.messages, 0);
        }

        @Override
        int size() {
            return size;
        }

        @Override
        long weight() {
            return super.weight() + extraOf(messages);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            Stored first = frame.visible(messages.get(0), 0);
            for (int i = 1; i < messages.size(); i++) {
                frame.visible(messages.get(i), 0);
            }
            return first;
        }
    }

    /** A message that is stored only if no other of its topic holds its key. */
    static final class PutUnique extends Change {
        private final UniqueKey unique;
        private final byte[] topicBytes;
        private final byte[] keyBytes;
        private final int queueId;
        private final Change plain;

        PutUnique(UniqueKey unique, int queueId, Change plain, Completion done) {
            super(done);
            this.unique = unique;
            this.topicBytes = Records.text(unique.topic());
            this.keyBytes = Records.text(unique.key());
            this.queueId = queueId;
            this.plain = plain;
        }

        @Override
        int size() {
            return plain.size() + Records.uniqueSize(topicBytes, keyBytes);
        }

        @Override
        long weight() {
            return plain.weight() + Records.uniqueSize(topicBytes, keyBytes);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Refused judge(Pending pending) {
            return judge(unique, pending);
        }

        static Refused judge(UniqueKey unique, Pending pending) {
            FirstMessage prior = pending.holder(unique);
            return prior == null
                    ? null
                    : new Refused(
                            Refused.Reason.DUPLICATE,
                            "the message at position " + prior.position() + " holds the key " + unique.key(),
                            prior);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            Stored stored = (Stored) plain.encode(frame, pending);
            hold(unique, queueId, stored, frame, pending);
            return stored;
        }

        static void hold(UniqueKey unique, int queueId, Stored stored, FrameBuilder frame, Pending pending) {
            FirstMessage first =
                    new FirstMessage(stored.position(), stored.queueOffset(), queueId, stored.storeTimeMillis());
            frame.unique(
                    unique, Records.text(unique.topic()), Records.text(unique.key()), first, pending.keyTimeMillis());
            pending.holds(frame.index(), unique, first);
        }
    }

    /** Those of a batch whose key is not held; of two with one key the first. */
    static final class PutUniqueBatch extends Change {
        private final List<MessageDraft> messages;
        private final List<UniqueKey> uniques;
        private final int size;
        private FirstMessage[] prior;

        PutUniqueBatch(List<MessageDraft> sameQueue, List<UniqueKey> uniques, Completion done) {
            super(done);
            this.messages = sameQueue(sameQueue);
            this.uniques = Collections.unmodifiableList(new ArrayList<>(uniques));
            if (this.uniques.size() != messages.size()) {
                throw new IllegalArgumentException(
                        messages.size() + " messages, but " + this.uniques.size() + " unique keys");
            }
            long records = 0;
            for (UniqueKey unique : this.uniques) {
                records += unique == null
                        ? 0
                        : Records.uniqueSize(Records.text(unique.topic()), Records.text(unique.key()));
            }
            this.size = sizeOf(messages, records);
        }

        @Override
        int size() {
            return size;
        }

        @Override
        long weight() {
            return super.weight() + extraOf(messages);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Outcome judge(Pending pending) {
            prior = new FirstMessage[messages.size()];
            boolean any = false;
            for (int i = 0; i < prior.length; i++) {
                UniqueKey unique = uniques.get(i);
                prior[i] = unique == null ? null : pending.holder(unique);
                any |= prior[i] == null;
            }
            return any ? null : new BatchStored(Arrays.asList(new Stored[prior.length]), Arrays.asList(prior));
        }

        @Override
        Outcome encode(FrameBuilder frame, Pending pending) {
            Stored[] stored = new Stored[prior.length];
            Map<UniqueKey, FirstMessage> now = new LinkedHashMap<>();
            for (int i = 0; i < prior.length; i++) {
                UniqueKey unique = uniques.get(i);
                // By name alone: another time does not make it another key.
                UniqueKey name = unique == null ? null : new UniqueKey(unique.topic(), unique.key(), 0);
                prior[i] = prior[i] == null && unique != null ? now.get(name) : prior[i];
                if (prior[i] == null) {
                    MessageDraft message = messages.get(i);
                    stored[i] = frame.visible(message, 0);
                    if (unique != null) {
                        now.put(
                                name,
                                new FirstMessage(
                                        stored[i].position(),
                                        stored[i].queueOffset(),
                                        message.queueId(),
                                        stored[i].storeTimeMillis()));
                    }
                }
            }
            for (int i = 0; i < prior.length; i++) {
                UniqueKey unique = uniques.get(i);
                if (stored[i] != null && unique != null) {
                    FirstMessage first = now.get(new UniqueKey(unique.topic(), unique.key(), 0));
                    frame.unique(
                            unique,
                            Records.text(unique.topic()),
                            Records.text(unique.key()),
                            first,
                            pending.keyTimeMillis());
                    pending.holds(frame.index(), unique, first);
                }
            }
            return new BatchStored(Arrays.asList(stored), Arrays.asList(prior));
        }
    }

    /** A message is an object with texts, each of which takes far more than its bytes, and so is its entry. */
    private static long extraOf(MessageDraft message) {
        return 200 + 72L * message.keys().length;
    }

    private static long extraOf(List<MessageDraft> messages) {
        long extra = 0;
        for (MessageDraft message : messages) {
            extra += extraOf(message);
        }
        return extra;
    }

    private static List<MessageDraft> sameQueue(List<MessageDraft> batch) {
        if (batch.isEmpty()) {
            throw new IllegalArgumentException("a batch needs a message");
        }
        List<MessageDraft> messages = List.copyOf(batch);
        MessageDraft first = messages.get(0);
        for (MessageDraft message : messages) {
            if (message.queueId() != first.queueId() || !message.topic().equals(first.topic())) {
                throw new IllegalArgumentException("the messages of a batch must be of one queue");
            }
        }
        return messages;
    }

    static final class PutHalf extends Change {
        private final MessageDraft message;
        private final String group;
        private final byte[] groupBytes;
        private final String sender;
        private final byte[] senderBytes;
        private final long firstCheckMillis;

        PutHalf(MessageDraft message, String group, String sender, long firstCheckMillis, Completion done) {
            super(done);
            this.message = message;
            this.group = group;
            this.groupBytes = Records.text(group);
            this.sender = sender == null ? "" : sender;
            this.senderBytes = Records.text(sender);
            this.firstCheckMillis = firstCheckMillis;
        }

        @Override
        int size() {
            return Records.HALF_FIXED + groupBytes.length + senderBytes.length + message.size();
        }

        @Override
        long weight() {
            return super.weight() + extraOf(message);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.half(message, groupBytes, group, senderBytes, sender, firstCheckMillis);
        }
    }

    static final class PutDue extends Change {
        private final MessageDraft message;
        private final long dueMillis;

        PutDue(MessageDraft message, long dueMillis, Completion done) {
            super(done);
            this.message = message;
            this.dueMillis = dueMillis;
        }

        @Override
        int size() {
            return Records.DUE_FIXED + message.size();
        }

        @Override
        long weight() {
            return super.weight() + extraOf(message);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.due(message, dueMillis, 0);
        }
    }

    /** The decision and the visible (or delayed) copy stand in one frame, so that neither is ever there alone. */
    static final class Decide extends Change {
        private final long handle;
        private final Decision outcome;
        private final boolean fromCheck;
        private final String by;
        private final byte[] byBytes;
        private final MessageDraft copy;
        private final long dueMillis;

        Decide(
                long handle,
                Decision outcome,
                boolean fromCheck,
                String by,
                MessageDraft copy,
                long dueMillis,
                Completion done) {
            super(done);
            if (outcome == Decision.COMMIT && copy == null || outcome == Decision.ROLLBACK && copy != null) {
                throw new IllegalArgumentException("a COMMIT needs the final copy, a ROLLBACK must not have one");
            }
            this.handle = handle;
            this.outcome = outcome;
            this.fromCheck = fromCheck;
            this.by = by == null ? "" : by;
            this.byBytes = Records.text(by);
            this.copy = copy;
            this.dueMillis = dueMillis;
        }

        @Override
        int size() {
            return Records.DECISION_FIXED + byBytes.length + (copy == null ? 0 : Records.DUE_FIXED + copy.size());
        }

        @Override
        long weight() {
            return super.weight() + (copy == null ? 0 : extraOf(copy));
        }

        @Override
        Refused judge(Pending pending) {
            return pending.judgeHalf(handle);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            long position = frame.decided(handle, outcome, fromCheck, byBytes, by);
            pending.decided(
                    frame.index(),
                    new DecisionRecord(handle, position, outcome, fromCheck, frame.storeTimeMillis(), by));
            if (copy == null) {
                return new Stored(
                        position, -1, frame.storeTimeMillis(), Records.DECISION_FIXED + byBytes.length, handle);
            }
            return dueMillis == 0 ? frame.visible(copy, handle) : frame.due(copy, dueMillis, handle);
        }
    }

    static final class Fire extends Change {
        private final long handle;
        private final MessageDraft copy;

        Fire(long handle, MessageDraft copy, Completion done) {
            super(done);
            this.handle = handle;
            this.copy = copy;
        }

        @Override
        int size() {
            return Records.HEADER + 8 + copy.size();
        }

        @Override
        long weight() {
            return super.weight() + extraOf(copy);
        }

        @Override
        Refused judge(Pending pending) {
            return pending.judgeFire(handle);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.fired(handle);
            pending.dueGone(frame.index(), handle, false);
            Stored visible = frame.visible(copy, 0);
            return new Stored(
                    visible.position(), visible.queueOffset(), visible.storeTimeMillis(), visible.size(), handle);
        }
    }

    /** The record says topic and keys, so that the cancellation can be found by them as long as the log keeps it. */
    static final class Cancel extends Change {
        private final long handle;
        private final String by;
        private final byte[] byBytes;
        private final RecordedFacts views;
        private String topic;
        private String[] keys;
        private List<byte[]> texts;

        Cancel(long handle, String by, RecordedFacts views, Completion done) {
            super(done);
            this.handle = handle;
            this.by = by == null ? "" : by;
            this.byBytes = Records.text(by);
            this.views = views;
        }

        @Override
        int size() {
            return Records.cancelledSize(byBytes, texts);
        }

        /** Its keys are looked up when it is its turn. */
        @Override
        long weight() {
            return 1024 + byBytes.length;
        }

        @Override
        Refused judge(Pending pending) {
            Refused refused = pending.judgeDue(handle);
            if (refused == null) {
                // Known: a handle is only told once its message is applied.
                topic = views.due(handle).topic();
                keys = views.keysOfDue(handle);
                texts = new ArrayList<>(List.of(Records.text(topic)));
                for (String key : keys) {
                    texts.add(Records.text(key));
                }
            }
            return refused;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            pending.dueGone(frame.index(), handle, true);
            return frame.cancelled(handle, byBytes, by, texts, topic, keys);
        }
    }

    static final class Reschedule extends Change {
        private final long handle;
        private final long dueMillis;

        Reschedule(long handle, long dueMillis, Completion done) {
            super(done);
            this.handle = handle;
            this.dueMillis = dueMillis;
        }

        @Override
        int size() {
            return Records.HEADER + 16;
        }

        @Override
        Refused judge(Pending pending) {
            return pending.judgeDue(handle);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            pending.rescheduled(frame.index(), handle, dueMillis);
            return frame.rescheduled(handle, dueMillis);
        }
    }

    static final class Checked extends Change {
        private final long handle;
        private final int count;
        private final long nextCheckMillis;
        private final String client;
        private final byte[] clientBytes;
        private final CheckReason reason;
        private final String sender;
        private final byte[] senderBytes;

        Checked(
                long handle,
                int count,
                long nextCheckMillis,
                String client,
                CheckReason reason,
                String sender,
                Completion done) {
            super(done);
            this.handle = handle;
            this.count = count;
            this.nextCheckMillis = nextCheckMillis;
            this.client = client == null ? "" : client;
            this.clientBytes = Records.text(client);
            this.reason = reason;
            this.sender = sender == null ? "" : sender;
            this.senderBytes = Records.text(sender);
        }

        @Override
        int size() {
            return Records.CHECKED_FIXED + clientBytes.length + senderBytes.length;
        }

        @Override
        Refused judge(Pending pending) {
            return pending.judgeHalf(handle);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.checked(handle, count, nextCheckMillis, clientBytes, client, reason, senderBytes, sender);
        }
    }

    static final class Answered extends Change {
        private final long handle;
        private final String client;
        private final byte[] clientBytes;
        private final String answer;
        private final byte[] answerBytes;

        Answered(long handle, String client, String answer, Completion done) {
            super(done);
            this.handle = handle;
            this.client = client == null ? "" : client;
            this.clientBytes = Records.text(client);
            this.answer = answer == null ? "" : answer;
            this.answerBytes = Records.text(answer);
        }

        @Override
        int size() {
            return Records.HEADER + 8 + 2 + clientBytes.length + 2 + answerBytes.length;
        }

        /** Fine for a decided one too: an answer may come late. */
        @Override
        Refused judge(Pending pending) {
            Refused refused = pending.judgeHalf(handle);
            return refused == null || refused.reason() == Refused.Reason.ALREADY_DECIDED ? null : refused;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.answered(handle, clientBytes, client, answerBytes, answer);
        }
    }

    /** Says that a decision came too late. */
    static final class Conflict extends Change {
        private final DecisionConflict conflict;
        private final List<byte[]> texts;

        Conflict(DecisionConflict conflict, Completion done) {
            super(done);
            this.conflict = conflict;
            this.texts = List.of(
                    Records.text(conflict.decidedBy()),
                    Records.text(conflict.by()),
                    Records.text(conflict.messageId()),
                    Records.text(conflict.topic()),
                    Records.text(conflict.producerGroup()));
        }

        @Override
        int size() {
            int size = Records.CONFLICT_FIXED;
            for (byte[] text : texts) {
                size += text.length;
            }
            return size;
        }

        @Override
        Refused judge(Pending pending) {
            return pending.judgeConflict(conflict.handle(), conflict.late());
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.conflict(conflict, texts);
        }
    }

    /** Delivers the message of a rolled back transaction after all, once. Record and copy stand in one frame. */
    static final class Publish extends Change {
        private final long handle;
        private final String by;
        private final byte[] byBytes;
        private final UniqueKey unique;
        private final MessageDraft copy;
        private final long dueMillis;

        /** @param unique the key the message claims again, or null */
        Publish(long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
            super(done);
            this.handle = handle;
            this.by = by == null ? "" : by;
            this.byBytes = Records.text(by);
            this.unique = unique;
            this.copy = copy;
            this.dueMillis = dueMillis;
        }

        @Override
        int size() {
            int key = unique == null ? 0 : Records.uniqueSize(Records.text(unique.topic()), Records.text(unique.key()));
            return Records.PUBLISHED_FIXED + byBytes.length + Records.DUE_FIXED + copy.size() + key;
        }

        @Override
        long weight() {
            return super.weight() + extraOf(copy);
        }

        @Override
        Refused judge(Pending pending) {
            Refused refused = pending.judgePublish(handle);
            return refused != null || unique == null ? refused : PutUnique.judge(unique, pending);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            pending.published(frame.index(), frame.published(handle, byBytes, by));
            Stored stored = dueMillis == 0 ? frame.visible(copy, handle) : frame.due(copy, dueMillis, handle);
            if (unique != null) {
                PutUnique.hold(unique, copy.queueId(), stored, frame, pending);
            }
            return stored;
        }
    }

    static final class Progress extends Change {
        private final List<ConsumerOffset> entries;
        private final List<byte[]> texts;

        Progress(List<ConsumerOffset> entries, Completion done) {
            super(done);
            this.entries = List.copyOf(entries);
            this.texts = texts(this.entries);
        }

        @Override
        int size() {
            return Records.progressSize(texts);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.progress(entries, texts);
        }
    }

    static final class Catalog extends Change {
        private final CatalogKind kind;
        private final String name;
        private final byte[] nameBytes;
        private final byte[] value;

        Catalog(CatalogKind kind, String name, byte[] value, Completion done) {
            super(done);
            this.kind = kind;
            this.name = name;
            this.nameBytes = Records.text(name);
            this.value = value;
        }

        @Override
        int size() {
            return Records.HEADER + 1 + 2 + nameBytes.length + 1 + (value == null ? 0 : value.length);
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.catalog(kind, nameBytes, name, value);
        }
    }

    /** Messages of any queues and steps of pop states in one frame. */
    static final class Pop extends Change {
        private final List<MessageDraft> messages;
        private final List<PopDelta> deltas;
        private final byte[] encoded;
        private final int size;

        Pop(List<MessageDraft> messages, List<PopDelta> deltas, Completion done) {
            super(done);
            if (messages.isEmpty() && deltas.isEmpty()) {
                throw new IllegalArgumentException("neither a message nor a step of a pop state");
            }
            this.messages = List.copyOf(messages);
            this.deltas = List.copyOf(deltas);
            this.encoded = PopDelta.encode(this.deltas);
            this.size = sizeOf(this.messages, Records.HEADER + (long) encoded.length);
        }

        @Override
        int size() {
            return size;
        }

        @Override
        long weight() {
            return super.weight() + extraOf(messages);
        }

        @Override
        boolean isControl() {
            return messages.isEmpty();
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            Stored first = null;
            for (MessageDraft message : messages) {
                Stored stored = frame.visible(message, 0);
                first = first == null ? stored : first;
            }
            if (deltas.isEmpty()) {
                return first;
            }
            Stored record = frame.pop(deltas, encoded);
            return first == null ? record : first;
        }
    }

    private static int sizeOf(List<MessageDraft> messages, long more) {
        long total = more;
        for (MessageDraft message : messages) {
            total += message.size();
        }
        return (int) Math.min(Integer.MAX_VALUE, total);
    }

    /** Refused on a full disk, as it is for people only. */
    static final class Journal extends Change {
        private final List<DeliveryEvent> entries;
        private final List<byte[]> texts;

        Journal(List<DeliveryEvent> entries, Completion done) {
            super(done);
            if (entries.isEmpty()) {
                throw new IllegalArgumentException("a journal record needs an entry");
            }
            this.entries = List.copyOf(entries);
            this.texts = new ArrayList<>(3 * entries.size());
            for (DeliveryEvent entry : this.entries) {
                texts.add(Records.text(entry.group()));
                texts.add(Records.text(entry.topic()));
                texts.add(Records.text(entry.client()));
            }
        }

        @Override
        int size() {
            return Records.journalSize(texts);
        }

        @Override
        boolean isControl() {
            return false;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.journal(entries, texts);
        }
    }

    /** Says that all below a position may be missing. */
    static final class Dropped extends Change {
        private final long upTo;

        Dropped(long upTo, Completion done) {
            super(done);
            this.upTo = upTo;
        }

        @Override
        int size() {
            return Records.HEADER + 8;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.dropped(upTo);
        }
    }

    /** Closes the log cleanly. */
    static final class Mark extends Change {
        Mark(Completion done) {
            super(done);
        }

        @Override
        int size() {
            return Records.HEADER + 8;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.closingMark();
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size(), 0);
        }
    }

    /**
     * Restates one thing whose record is about to be dropped. It was gathered outside the role, so it is judged again inside:
     * whatever a later record, applied or in flight, says better is not restated.
     */
    abstract static class Carry extends Change {
        Carry(Completion done) {
            super(done);
        }

        /** Nothing is left to carry: an ordinary outcome. */
        static Refused superseded() {
            return new Refused(Refused.Reason.NOT_FOUND, "a later record says it", null);
        }
    }

    static final class CarryHalf extends Carry {
        private final PendingHalf half;
        private final ByteBuffer message;
        private final InFlight inFlight;
        private final byte[] groupBytes;
        private final byte[] senderBytes;
        private PendingHalf restated;

        CarryHalf(PendingHalf half, ByteBuffer message, InFlight inFlight, Completion done) {
            super(done);
            this.inFlight = inFlight;
            this.half = half;
            this.message = message;
            this.groupBytes = Records.text(half.producerGroup());
            this.senderBytes = Records.text(half.sender());
        }

        @Override
        int size() {
            // With room for a CHECKED record, whether or not one is needed.
            return Records.HALF_FIXED
                    + groupBytes.length
                    + senderBytes.length
                    + message.remaining()
                    + Records.CHECKED_FIXED;
        }

        @Override
        Refused judge(Pending pending) {
            PendingHalf now = pending.half(half.handle());
            if (now == null
                    || now.position() != half.position()
                    || !now.sender().equals(half.sender())
                    || inFlight.hasChecked(half.handle())) {
                return superseded();
            }
            restated = now;
            return null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.carryHalf(
                    message,
                    restated,
                    groupBytes,
                    senderBytes,
                    restated.waits() ? CheckReason.WAITING : CheckReason.NONE);
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size(), half.handle());
        }
    }

    static final class CarryDue extends Carry {
        private final PendingTimer due;
        private final ByteBuffer message;
        private long dueMillis;

        CarryDue(PendingTimer due, ByteBuffer message, Completion done) {
            super(done);
            this.due = due;
            this.message = message;
        }

        @Override
        int size() {
            return Records.DUE_FIXED + message.remaining();
        }

        @Override
        Refused judge(Pending pending) {
            dueMillis = pending.due(due.handle());
            return dueMillis < 0 ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.carryDue(message, due.handle(), dueMillis);
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size(), due.handle());
        }
    }

    /** Consumer offsets. Entries of which a newer value is known are left out when it is encoded. */
    static final class CarryProgress extends Carry {
        private final List<ConsumerOffset> entries;
        private final RewriteSource views;
        private final InFlight inFlight;

        CarryProgress(List<ConsumerOffset> entries, RewriteSource views, InFlight inFlight, Completion done) {
            super(done);
            this.entries = entries;
            this.views = views;
            this.inFlight = inFlight;
        }

        @Override
        int size() {
            return Records.progressSize(texts(entries));
        }

        private List<ConsumerOffset> current() {
            List<ConsumerOffset> current = new ArrayList<>(entries.size());
            for (ConsumerOffset entry : entries) {
                if (views.progress(entry.group(), entry.topic(), entry.queueId()) == entry.offset()
                        && !inFlight.hasProgress(entry)) {
                    current.add(entry);
                }
            }
            return current;
        }

        @Override
        Refused judge(Pending pending) {
            return current().isEmpty() ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            List<ConsumerOffset> current = current();
            return frame.progress(current, texts(current));
        }
    }

    static final class CarryCatalog extends Carry {
        private final RewriteSet.CatalogValue value;
        private final byte[] nameBytes;
        private final RewriteSource views;
        private final InFlight inFlight;

        CarryCatalog(RewriteSet.CatalogValue value, RewriteSource views, InFlight inFlight, Completion done) {
            super(done);
            this.value = value;
            this.nameBytes = Records.text(value.name());
            this.views = views;
            this.inFlight = inFlight;
        }

        @Override
        int size() {
            return Records.HEADER + 1 + 2 + nameBytes.length + 1 + value.value().length;
        }

        @Override
        Refused judge(Pending pending) {
            boolean same = Arrays.equals(views.catalog(value.kind(), value.name()), value.value());
            return same && !inFlight.hasCatalog(value.kind(), value.name()) ? null : superseded();
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            return frame.catalog(value.kind(), nameBytes, value.name(), value.value());
        }
    }

    /** A whole pop state as of this record: what the views know, and the steps in flight on top. */
    static final class CarryPop extends Carry {
        private final PopKey key;
        private final long below;
        private final RewriteSource views;
        private final InFlight inFlight;
        private final byte[] group;
        private final byte[] topic;
        private PopState state;
        private byte[] encoded;

        /** Unless a record at or above the position {@code below} began it anew. */
        CarryPop(PopKey key, long below, RewriteSource views, InFlight inFlight, Completion done) {
            super(done);
            this.key = key;
            this.below = below;
            this.views = views;
            this.inFlight = inFlight;
            this.group = Records.text(key.group());
            this.topic = Records.text(key.topic());
        }

        @Override
        int size() {
            return Records.popStateSize(group, topic, encoded);
        }

        /** The state is looked up when it is its turn. */
        @Override
        long weight() {
            return 1024 + group.length + topic.length;
        }

        @Override
        Refused judge(Pending pending) {
            PopFold fold = views.popFold(key);
            inFlight.forEach(fold::entry);
            if (fold.state() == null || fold.since() >= below) {
                return superseded();
            }
            state = fold.state();
            encoded = state.encode();
            return null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.popState(key, group, topic, state, encoded);
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size(), 0);
        }
    }

    /** Unique keys whose time is not past. Those that were set free or taken anew are left out. */
    static final class CarryUniques extends Carry {
        private final List<UniqueKeyOwner> holders;
        private final int size;
        private List<UniqueKeyOwner> current;

        CarryUniques(List<UniqueKeyOwner> holders, Completion done) {
            super(done);
            this.holders = holders;
            long total = 0;
            for (UniqueKeyOwner holder : holders) {
                total += Records.uniqueSize(
                        Records.text(holder.key().topic()),
                        Records.text(holder.key().key()));
            }
            this.size = (int) Math.min(Integer.MAX_VALUE, total);
        }

        @Override
        int size() {
            return size;
        }

        @Override
        Refused judge(Pending pending) {
            current = holders.stream().filter(pending::isHolder).toList();
            return current.isEmpty() ? superseded() : null;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            for (UniqueKeyOwner holder : current) {
                UniqueKey key = holder.key();
                frame.unique(
                        key,
                        Records.text(key.topic()),
                        Records.text(key.key()),
                        holder.first(),
                        pending.keyTimeMillis());
                // So that a rollback, a cancellation or another restatement in flight sees it.
                pending.holds(frame.index(), key, holder.first());
            }
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size, 0);
        }
    }

    static final class CarryQueueBase extends Carry {
        private final QueueKey queue;
        private final byte[] topicBytes;

        CarryQueueBase(QueueKey queue, Completion done) {
            super(done);
            this.queue = queue;
            this.topicBytes = Records.text(queue.topic());
        }

        @Override
        int size() {
            return Records.HEADER + 2 + topicBytes.length + 12;
        }

        @Override
        Stored encode(FrameBuilder frame, Pending pending) {
            frame.queueBase(topicBytes, queue.topic(), queue.queueId());
            return new Stored(frame.base(), -1, frame.storeTimeMillis(), size(), 0);
        }
    }

    /** What frames that are not applied yet say; asked inside the writer's role. */
    interface InFlight {
        boolean hasProgress(ConsumerOffset key);

        boolean hasCatalog(CatalogKind kind, String name);

        boolean hasChecked(long handle);

        /** In the order of the log. Some of it may be applied by now. */
        void forEach(Consumer<LogRecord> visitor);
    }

    private static List<byte[]> texts(List<ConsumerOffset> entries) {
        List<byte[]> texts = new ArrayList<>(2 * entries.size());
        for (ConsumerOffset entry : entries) {
            texts.add(Records.text(entry.group()));
            texts.add(Records.text(entry.topic()));
        }
        return texts;
    }
}
