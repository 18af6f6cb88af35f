/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.LogStats;
import io.waybill.store.log.Positions;
import io.waybill.store.log.StoreState;
import io.waybill.store.view.Views;

/** How the store is. Every method answers at once, except that {@link #statistics} asks the file system. */
public final class StoreStatus {
    private final Views views;
    private final CommitLog log;

    StoreStatus(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    public StoreState state() {
        return log.state();
    }

    /** Runs this once the store takes no more changes after a failed write or force; at once if that is so. It must not block. */
    public void onFrozen(Runnable told) {
        log.onFrozen(told);
    }

    public Positions positions() {
        return log.positions();
    }

    /** The first position that can be read: what is below was dropped. */
    public long oldestPosition() {
        return views.forLog().droppedTo();
    }

    public LogStats statistics() {
        return log.stats();
    }

    /** What is wrong with the views, in a sentence for people; empty if nothing is. No message is lost by it. */
    public String viewsTrouble() {
        return log.viewsHealth().trouble();
    }

    /** How often the views were made again since the store was opened. */
    public long viewsRebuilds() {
        return log.viewsHealth().rebuilds();
    }
}
