/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PendingReset;
import io.waybill.store.record.RecordKind;
import io.waybill.store.view.Views;
import java.util.List;
import java.util.Set;

/** Committed offsets of consumer groups. What always holds: an offset is what the group committed last, lower or higher. */
public final class OffsetStore {
    private final Views views;
    private final CommitLog log;

    OffsetStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    /** Records consumer offsets, all or none; a negative offset removes one. */
    public void commitOffsets(List<ConsumerOffset> entries, Completion done) {
        log.submit(StateWrites.commitOffsets(entries, List.of(), done));
    }

    /** Records offsets and resets of which clients are to be notified, or are notified by now, all or none; one list may be empty. */
    public void commitOffsetsAndResets(List<ConsumerOffset> offsets, List<PendingReset> resets, Completion done) {
        log.submit(StateWrites.commitOffsets(offsets, resets, done));
    }

    /** Resets that clients were not notified of yet. */
    public List<PendingReset> pendingResets() {
        return views.states(RecordKind.RESET, PendingReset.class).all(new byte[0]);
    }

    /** -1 if none. */
    public long committedOffset(String group, String topic, int queueId) {
        return views.offsets().get(group, topic, queueId);
    }

    public List<ConsumerOffset> offsetsOf(String group) {
        return views.offsets().of(group);
    }

    public List<ConsumerOffset> allOffsets() {
        return views.offsets().all();
    }

    /** How many offsets are committed. Looks at all of them. */
    public int offsetCount() {
        return views.offsets().count();
    }

    public Set<String> groupsWithOffsets(String topic) {
        return views.offsets().groups(topic);
    }
}
