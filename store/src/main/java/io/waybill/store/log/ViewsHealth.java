/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.RebuildableFold;

/** How the views are that the log is folded into. No message is lost by what is wrong with them. Any thread. */
public final class ViewsHealth {
    private final RebuildableFold views;
    private final ViewsRebuild rebuild;
    private final Applier applier;

    ViewsHealth(RebuildableFold views, ViewsRebuild rebuild, Applier applier) {
        this.views = views;
        this.rebuild = rebuild;
        this.applier = applier;
    }

    /** What is wrong, in a sentence for people; empty if all is well. */
    public String trouble() {
        String damage = views.damage();
        if (damage != null) {
            String failure = rebuild.failure();
            return damage + views.howFar() + (failure == null ? "" : " (the last try failed: " + failure + ")");
        }
        String failure = applier.checkpointFailure() == null ? views.unwritable() : applier.checkpointFailure();
        return failure == null ? "" : "the views cannot be written: " + failure;
    }

    /** How often they were made again since the store was opened. */
    public long rebuilds() {
        return rebuild.rebuilds();
    }
}
