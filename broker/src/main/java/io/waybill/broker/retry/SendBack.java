/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.broker.group.Groups;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.DelayLevels;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.TopicChange;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.function.BiFunction;

/**
 * CONSUMER_SEND_MSG_BACK (36): a consumer gives a message back that it could not handle.
 *
 * <p>The message returns to the group's retry topic after the delay of {@link RetrySchedule}. When the tries are used
 * up, or the consumer asks for it with level -1, it goes to the group's dead-letter topic at once. Either is one change of the log, answered when
 * it is stored.
 */
public final class SendBack implements Feature {
    private final SendBackStoreAccess store;
    private final Topics topics;
    private final Groups groups;
    private final DelayLevels levels;
    private final Clock clock;
    private final RandomSource random;
    private final BiFunction<String, Connection, String> clientNames;
    private final Stats stats;

    /** @param clientNames who speaks for a group on a connection */
    public SendBack(
            SendBackStoreAccess store,
            Topics topics,
            Groups groups,
            DelayLevels levels,
            Clock clock,
            RandomSource random,
            BiFunction<String, Connection, String> clientNames,
            Stats stats) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.levels = levels;
        this.clock = clock;
        this.random = random;
        this.clientNames = clientNames;
        this.stats = stats;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.CONSUMER_SEND_MSG_BACK, Lane.RETURN, SendBackHeader::read, this::takeBack);
    }

    private Reply takeBack(Request request, SendBackHeader header) {
        String illegal = Names.checkGroup(header.group());
        SubscriptionGroupConfig group = groups.findOrCreate(header.group());
        if (illegal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, illegal);
        }
        if (group == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "consumer group " + header.group() + " does not exist");
        }
        return group.retryQueueNums() <= 0 // the group wants no retries
                ? Reply.success()
                : takeBack(request, header, group);
    }

    private Reply takeBack(Request request, SendBackHeader header, SubscriptionGroupConfig group) {
        ByteBuffer stored = store.messages().readAt(header.offset());
        boolean invisible = store.transactions().openHalf(header.offset()) != null
                || store.timers().pendingTimer(header.offset()) != null;
        if (stored == null || invisible) {
            return Reply.refused(
                    ResponseCode.SYSTEM_ERROR, "there is no visible message at log position " + header.offset());
        }
        long nowMillis = clock.wallMillis();
        // Whoever consumes dead letters begins anew with them: the tries of the group that gave them up are not its
        // own.
        boolean isLetter = Names.isDeadLetter(StoredMessage.topic(stored, 0));
        int tries = isLetter ? 0 : StoredMessage.reconsumeTimes(stored, 0);
        int failed = Math.max(tries, tries + 1); // a producer may have written the largest number there is
        int most = RetrySchedule.mostTries(group, header.maxReconsumeTimes());
        Map<String, String> properties = MessageProperties.decode(StoredMessage.properties(stored, 0));
        if (isLetter) {
            FailureProperties.beginAnew(properties);
        }
        RedeliveryCopy.tellOrigin(properties, stored, 0);
        properties.putIfAbsent(FailureProperties.RETRY_SINCE_MS, Long.toString(nowMillis));
        properties.put(MessageProperties.WAIT, "false");
        String origin = properties.get(MessageProperties.RETRY_TOPIC);
        if (tries >= most || header.delayLevel() < 0) {
            String reason = tries >= most ? FailureProperties.triesUsedUp(most) : "asked for by the consumer";
            String client = clientNames.apply(header.group(), request.connection());
            FailureProperties.mark(properties, reason, failed, header.group(), client, nowMillis);
            String topic = Names.deadLetterTopic(header.group());
            MessageDraft dead = RedeliveryCopy.of(stored, 0, topic, failed)
                    .queueId(0)
                    .properties(CopyRoom.encode(properties))
                    .build();
            topics.ensure(
                    topic,
                    1,
                    change -> storeIn(
                            request,
                            change,
                            done -> store.messages().append(dead, done),
                            () -> stats.deadLetter(header.group(), origin)));
        } else {
            int queueId = random.nextInt(group.retryQueueNums());
            String topic = Names.retryTopic(header.group());
            Delay delay = RetrySchedule.next(group, levels, tries, header.delayLevel(), nowMillis);
            properties.remove(MessageProperties.DELAY); // of the try before
            properties.put(FailureProperties.RETRY_MS, Long.toString(nowMillis));
            properties.put(FailureProperties.RETRY_CLIENT, clientNames.apply(header.group(), request.connection()));
            DelayedMessageWriter.markDelayed(delay, topic, queueId, nowMillis, properties);
            MessageDraft again = RedeliveryCopy.of(stored, 0, topic, failed)
                    .queueId(queueId)
                    .properties(CopyRoom.encodeWaiting(properties))
                    .build();
            topics.ensure(
                    topic,
                    group.retryQueueNums(),
                    change -> storeIn(
                            request,
                            change,
                            done -> store.timers().appendTimer(null, again, delay.dueMillis(), done),
                            () -> stats.givenBack(header.group(), origin)));
        }
        return Reply.LATER;
    }

    private interface StoreCall {
        void apply(Completion done);
    }

    private static void storeIn(Request request, TopicChange topic, StoreCall change, Runnable counted) {
        if (topic.isRefused()) {
            request.refuse(topic.code(), topic.text());
            return;
        }
        change.apply(outcome -> {
            if (outcome instanceof Stored) {
                counted.run();
                Reply.success().send(request);
            } else {
                request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
            }
        });
    }
}
