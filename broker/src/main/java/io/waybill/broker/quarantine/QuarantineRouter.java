/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.quarantine.QuarantinedKey.Origin;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.store.PopStore;
import io.waybill.store.StoreClock;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Sets the messages of quarantined keys aside as pulls of their group meet them (ADR 0016).
 *
 * <p>What always holds: a message of a quarantined key is in {@link Names#quarantineTopic} before a pull passes it, and no pull hands it out. Safe from
 * any thread; a pull of a group without quarantined keys pays one lookup.
 */
final class QuarantineRouter implements DeliveryInterceptor {
    private final Quarantine quarantine;
    private final PopStore popStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final Clock clock;
    private final Runnable routed;

    /** @param routed called when a read has set aside what it met, or failed to */
    QuarantineRouter(
            Quarantine quarantine,
            PopStore popStore,
            StoreClock storeClock,
            Topics topics,
            Clock clock,
            Runnable routed) {
        this.quarantine = quarantine;
        this.popStore = popStore;
        this.storeClock = storeClock;
        this.topics = topics;
        this.clock = clock;
        this.routed = routed;
    }

    @Override
    public MessageRouter router(
            String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
        QuarantinedGroup quarantined = quarantine.groupOrNull(name);
        return quarantined == null || quarantined.isEmpty() ? null : new OfRead(quarantined, topic, queueId, wanted);
    }

    /** A group that goes back wants again what was given back. */
    @Override
    public void reset(String name, String topic, int queueId) {
        QuarantinedGroup group = quarantine.groupOrNull(name);
        if (group != null) {
            synchronized (group) {
                group.keys().forEach(key -> {
                    if (key.topic.equals(topic)) {
                        key.givenBack.remove(queueId);
                    }
                });
            }
        }
    }

    private final class OfRead implements MessageRouter {
        private final QuarantinedGroup group;
        private final String topic;
        private final int queueId;
        private final Filter wanted;
        private final Set<QuarantinedKey> met = new HashSet<>();

        OfRead(QuarantinedGroup group, String topic, int queueId, Filter wanted) {
            this.group = group;
            this.topic = topic;
            this.queueId = queueId;
            this.wanted = wanted;
        }

        @Override
        public Filter filter() {
            return wanted;
        }

        @Override
        public Verdict verdict(ByteBuffer buffer, int at) {
            String key = QuarantinedMessage.keyOf(buffer, at);
            String origin = key == null ? null : QuarantinedMessage.topicOf(buffer, at, topic);
            if (origin == null) {
                return Verdict.DELIVER;
            }
            boolean isRetry = Names.isRetry(topic);
            synchronized (group) {
                QuarantinedKey quarantined = group.find(origin, key);
                if (quarantined == null
                        || isRetry && (quarantined.releasing || QuarantinedMessage.originOf(buffer, at) == null)) {
                    return Verdict.DELIVER;
                }
                Origin here = origin(buffer, at);
                if (quarantined.waiting.containsKey(here) || !isRetry && quarantined.isGivenBack(here)) {
                    return Verdict.SKIP;
                }
                quarantined.reroutedNanos = clock.nanoTime();
                if (met.add(quarantined)) {
                    quarantined.rerouting++;
                }
                return Verdict.REROUTE;
            }
        }

        private Origin origin(ByteBuffer buffer, int at) {
            Origin known = Names.isRetry(topic) ? QuarantinedMessage.originOf(buffer, at) : null;
            return known != null ? known : new Origin(queueId, StoredMessage.queueOffset(buffer, at));
        }

        @Override
        public void reroute(List<ByteBuffer> messages, Consumer<String> then) {
            topics.ensure(Names.quarantineTopic(group.name), 1, change -> {
                String full = change.isRefused() ? change.text() : noRoomFor(messages.size());
                if (full != null) {
                    ended(null, List.of(), full, then);
                    return;
                }
                List<MessageDraft> copies = new ArrayList<>(messages.size());
                try {
                    for (ByteBuffer message : messages) {
                        copies.add(QuarantinedMessage.quarantined(
                                group.name,
                                QuarantinedMessage.keyOf(message, 0),
                                origin(message, 0),
                                message,
                                clock.wallMillis()));
                    }
                } catch (BadValue e) {
                    ended(null, List.of(), "a message cannot be quarantined: " + e.getMessage(), then);
                    return;
                }
                popStore.appendAndRecordPops(copies, List.of(), outcome -> ended(outcome, messages, null, then));
            });
        }

        private String noRoomFor(int messages) {
            synchronized (group) {
                return group.waiting() + messages <= Quarantine.MOST_WAITING
                        ? null
                        : "group " + group.name + " may have " + Quarantine.MOST_WAITING
                                + " messages in quarantine; release or discard a key";
            }
        }

        private void ended(Outcome outcome, List<ByteBuffer> messages, String refusal, Consumer<String> then) {
            String why = refusal;
            List<Long> twice = new ArrayList<>();
            synchronized (group) {
                if (outcome instanceof Stored stored) {
                    for (int i = 0; i < messages.size(); i++) {
                        long quarantinedAt = stored.queueOffset() + i;
                        if (!setAside(messages.get(i), quarantinedAt)) {
                            twice.add(quarantinedAt); // another read set the same message aside before
                        }
                    }
                } else if (outcome != null) {
                    why = Outcomes.text(outcome);
                }
                met.forEach(key -> key.rerouting--);
                met.clear();
            }
            quarantine.settleDuplicates(group.name, twice);
            then.accept(why);
            routed.run();
        }

        private boolean setAside(ByteBuffer message, long quarantinedAt) {
            return group.setAside(
                    QuarantinedMessage.topicOf(message, 0, topic),
                    QuarantinedMessage.keyOf(message, 0),
                    origin(message, 0),
                    quarantinedAt,
                    !Names.isRetry(topic),
                    storeClock.nowMillis());
        }
    }
}
