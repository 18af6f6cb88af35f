/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.TimerCancelled;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;

/**
 * What is pending as the writer must see it: the views, corrected by the decisions in frames that are not applied yet. That
 * is why the first decision wins although the views learn of it late. Used by the holder of the writer's role only.
 *
 * <p>An overlay entry is removed only after its frame was applied, so at every moment the overlay or the views know. What a
 * change that failed has noted is taken back ({@link #mark}, {@link #rollBack}).
 */
final class Pending {
    private final FoldedLog views;
    private final Notes<Long, Settled> settled = new Notes<>();
    private final Notes<TopicUniqueKey, ClaimedKey> held = new Notes<>();
    private final Notes<Long, PublishRecord> published = new Notes<>();
    private boolean consultedInFlight;
    private long nowMillis;

    /** Exactly one of: a decision, a delayed message that is gone, or its new due time. */
    private record Settled(
            long handle, long frameIndex, DecisionRecord decision, boolean gone, boolean cancelled, long dueMillis) {}

    private record TopicUniqueKey(String topic, String key) {}

    private record ClaimedKey(long untilMillis, FirstMessage first) {}

    private final KeyTime keyTime;
    private final Rewrites.UnappliedLog inFlight;

    Pending(FoldedLog views, KeyTime keyTime, Rewrites.UnappliedLog inFlight) {
        this.views = views;
        this.keyTime = keyTime;
        this.inFlight = inFlight;
    }

    /** What is applied. */
    FoldedLog views() {
        return views;
    }

    /** What is not applied yet. */
    Rewrites.UnappliedLog inFlight() {
        return inFlight;
    }

    long keyTimeMillis() {
        return keyTime.millis();
    }

    void now(long millis) {
        nowMillis = millis;
    }

    /** Whether an answer since the last call came from a frame that is not confirmed. */
    boolean takeConsultedInFlight() {
        boolean was = consultedInFlight;
        consultedInFlight = false;
        return was;
    }

    /** An answer came from a frame that is not confirmed. */
    void consulted() {
        consultedInFlight = true;
    }

    /** Forgets what the views know by now. */
    void prune(long appliedIndex) {
        settled.prune(appliedIndex);
        held.prune(appliedIndex);
        published.prune(appliedIndex);
    }

    /** Where a roll back goes back to: here. */
    void mark() {
        settled.mark();
        held.mark();
        published.mark();
    }

    /** Takes back what was noted since the mark. */
    void rollBack() {
        settled.rollBack();
        held.rollBack();
        published.rollBack();
        consultedInFlight = false;
    }

    private Settled settled(long handle) {
        if (settled.isEmpty()) {
            return null;
        }
        Settled found = settled.get(handle);
        consultedInFlight |= found != null;
        return found;
    }

    private void settle(Settled now) {
        settled.put(now.handle, now.frameIndex, now);
    }

    /** A record stands in the frame of this index: from now on it counts. */
    void note(long frameIndex, ControlRecord record) {
        long handle = record.handle();
        if (record instanceof DecisionRecord decision) {
            settle(new Settled(handle, frameIndex, decision, false, false, 0));
        } else if (record instanceof TimerFired) {
            settle(new Settled(handle, frameIndex, null, true, false, 0));
        } else if (record instanceof TimerCancelled) {
            settle(new Settled(handle, frameIndex, null, true, true, 0));
        } else if (record instanceof TimerRescheduled moved) {
            settle(new Settled(handle, frameIndex, null, false, false, Math.max(0, moved.dueMillis())));
        } else if (record instanceof PublishRecord publication) {
            published.put(handle, frameIndex, publication);
        } else if (record instanceof UniqueKeyClaim claim) {
            UniqueKey key = claim.key();
            held.put(
                    new TopicUniqueKey(key.topic(), key.key()),
                    frameIndex,
                    new ClaimedKey(key.untilMillis(), claim.first()));
        }
    }

    // ---- halves

    Refused judgeHalf(long handle) {
        Settled settled = settled(handle);
        if (settled != null && settled.decision != null) {
            return alreadyDecided(settled.decision);
        }
        if (views.half(handle) != null) {
            return null;
        }
        DecisionRecord prior = views.decisionOf(handle);
        return prior != null ? alreadyDecided(prior) : notFound("no open transaction", handle);
    }

