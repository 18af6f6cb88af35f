/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.store.MessageStore;
import io.waybill.store.log.Completion;

/** The one append of a send: what was placed goes to the store, once, all or nothing. */
final class MessageAppender {
    private final MessageStore messages;
    private final DelayedMessageWriter delays;
    private final HalfMessageWriter halves;
    private final Topics topics;

    MessageAppender(MessageStore messages, DelayedMessageWriter delays, HalfMessageWriter halves, Topics topics) {
        this.messages = messages;
        this.delays = delays;
        this.halves = halves;
        this.topics = topics;
    }

    /** @param done gets the outcome, by the thread that confirms */
    void append(Placement placement, Completion done) {
        if (placement instanceof Placement.Visible visible) {
            messages.appendUnique(visible.unique(), visible.message(), done);
        } else if (placement instanceof Placement.Delayed delayed) {
            delays.append(delayed.unique(), delayed.message(), delayed.dueMillis(), done);
        } else if (placement instanceof Placement.Half half) {
            halves.append(half.half(), half.unique(), done);
        } else if (placement instanceof Placement.Batch batch) {
            if (batch.unique() == null) {
                messages.appendBatch(batch.messages(), done);
            } else {
                messages.appendUniqueBatch(batch.messages(), batch.unique(), done);
            }
        } else if (placement instanceof Placement.DeadLetter dead) {
            // Only tools need the topic's settings; the message itself can be stored before they are.
            topics.ensure(dead.message().topic(), 1, change -> {});
            messages.append(dead.message(), done);
        } else {
            throw new IllegalArgumentException("not for the store: " + placement);
        }
    }
}
