/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.setaside.SetAsideQueue;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.QueueStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Settlement.How;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way out of the quarantine: gives the messages of a key back to its group, or drops them, and ends the quarantine of keys whose messages the group
 * has consumed (ADR 0016).
 *
 * <p>What always holds: a key's messages are given back in the order of their topic, each settled in one frame with its copy, and until the group has
 * consumed these no later one of the key is handed out. One thread at a time works on a key. Safe from any thread.
 */
final class QuarantineRelease {
    private static final Logger log = LoggerFactory.getLogger(QuarantineRelease.class);

    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
    /** Longer than any read needs to set aside what it met. */
    private static final long FORGOTTEN_NANOS = TimeUnit.MINUTES.toNanos(5);

    private static final int RELEASED_COUNT = 256;
    private static final long RELEASED_BYTES = 1 << 20;
    private final Quarantine quarantine;
    private final QueueStore queueStore;
    private final SettlementStore settlementStore;
    private final Topics topics;
    private final Offsets offsets;
    private final Clock clock;
    private final Executor blocking;
    private final Runnable released;

    /** @param released called when {@link #endConsumed} has something to look at */
    QuarantineRelease(
            Quarantine quarantine,
            QueueStore queueStore,
            SettlementStore settlementStore,
            Topics topics,
            Offsets offsets,
            Clock clock,
            Executor blocking,
            Runnable released) {
        this.quarantine = quarantine;
        this.queueStore = queueStore;
        this.settlementStore = settlementStore;
        this.topics = topics;
        this.offsets = offsets;
        this.clock = clock;
        this.blocking = blocking;
        this.released = released;
    }

    /** How it ended: how many messages, or negative when there is no such key; and a refusal or null. */
    @FunctionalInterface
    interface Ended {
        void done(int messages, String refusal);
    }

    /** Null when it is answered already: there is none, or another one works on it. */
    private static QuarantinedKey claim(QuarantinedGroup group, String topic, String key, Ended then) {
        QuarantinedKey quarantined = null;
        boolean isBusy = false;
        if (group != null) {
            synchronized (group) {
                quarantined = group.find(topic, key);
                isBusy = quarantined != null && (quarantined.busy || quarantined.discardBelow > 0);
                if (quarantined != null && !isBusy) {
                    quarantined.busy = true;
                }
            }
        }
        if (quarantined == null || isBusy) {
            then.done(-1, isBusy ? "key " + key + " is being released or discarded right now" : null);
            return null;
        }
        return quarantined;
    }

    // ---- giving back

    /** Gives the quarantined messages of a key back. Blocks on the disk; {@code then} is called exactly once. */
    void release(String name, String topic, String key, String by, Ended then) {
        QuarantinedGroup group = quarantine.groupOrNull(name);
        QuarantinedKey quarantined = claim(group, topic, key, then);
        if (quarantined != null) {
            new Work(group, quarantined, by, then).release();
        }
    }

    /** Drops the quarantined messages of a key; later ones are delivered again. {@code then} is called exactly once. */
    void discard(String name, String topic, String key, String by, Ended then) {
        QuarantinedGroup group = quarantine.groupOrNull(name);
        QuarantinedKey quarantined = claim(group, topic, key, then);
        if (quarantined != null) {
            new Work(group, quarantined, by, then).discard();
        }
    }

    /** The way of the messages that a key has now, a piece at a time; holds the claim on the key until it is answered. */
    private final class Work {
        private final QuarantinedGroup group;
        private final QuarantinedKey quarantined;
        private final String by;
        private final Ended then;

        Work(QuarantinedGroup group, QuarantinedKey quarantined, String by, Ended then) {
            this.group = group;
            this.quarantined = quarantined;
            this.by = by;
            this.then = then;
        }

        /** Where the key's messages lie, in the order of their topic. */
        List<Long> offered() {
            synchronized (group) {
                return new ArrayList<>(quarantined.waiting.values());
            }
        }

        void release() {
            List<Long> offered = offered();
            topics.ensure(Names.retryTopic(group.name), 1, change -> {
                if (change.isRefused()) {
                    end(0, change.text());
                    return;
                }
                TopicConfig retry = change.config();
                synchronized (group) {
                    if (quarantined.retryQueue < 0 || quarantined.retryQueue >= retry.readQueueNums()) {
                        quarantined.retryQueue =
                                Math.floorMod(quarantined.key.hashCode(), Math.max(1, retry.readQueueNums()));
                    }
                }
                goOnReleasing(offered, 0);
            });
        }