    /** Whether a client may be noted as having answered: fine for a decided one too, an answer may come late. */
    Refused judgeAnswer(long handle) {
        Refused refused = judgeHalf(handle);
        return refused == null || refused.reason() == Refused.Reason.ALREADY_DECIDED ? null : refused;
    }

    /** The open half, or null. */
    PendingHalf half(long handle) {
        Settled settled = settled(handle);
        return settled != null && settled.decision != null ? null : views.half(handle);
    }

    /** One that is known is enough. */
    Refused judgeConflict(long handle, Decision late) {
        return views.conflict(handle, late) == null
                ? null
                : new Refused(Refused.Reason.ALREADY_DECIDED, "this conflict is recorded", null);
    }

    /** Whether a rolled back message may be delivered after all: once, and while it is in the log. */
    Refused judgePublish(long handle) {
        PublishRecord prior = published.get(handle);
        consultedInFlight |= prior != null;
        prior = prior == null ? views.published(handle) : prior;
        if (prior != null) {
            return new Refused(
                    Refused.Reason.ALREADY_DECIDED, "the transaction " + handle + " was already published", prior);
        }
        DecisionRecord decision = views.decisionOf(handle);
        if (decision != null && decision.outcome() != Decision.ROLLBACK) {
            return alreadyDecided(decision);
        }
        return decision == null || views.rolledBack(handle) == null
                ? notFound("no rolled back message that the log still keeps", handle)
                : null;
    }

    // ---- delayed messages

    Refused judgeDue(long handle) {
        return due(handle) < 0 ? notFound("no pending delayed message", handle) : null;
    }

    Refused judgeFire(long handle) {
        long due = due(handle);
        if (due < 0) {
            return notFound("no pending delayed message", handle);
        }
        if (due > nowMillis) {
            return new Refused(Refused.Reason.NOT_DUE, "the message " + handle + " is due only at " + due, null);
        }
        return null;
    }

    /** The due time as of the last decision, or -1 if it is not pending. */
    long due(long handle) {
        Settled settled = settled(handle);
        if (settled != null) {
            return settled.gone ? -1 : settled.dueMillis;
        }
        PendingTimer due = views.due(handle);
        return due == null ? -1 : Math.max(0, due.dueMillis());
    }

    // ---- unique keys

    /** The message that holds the key; null if it is free. */
    FirstMessage holder(UniqueKey unique) {
        ClaimedKey inFlightOne = heldInFlight(unique);
        FirstMessage first;
        long untilMillis;
        if (inFlightOne != null) {
            consultedInFlight = true;
            first = inFlightOne.first;
            untilMillis = inFlightOne.untilMillis;
        } else {
            UniqueKeyOwner known = views.holder(unique.topic(), unique.key());
            if (known == null) {
                return null;
            }
            first = known.first();
            untilMillis = known.key().untilMillis();
        }
        return untilMillis <= keyTime.millis() || isReleased(first) ? null : first;
    }

    private ClaimedKey heldInFlight(UniqueKey unique) {
        return held.isEmpty() ? null : held.get(new TopicUniqueKey(unique.topic(), unique.key()));
    }

    private boolean isReleased(FirstMessage first) {
        Settled settled = first.queueOffset() < 0 ? settled(first.position()) : null;
        return settled != null
                && (settled.cancelled || settled.decision != null && settled.decision.outcome() == Decision.ROLLBACK);
    }

    /** Whether the views' holder is still the one, whatever its time. */
    boolean isHolder(UniqueKeyOwner holder) {
        UniqueKeyOwner known = views.holder(holder.key().topic(), holder.key().key());
        return known != null
                && known.position() == holder.position()
                && heldInFlight(holder.key()) == null
                && !isReleased(holder.first());
    }

    private static Refused alreadyDecided(DecisionRecord prior) {
        String what = switch (prior.outcome()) {
            case COMMIT -> "committed";
            case ROLLBACK -> "rolled back";
            case EXHAUSTED -> "given up after too many checks";
        };
        return new Refused(
                Refused.Reason.ALREADY_DECIDED, "the transaction " + prior.handle() + " was already " + what, prior);
    }

    private static Refused notFound(String what, long handle) {
        return new Refused(Refused.Reason.NOT_FOUND, what + " has the handle " + handle, null);
    }
}
