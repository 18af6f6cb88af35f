/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Asks the conditions of delayed messages and remembers how far each was looked for in vain, so that many messages that wait for the same thing do
 * not look at every message of its key each. Of one thread.
 */
final class Unfulfilled {
    private static final int MOST_REMEMBERED = 4_096;

    /** No message that was stored since then and stands before the position fulfils the condition. */
    private record Seen(long sinceMillis, long upTo) {}

    private final Store store;
    private final Map<Unless, Seen> known = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Unless, Seen> eldest) {
            return size() > MOST_REMEMBERED;
        }
    };

    Unfulfilled(Store store) {
        this.store = store;
    }

    /** The message that fulfils the condition, or null; throws as {@link Unless#fulfilledBy} does. */
    ByteBuffer find(Unless unless, long sinceMillis) {
        long applied = store.positions().applied(); // before the look: what comes meanwhile is looked at next time
        Seen seen = known.get(unless);
        if (seen == null || sinceMillis < seen.sinceMillis()) {
            ByteBuffer found = unless.fulfilledBy(store, sinceMillis, 0);
            if (found == null) {
                known.put(unless, new Seen(sinceMillis, applied));
            }
            return found;
        }
        ByteBuffer newest = unless.fulfilledBy(store, seen.sinceMillis(), seen.upTo());
        if (newest != null && StoredMessage.storeTimestamp(newest, 0) >= sinceMillis) {
            return newest;
        }
        // When the newest one that fits came too early, nothing is known for delayed messages older than this one.
        known.put(unless, new Seen(newest == null ? seen.sinceMillis() : sinceMillis, applied));
        return null;
    }

    /** Where in the log the next look for the condition begins; 0 = at the oldest message. */
    long begin(Unless unless, long sinceMillis) {
        Seen seen = known.get(unless);
        return seen != null && sinceMillis >= seen.sinceMillis() ? seen.upTo() : 0;
    }
}