        /** In a thread that may block; when too much waits for those, the rest stays quarantined and the caller is told. */
        private void goOnReleasing(List<Long> offered, int done) {
            try {
                blocking.execute(() -> releaseNext(offered, done));
            } catch (RejectedExecutionException e) {
                end(done, "[OVERLOAD] too many reads of old messages are waiting, try again");
            }
        }

        /** Gives back the next piece, then the rest. */
        private void releaseNext(List<Long> offered, int done) {
            List<MessageDraft> copies = new ArrayList<>();
            List<Long> taken = new ArrayList<>();
            long bytes = 0;
            try {
                while (done + taken.size() < offered.size()
                        && copies.size() < RELEASED_COUNT
                        && bytes < RELEASED_BYTES) {
                    long offset = offered.get(done + taken.size());
                    ByteBuffer message = SetAsideQueue.read(queueStore, Names.quarantineTopic(group.name), 0, offset);
                    if (message != null) {
                        copies.add(QuarantinedMessage.released(group.name, quarantined.retryQueue, message));
                        bytes += message.limit();
                    } else {
                        log.error("Quarantined message {} of group {} is gone or cannot be read", offset, group.name);
                    }
                    taken.add(offset);
                }
            } catch (RuntimeException e) {
                log.error("Key {} of group {} could not be released", quarantined.key, group.name, e);
                end(done, "the broker's log says why");
                return;
            }
            if (taken.isEmpty()) {
                end(done, null);
                return;
            }
            settlementStore.settle(copies, Quarantine.settlements(group.name, taken, How.REDRIVEN, by), outcome -> {
                if (!(outcome instanceof Stored stored)) {
                    end(done, Outcomes.text(outcome));
                    return;
                }
                synchronized (group) {
                    Set<Long> gone = new HashSet<>(taken);
                    quarantined.waiting.forEach((origin, at) -> {
                        if (gone.contains(at)) {
                            quarantined.givenBack.merge(origin.queueId(), origin.offset(), Math::max);
                        }
                    });
                    quarantined.waiting.values().removeAll(gone);
                    if (!copies.isEmpty()) {
                        quarantined.consumedAt = stored.queueOffset() + copies.size();
                    }
                    quarantined.releasing = true;
                }
                goOnReleasing(offered, done + taken.size());
            });
        }

        private void end(int messages, String refusal) {
            boolean isForgotten;
            synchronized (group) {
                quarantined.busy = false;
                quarantined.releasing |= refusal == null;
                if (refusal == null) {
                    quarantined.wentOn();
                } else {
                    quarantined.stopped(clock.nanoTime());
                }
                isForgotten = group.find(quarantined.topic, quarantined.key) != quarantined;
            }
            if (refusal != null || isForgotten) {
                then.done(messages, refusal);
                return;
            }
            quarantine.record(group.name, quarantined.topic, quarantined.key, outcome -> {
                then.done(messages, outcome instanceof Stored ? null : Outcomes.text(outcome));
                released.run();
            });
        }

        // ---- dropping

        /**
         * Few messages are discarded in one frame, all or none. More are discarded in pieces, and what is wanted stands
         * in the catalog first: so neither a failure nor a crash leaves a part of them in quarantine for good.
         */
        void discard() {
            List<Long> offered = offered();
            if (offered.size() <= Quarantine.SETTLED_COUNT) {
                discardNext(offered, 0);
                return;
            }
            synchronized (group) {
                quarantined.discardBelow = Collections.max(offered) + 1;
                quarantined.discardBy = by;
            }
            quarantine.record(group.name, quarantined.topic, quarantined.key, outcome -> {
                if (outcome instanceof Stored) {
                    released.run(); // from now on the duty looks whether it has to go on
                    discardNext(offered, 0);
                    return;
                }
                synchronized (group) {
                    quarantined.discardBelow = 0;
                    quarantined.discardBy = null;
                    quarantined.busy = false;
                }
                then.done(0, Outcomes.text(outcome));
            });
        }

        /** Goes on with a discard that a failure or a crash stopped. */
        void discardRest() {
            List<Long> left;
            synchronized (group) {
                left = new ArrayList<>(quarantined.waiting.values());
                left.removeIf(offset -> offset >= quarantined.discardBelow);
            }
            discardNext(left, 0);
        }

