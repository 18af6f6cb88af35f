/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.view.Views;
import java.util.List;

/** Pop states: what a group has taken, acknowledged and must see again, per queue. What always holds: a state is the sum of its steps. */
public final class PopStore {
    private final Views views;
    private final CommitLog log;

    PopStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    /** Records steps of pop states, all or none. Each state begins with a Start or a Reset. */
    public void recordPops(List<PopDelta> deltas, Completion done) {
        log.submit(StateWrites.pop(List.of(), deltas, done));
    }

    /**
     * Makes messages visible and records steps of pop states, all or none. The messages may be of different queues, or none.
     * {@link io.waybill.store.log.Stored} of the first.
     */
    public void appendAndRecordPops(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        log.submit(StateWrites.pop(visible, deltas, done));
    }

    /** A copy; null if there is none. */
    public PopState popState(PopKey key) {
        return views.pops().state(key);
    }

    /** Of all pop states, sorted by group, topic and queue. */
    public List<PopKey> popKeys() {
        return views.pops().keys();
    }

    /**
     * Keys of pop states behind one, about so many, without reading the states; null begins, an empty list ends. Every state that was there at the
     * beginning is seen, also twice if it is being written.
     */
    public List<PopKey> popKeysAfter(PopKey last, int max) {
        return views.pops().after(last, max);
    }
}
