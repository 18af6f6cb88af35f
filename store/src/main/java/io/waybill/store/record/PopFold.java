/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The fold of the log's pop records of one key: the state, and since which record it holds (the log from there on folds to
 * it). Steps before a first Start or Reset are the past of a trimmed log and say nothing. A record that is in the state
 * already changes nothing.
 */
public final class PopFold {
    private final PopKey key;
    private long since;
    /** The position of the last record in the state. */
    private long last;

    private PopState state;

    public PopFold(PopKey key, long since, long last, PopState state) {
        this.key = key;
        this.since = since;
        this.last = last;
        this.state = state;
    }

    /** Null if there is no state. */
    public PopState state() {
        return state;
    }

    /** The position of the record that began the state; -1 if there is none. */
    public long since() {
        return state == null ? -1 : since;
    }

    public long last() {
        return last;
    }

    /** Takes from an entry what is of this key. */
    public void entry(LogRecord entry) {
        if (entry.position() <= last) {
            return;
        }
        if (entry instanceof PopSteps pop) {
            for (PopDelta delta : pop.deltas()) {
                if (delta.key().equals(key)) {
                    steps(pop.position(), delta.changes());
                }
            }
        } else if (entry instanceof PopSnapshot restated && restated.key().equals(key)) {
            restate(restated.position(), restated.state());
        }
    }

    public void restate(long position, PopState restated) {
        last = position;
        since = position;
        state = restated.copy();
    }

    /** Steps of a record that is not in the state, or of one in which others were before these. */
    public void steps(long position, Iterable<PopChange> changes) {
        last = position;
        for (PopChange change : changes) {
            if (change instanceof PopChange.Reset reset) {
                since = position;
                state = new PopState(reset.base());
            } else if (state == null) {
                if (change instanceof PopChange.Start start) {
                    since = position;
                    state = new PopState(start.base());
                }
            } else if (!state.apply(change)) {
                state = null;
            }
        }
    }
}