        private void discardNext(List<Long> offered, int done) {
            List<Long> piece = offered.subList(done, Math.min(offered.size(), done + Quarantine.SETTLED_COUNT));
            if (piece.isEmpty()) {
                discarded(done);
                return;
            }
            settlementStore.settle(List.of(), Quarantine.settlements(group.name, piece, How.DISCARDED, by), outcome -> {
                if (!(outcome instanceof Stored)) {
                    discardStopped(offered.size(), done, Outcomes.text(outcome));
                    return;
                }
                synchronized (group) {
                    quarantined.waiting.values().removeAll(new HashSet<>(piece));
                    quarantined.wentOn();
                }
                discardNext(offered, done + piece.size());
            });
        }

        private void discardStopped(int offered, int done, String why) {
            boolean goesOn;
            synchronized (group) {
                quarantined.busy = false;
                quarantined.stopped(clock.nanoTime());
                goesOn = quarantined.discardBelow > 0;
            }
            then.done(
                    done,
                    goesOn
                            ? done + " of " + offered + " messages are discarded, the broker goes on with the rest: "
                                    + why
                            : why);
        }

        private void discarded(int messages) {
            synchronized (group) {
                quarantined.busy = false;
                quarantined.discardBelow = 0;
                quarantined.discardBy = null;
                quarantined.releasing = true; // a read may have met one more
                quarantined.consumedAt = 0;
            }
            quarantine.record(group.name, quarantined.topic, quarantined.key, outcome -> {
                then.done(messages, outcome instanceof Stored ? null : Outcomes.text(outcome));
                released.run();
            });
        }
    }

    // ---- the end of a quarantine

    /** Ends the quarantine of keys whose messages the group has consumed; gives back what came meanwhile. Nanoseconds until it wants to look again. */
    long endConsumed() {
        boolean more = false;
        long now = clock.nanoTime();
        for (QuarantinedGroup group : quarantine.groups()) {
            List<QuarantinedKey> consumed = new ArrayList<>();
            synchronized (group) {
                for (QuarantinedKey key : group.keys()) {
                    more |= key.discardBelow > 0;
                    if ((key.releasing || key.discardBelow > 0) && !key.busy) {
                        more = true;
                        if (key.mayGoOn(now) && (key.discardBelow > 0 || isConsumed(group, key))) {
                            consumed.add(key);
                        }
                    }
                }
            }
            consumed.forEach(key -> goOn(group, key));
        }
        return more ? LOOK_NANOS : Duty.WHEN_WOKEN;
    }

    private boolean isConsumed(QuarantinedGroup group, QuarantinedKey key) {
        return key.retryQueue < 0
                || key.consumedAt == 0
                || offsets.query(group.name, Names.retryTopic(group.name), key.retryQueue) >= key.consumedAt;
    }

    private void goOn(QuarantinedGroup group, QuarantinedKey key) {
        boolean isOver;
        String discardBy;
        synchronized (group) {
            if (key.busy || group.find(key.topic, key.key) != key) {
                return;
            }
            discardBy = key.discardBelow > 0 ? key.discardBy : null;
            boolean isMet = key.rerouting > 0 && clock.nanoTime() - key.reroutedNanos < FORGOTTEN_NANOS;
            isOver = discardBy == null && key.waiting.isEmpty() && !isMet;
            if (discardBy != null) {
                key.busy = true;
            } else if (isOver) {
                group.remove(key);
            } else if (key.waiting.isEmpty()) {
                return;
            } else {
                key.busy = true;
            }
        }
        if (isOver) {
            log.info("Key {} of topic {} is out of quarantine for group {}", key.key, key.topic, group.name);
            quarantine.record(group.name, key.topic, key.key, outcome -> {});
            return;
        }
        String how = discardBy == null ? "given back" : "discarded";
        Work work = new Work(group, key, discardBy == null ? "broker" : discardBy, (messages, refusal) -> {
            if (refusal != null) {
                log.warn("Key {} of group {} is not {} yet: {}", key.key, group.name, how, refusal);
            } else if (discardBy != null) {
                log.info("The last {} messages of key {} of group {} are discarded", messages, key.key, group.name);
            }
        });
        if (discardBy == null) {
            work.release();
        } else {
            work.discardRest();
        }
    }
}
