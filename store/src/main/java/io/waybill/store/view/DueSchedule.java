/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/** When what is due, of delayed messages and of checks of transactions. Any thread. */
public final class DueSchedule {
    private final Views views;

    DueSchedule(Views views) {
        this.views = views;
    }

    /** At most {@code max} items of either kind that are due at or before an instant, earliest first. */
    public DueBatch upTo(long nowMillis, int max) {
        return views.dueUpTo(nowMillis, max);
    }

    /** When the next item of either kind is due; Long.MAX_VALUE if there is none. Costs one volatile read. */
    public long nextMillis() {
        return views.nextDueMillis();
    }

    /** What the applier runs after {@link #nextMillis} moved to an earlier time; quick, and must not call back. One at most. */
    public void onEarlier(Runnable wake) {
        views.onDueEarlier(wake);
    }
}
