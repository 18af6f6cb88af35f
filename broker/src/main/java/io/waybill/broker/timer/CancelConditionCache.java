/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import io.waybill.store.StoreStatus;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Asks the conditions of delayed messages and remembers how far each was looked for in vain, so that many messages that wait for the same thing do
 * not look at every message of its key each. Of one thread.
 */
final class CancelConditionCache {
    private static final int MOST_REMEMBERED = 4_096;
    /** Of conditions, which peers write and which may be as long as all properties of a message: of characters, two bytes each. */
    private static final int MOST_CHARACTERS = 1 << 20;

    /** No message that was stored since then and stands before the position fulfils the condition. */
    private record Seen(long sinceMillis, long upTo) {}

    private final MessageStore messageStore;
    private final StoreStatus storeStatus;
    private final Map<CancelCondition, Seen> known = new LinkedHashMap<>(16, 0.75f, true);
    private long characters;

    CancelConditionCache(MessageStore messageStore, StoreStatus storeStatus) {
        this.messageStore = messageStore;
        this.storeStatus = storeStatus;
    }

    /** The message that fulfils the condition, or null; throws as {@link CancelCondition#fulfilledBy} does. */
    ByteBuffer find(CancelCondition unless, long sinceMillis) {
        long applied =
                storeStatus.positions().applied(); // before the look: what comes meanwhile is looked at next time
        Seen seen = known.get(unless);
        if (seen == null || sinceMillis < seen.sinceMillis()) {
            ByteBuffer found = unless.fulfilledBy(messageStore, sinceMillis, 0);
            if (found == null) {
                remember(unless, new Seen(sinceMillis, applied));
            }
            return found;
        }
        ByteBuffer newest = unless.fulfilledBy(messageStore, seen.sinceMillis(), seen.upTo());
        if (newest != null && StoredMessage.storeTimestamp(newest, 0) >= sinceMillis) {
            return newest;
        }
        // When the newest one that fits came too early, nothing is known for delayed messages older than this one.
        remember(unless, new Seen(newest == null ? seen.sinceMillis() : sinceMillis, applied));
        return null;
    }

    private void remember(CancelCondition unless, Seen seen) {
        if (known.put(unless, seen) == null) {
            characters += length(unless);
            Iterator<CancelCondition> eldest = known.keySet().iterator();
            while (known.size() > MOST_REMEMBERED || characters > MOST_CHARACTERS) {
                characters -= length(eldest.next());
                eldest.remove();
            }
        }
    }

    private static int length(CancelCondition unless) {
        return unless.topic().length()
                + unless.key().length()
                + (unless.tag() == null ? 0 : unless.tag().length());
    }

    /** How many characters of conditions are remembered. */
    long characters() {
        return characters;
    }

    /** Where in the log the next look for the condition begins; 0 = at the oldest message. */
    long begin(CancelCondition unless, long sinceMillis) {
        Seen seen = known.get(unless);
        return seen != null && sinceMillis >= seen.sinceMillis() ? seen.upTo() : 0;
    }
}
