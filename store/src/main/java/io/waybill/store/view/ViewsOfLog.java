/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RebuildableFold;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyOwner;
import java.util.List;
import java.util.function.Predicate;

/** The views as the log sees them: each question goes to the view that knows, as of now. */
final class ViewsOfLog implements FoldedLog {
    private final Views views;

    ViewsOfLog(Views views) {
        this.views = views;
    }

    @Override
    public void apply(List<? extends LogRecord> records, Checkpoint upTo) {
        views.apply(records, upTo);
    }

    @Override
    public void applyOrLose(List<? extends LogRecord> records, Checkpoint upTo) {
        views.applyOrLose(records, upTo);
    }

    @Override
    public Checkpoint applied() {
        return views.applied();
    }

    @Override
    public long droppedTo() {
        return views.droppedTo();
    }

    @Override
    public Checkpoint checkpoint() {
        return views.checkpoint();
    }

    @Override
    public Checkpoint flushedCheckpoint() {
        return views.flushedCheckpoint();
    }

    @Override
    public boolean prepareCheckpoint() {
        return views.prepareCheckpoint();
    }

    @Override
    public void writeCheckpoint(boolean flush) {
        views.writeCheckpoint(flush);
    }

    @Override
    public long gatheredBytes() {
        return views.gatheredBytes();
    }

    @Override
    public long unwrittenBytes() {
        return views.unwrittenBytes();
    }

    @Override
    public String damage() {
        return views.damage();
    }

    @Override
    public void close() {
        views.close();
    }

    @Override
    public void onDamage(Runnable wake) {
        views.onDamage(wake);
    }

    @Override
    public String unwritable() {
        return views.unwritable();
    }

    @Override
    public boolean isBackendSound() {
        return views.isBackendSound();
    }

    @Override
    public void startOver() {
        views.startOver();
    }

    @Override
    public RebuildableFold beside() {
        return views.beside().forLog();
    }

    @Override
    public RebuildableFold reread() {
        return views.reread().forLog();
    }

    @Override
    public Runnable adopt(RebuildableFold fresh) {
        return views.adopt(((ViewsOfLog) fresh).views);
    }

    @Override
    public List<QueueKey> lostQueues() {
        return views.lostQueues();
    }

    @Override
    public void progress(String howFar) {
        views.progress(howFar);
    }

    @Override
    public String howFar() {
        return views.howFar();
    }

    @Override
    public long nextOffset(String topic, int queueId) {
        return views.consumeQueues().view(topic, queueId).max();
    }

    @Override
    public PendingHalf half(long handle) {
        return views.transactions().get(handle);
    }

    @Override
    public DecisionRecord decisionOf(long handle) {
        return views.transactions().decisionOf(handle);
    }

    @Override
    public DecisionConflict conflict(long handle, Decision late) {
        return views.transactions().conflict(handle, late);
    }

    @Override
    public PublishRecord published(long handle) {
        return views.transactions().published(handle);
    }

    @Override
    public RolledBack rolledBack(long handle) {
        return views.transactions().rolledBack(handle);
    }

    @Override
    public PendingTimer due(long handle) {
        return views.timers().get(handle);
    }

    @Override
    public String[] keysOfDue(long handle) {
        return views.timers().keys(handle);
    }

    @Override
    public UniqueKeyOwner holder(String topic, String key) {
        return views.uniqueKeys().get(topic, key);
    }

    @Override
    public Settlement settledOverlapping(Settlement range) {
        return views.settlements().overlapping(range);
    }

    @Override
    public long keyTimeMillis() {
        return views.fold().views.uniques.timeMillis();
    }

    @Override
    public void visitUniquesBelow(long position, Predicate<UniqueKeyOwner> visitor) {
        views.uniqueKeys().visitBelow(position, visitor);
    }

    @Override
    public PopState popState(PopKey key) {
        return views.pops().state(key);
    }

    @Override
    public PopFold popFold(PopKey key) {
        return views.pops().fold(key);
    }

    @Override
    public long progress(String group, String topic, int queueId) {
        return views.offsets().get(group, topic, queueId);
    }

    @Override
    public byte[] catalog(CatalogKind kind, String name) {
        return views.catalog().get(kind, name);
    }

    @Override
    public long positionOf(StateRecord record) {
        return views.reading(Family.STATE).states(record.kind()).positionOf(record.key());
    }

    @Override
    public RewriteSet pendingBefore(long position) {
        // Unique keys alone can be more than the memory holds: their beginning is enough, it is asked again for the
        // rest.
        return new RewriteSet(
                views.reading(Family.TRANSACTIONS).transactions.below(position),
                views.reading(Family.DUE).dueMessages.below(position),
                views.reading(Family.OFFSETS).offsets.below(position),
                views.reading(Family.CATALOG).catalog.below(position),
                views.reading(Family.STATE).statesBelow(position),
                views.reading(Family.POP).pops.below(position),
                views.reading(Family.UNIQUE).uniques.below(position, Views.MOST_UNIQUES),
                views.reading(Family.QUEUE).queues.basesBelow(position));
    }
}
