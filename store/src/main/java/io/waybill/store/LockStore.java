/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.QueueLock;
import io.waybill.store.record.RecordKind;
import io.waybill.store.view.StateRecords;
import io.waybill.store.view.Views;
import java.util.List;

/** Which client holds which ordered queue. What always holds: the last record of a queue counts; one without a client frees it. */
public final class LockStore {
    private static final byte[] BEGINNING = new byte[0];

    private final Views views;
    private final CommitLog log;

    LockStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    private StateRecords<QueueLock> locks() {
        return views.states(RecordKind.LOCK, QueueLock.class);
    }

    /** Records new holders, all or none. */
    public void recordLocks(List<QueueLock> changes, Completion done) {
        log.submit(StateWrites.write(changes, done));
    }

    /** Queues of a group that are held. */
    public List<QueueLock> locksOf(String group) {
        return locks().all(QueueLock.keysOf(group));
    }

    /**
     * The next ones behind a queue, in an order that does not change.
     *
     * @param groupOrNull null for the first ones; topic and queue do not count then
     */
    public List<QueueLock> locksAfter(String groupOrNull, String topic, int queueId, int max) {
        return locks().behind(groupOrNull == null ? BEGINNING : QueueLock.key(groupOrNull, topic, queueId), max);
    }

    /** Looks at all of them. */
    public int lockCount() {
        return locks().count();
    }
}
