/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.PendingMessage;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The changes that bring new messages, visible or pending, with or without a unique key. All are refused on a full disk. */
final class Appends {
    private Appends() {}

    static final class One extends LogWrite {
        private final MessageDraft message;

        One(MessageDraft message, Completion done) {
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

    /** Messages of one queue, all or none. */
    static final class PlainBatch extends LogWrite {
        private final List<MessageDraft> messages;
        private final int size;

        PlainBatch(List<MessageDraft> messages, Completion done) {
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

    /** A half or delayed message. */
    static final class Invisible extends LogWrite {
        private final PendingMessage record;
        private final MessageDraft message;
        private final int size;

        Invisible(PendingMessage record, MessageDraft message, Completion done) {
            super(done);
            this.record = record;
            this.message = message;
            this.size = record.bytesBefore() + message.size();
        }

        @Override
        int size() {
            return size;
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
            return frame.pending(record, message, 0);
        }
    }

    /** Visible messages of any queues and steps of pop states, all or none. Steps alone may use the room that is held back. */
    static final class AndPopSteps extends LogWrite {
        private final List<MessageDraft> messages;
        /** Null for none. */
        private final PopSteps steps;

        private final int size;

        AndPopSteps(List<MessageDraft> messages, PopSteps steps, Completion done) {
            super(done);
            if (messages.isEmpty() && steps.deltas().isEmpty()) {
                throw new IllegalArgumentException("neither a message nor a step of a pop state");
            }
            this.messages = List.copyOf(messages);
            this.steps = steps.deltas().isEmpty() ? null : steps;
            this.size = sizeOf(this.messages, steps.size());
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
            Stored first = visible(messages, frame);
            if (steps == null) {
                return first;
            }
            Stored record = frame.stored(frame.add(steps));
            return first == null ? record : first;
        }
    }

    /** Puts them in; what became of the first, null if there is none. */
    static Stored visible(List<MessageDraft> messages, FrameBuilder frame) {
        Stored first = null;
        for (MessageDraft message : messages) {
            Stored stored = frame.visible(message, 0);
            first = first == null ? stored : first;
        }
        return first;
    }

    /** A message that is stored only if no other of its topic holds its key. */
    static final class Unique extends LogWrite {
        private final UniqueKey unique;
        private final int queueId;
        private final LogWrite plain;
        private final int size;

        Unique(UniqueKey unique, int queueId, LogWrite plain, Completion done) {
            super(done);
            this.unique = unique;
            this.queueId = queueId;
            this.plain = plain;
            this.size = UniqueKeyClaim.sizeOf(unique);
        }

        @Override
        int size() {
            return plain.size() + size;
        }

        @Override
        long weight() {
            return plain.weight() + size;
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
            hold(unique, first, frame, pending);
        }

        static void hold(UniqueKey unique, FirstMessage first, FrameBuilder frame, Pending pending) {
            pending.note(frame.index(), frame.add(new UniqueKeyClaim(-1, unique, first, pending.keyTimeMillis())));
        }
    }

    /** Those of a batch whose key is not held; of two with one key the first. */
    static final class UniqueBatch extends LogWrite {
        private final List<MessageDraft> messages;
        private final List<UniqueKey> uniques;
        private final int size;
        private FirstMessage[] prior;

        UniqueBatch(List<MessageDraft> sameQueue, List<UniqueKey> uniques, Completion done) {
            super(done);
            this.messages = sameQueue(sameQueue);
            this.uniques = Collections.unmodifiableList(new ArrayList<>(uniques));
            if (this.uniques.size() != messages.size()) {
                throw new IllegalArgumentException(
                        messages.size() + " messages, but " + this.uniques.size() + " unique keys");
            }
            long records = 0;
            for (UniqueKey unique : this.uniques) {
                records += unique == null ? 0 : UniqueKeyClaim.sizeOf(unique);
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
                    Unique.hold(unique, first, frame, pending);
                }
            }
            return new BatchStored(Arrays.asList(stored), Arrays.asList(prior));
        }
    }

    /** A message is an object with texts, each of which takes far more than its bytes, and so is its entry. */
    static long extraOf(MessageDraft message) {
        return 200 + 72L * message.keys().length;
    }

    static long extraOf(List<MessageDraft> messages) {
        long extra = 0;
        for (MessageDraft message : messages) {
            extra += extraOf(message);
        }
        return extra;
    }

    static int sizeOf(List<MessageDraft> messages, long more) {
        long total = more;
        for (MessageDraft message : messages) {
            total += message.size();
        }
        return (int) Math.min(Integer.MAX_VALUE, total);
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
}
