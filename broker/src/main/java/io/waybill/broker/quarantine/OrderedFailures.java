/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.quarantine;

import io.waybill.broker.group.GroupAttributes;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.retry.ConsumeFailureHandler;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of a message that an ordered consumer gave up: if its group has a quarantine, its key is quarantined and the group goes back to the
 * message, which is then set aside as the first of its key (ADR 0016).
 *
 * <p>What always holds: the member is answered after the group's offset is back, so that it drops what it has at hand and nothing overtakes the message.
 * Safe from any thread.
 */
final class OrderedFailures implements ConsumeFailureHandler {
    private static final Logger log = LoggerFactory.getLogger(OrderedFailures.class);

    /**
     * A member that gave a message up goes on with the next one as soon as it is answered; by then its pull must have told it to drop what it has at
     * hand, which another of its threads does.
     */
    private static final long GIVEN_UP_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private final Quarantine quarantine;
    private final MessageStore store;
    private final Offsets offsets;
    private final Clock clock;
    private final Executor blocking;
    private final Runnable answersLater;

    /** In the order of their time. */
    private final Queue<Later> answers = new ConcurrentLinkedQueue<>();

    private record Later(long nanos, Runnable answer) {}

    /** @param answersLater called when {@link #answerDue} has something to do */
    OrderedFailures(
            Quarantine quarantine,
            MessageStore store,
            Offsets offsets,
            Clock clock,
            Executor blocking,
            Runnable answersLater) {
        this.quarantine = quarantine;
        this.store = store;
        this.offsets = offsets;
        this.clock = clock;
        this.blocking = blocking;
        this.answersLater = answersLater;
    }

    @Override
    public boolean take(
            SubscriptionGroupConfig group, Map<String, String> properties, String client, Consumer<Outcome> then) {
        String topic = properties.get(MessageProperties.RETRY_TOPIC);
        String uniqueKey = properties.get(MessageProperties.UNIQ_KEY);
        String key = QuarantinedMessage.keyOf(properties);
        if (GroupAttributes.quarantineAfter(group) == 0 || topic == null || uniqueKey == null || key == null) {
            return false;
        }
        blocking.execute(() -> {
            try {
                take(group.groupName(), topic, uniqueKey, key, client, then);
            } catch (RuntimeException e) {
                log.error(
                        "A message of key {} that group {} gave up could not be quarantined",
                        key,
                        group.groupName(),
                        e);
                then.accept(null);
            }
        });
        return true;
    }

    private void take(String group, String topic, String uniqueKey, String key, String client, Consumer<Outcome> then) {
        ByteBuffer message = givenBack(group, uniqueKey);
        if (message == null) {
            List<ByteBuffer> first = store.findByKey(topic, uniqueKey, 1, 0, Long.MAX_VALUE);
            message = first.isEmpty() ? null : first.get(0);
        }
        if (message == null) {
            then.accept(null);
            return;
        }
        ByteBuffer found = message;
        String queueTopic = StoredMessage.topic(found, 0);
        int queueId = StoredMessage.queueId(found, 0);
        long offset = StoredMessage.queueOffset(found, 0);
        if (offsets.query(group, queueTopic, queueId) > offset) {
            // Its client lost the queue meanwhile and another one is past it: the group must not go back for it.
            then.accept(null);
            return;
        }
        quarantine.add(group, topic, key, "given up by its consumer", client, (changed, refusal) -> {
            if (refusal != null) {
                then.accept(null);
                return;
            }
            offsets.reset(group, queueTopic, queueId, offset, outcome -> {
                if (!(outcome instanceof Stored)) {
                    then.accept(outcome);
                    return;
                }
                Stored quarantined = new Stored(
                        StoredMessage.position(found, 0),
                        offset,
                        StoredMessage.storeTimestamp(found, 0),
                        StoredMessage.totalSize(found, 0),
                        0);
                answers.add(new Later(clock.nanoTime() + GIVEN_UP_PAUSE_NANOS, () -> then.accept(quarantined)));
                answersLater.run();
            });
        });
    }

    /** The copy that was given back and not consumed yet, or null. */
    private ByteBuffer givenBack(String group, String uniqueKey) {
        String retryTopic = Names.retryTopic(group);
        for (ByteBuffer copy : store.findByKey(retryTopic, uniqueKey, 1, 0, Long.MAX_VALUE)) {
            long committed = offsets.query(group, retryTopic, StoredMessage.queueId(copy, 0));
            if (QuarantinedMessage.originOf(copy, 0) != null && StoredMessage.queueOffset(copy, 0) >= committed) {
                return copy;
            }
        }
        return null;
    }

    /** Gives the answers whose time has come; nanoseconds until the next one. */
    long answerDue() {
        for (Later next = answers.peek(); next != null; next = answers.peek()) {
            long left = next.nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            answers.remove();
            next.answer().run();
        }
        return Duty.WHEN_WOKEN;
    }
}
