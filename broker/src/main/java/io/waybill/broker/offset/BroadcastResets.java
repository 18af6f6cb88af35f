/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.store.StoreClock;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Where members of groups that broadcast are to go on. What always holds: each member is told once, within ten minutes or not at all, and nothing is
 * recorded, because these members keep their offsets themselves. Safe from any thread.
 */
public final class BroadcastResets {
    /** So long a member is told of a reset; one that comes back later goes on where it was. */
    private static final long TELL_MILLIS = 600_000;

    private record GroupQueue(String group, String topic, int queueId) {}

    /** @param waiting the client ids that were not told yet; never empty */
    private record MemberResets(long offset, Set<String> waiting, long untilMillis) {}

    /** Gets to know of a reset of a queue. */
    @FunctionalInterface
    interface Notified {
        void reset(String group, String topic, int queueId);
    }

    private final Map<GroupQueue, MemberResets> resets = new ConcurrentHashMap<>();
    private final StoreClock storeClock;
    private final Notified notified;

    BroadcastResets(StoreClock storeClock, Notified notified) {
        this.storeClock = storeClock;
        this.notified = notified;
    }

    /**
     * Tells each of these members to go on at an offset, by the answer to its held or next pull in the next ten minutes. What an earlier call said of the
     * queue is void.
     */
    public void reset(String group, String topic, int queueId, long offset, Set<String> clientIds) {
        GroupQueue key = new GroupQueue(group, topic, queueId);
        if (clientIds.isEmpty()) {
            resets.remove(key);
            return;
        }
        resets.put(key, new MemberResets(offset, Set.copyOf(clientIds), storeClock.nowMillis() + TELL_MILLIS));
        notified.reset(group, topic, queueId);
    }

    /** Where a member is to go on, taken: the next call says -1. */
    public long take(String group, String topic, int queueId, String clientId) {
        if (resets.isEmpty() || clientId == null) {
            return -1;
        }
        MemberResets[] found = new MemberResets[1];
        resets.computeIfPresent(new GroupQueue(group, topic, queueId), (key, all) -> {
            if (!all.waiting().contains(clientId)) {
                return all;
            }
            found[0] = all;
            Set<String> rest = new HashSet<>(all.waiting());
            rest.remove(clientId);
            return rest.isEmpty() ? null : new MemberResets(all.offset(), rest, all.untilMillis());
        });
        return found[0] == null ? -1 : found[0].offset();
    }

    /** Forgets those whose time is over. */
    void expire() {
        if (!resets.isEmpty()) {
            long nowMillis = storeClock.nowMillis();
            resets.values().removeIf(all -> all.untilMillis() < nowMillis);
        }
    }
}
