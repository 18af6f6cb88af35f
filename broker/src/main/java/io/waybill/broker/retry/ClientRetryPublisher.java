/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.broker.group.Groups;
import io.waybill.broker.send.ClientRetries;
import io.waybill.broker.timer.Delay;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RetryPolicy;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Connection;
import io.waybill.store.log.Outcome;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Messages that a client itself sends to its retry topic: after its send-back failed, or because it consumes in order.
 *
 * <p>The client's own DELAY holds unless the group has a policy. More tries than allowed make a dead letter, and so does every such message of a group that holds queue locks: an ordered consumer only
 * sends one when it has given up.
 */
public final class ClientRetryPublisher implements ClientRetries {
    private final Groups groups;
    private final Predicate<String> consumesInOrder;
    private final BiFunction<String, Connection, String> clientNames;
    private final Clock clock;
    private final ConsumeFailureHandler givenUp;

    /**
     * @param clientNames who speaks for a group on a connection
     * @param givenUp what takes messages that ordered consumers give up
     */
    public ClientRetryPublisher(
            Groups groups,
            Predicate<String> consumesInOrder,
            BiFunction<String, Connection, String> clientNames,
            Clock clock,
            ConsumeFailureHandler givenUp) {
        this.givenUp = givenUp;
        this.groups = groups;
        this.consumesInOrder = consumesInOrder;
        this.clientNames = clientNames;
        this.clock = clock;
    }

    /**
     * Whether somebody else takes a message that an ordered consumer gave up; if not, {@link #place} says where it goes.
     *
     * @param then called exactly once if true is returned: null = nobody took it after all
     */
    @Override
    public boolean isTaken(String retryTopic, Map<String, String> properties, Connection from, Consumer<Outcome> then) {
        String group = Names.groupOf(retryTopic);
        SubscriptionGroupConfig config = consumesInOrder.test(group) ? groups.find(group) : null;
        return config != null && givenUp.take(config, properties, clientNames.apply(group, from), then);
    }

    /**
     * Null, or why a retry or dead-letter topic does not come into being by a send: there is no such group and none may be made by it. Null for
     * every other topic.
     */
    @Override
    public RetryTarget refusalOfNew(String topic) {
        String group = Names.groupOf(topic);
        boolean fine =
                group == null || (Names.isRetry(topic) ? groups.findOrCreate(group) : groups.find(group)) != null;
        return fine ? null : unknown(group);
    }

    private static RetryTarget unknown(String group) {
        return new RetryTarget(
                null,
                false,
                null,
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                "consumer group " + group + " does not exist");
    }

    /**
     * Places a message and writes on it what a dead letter carries.
     *
     * @param reconsumeTimes the tries so far, as the request says
     * @param maxReconsumeTimes the limit the client names, negative for none
     * @param from where the message comes from
     */
    @Override
    public RetryTarget place(
            String retryTopic,
            int reconsumeTimes,
            int maxReconsumeTimes,
            Map<String, String> properties,
            Connection from) {
        String group = Names.groupOf(retryTopic);
        SubscriptionGroupConfig config = groups.findOrCreate(group);
        if (config == null) {
            return unknown(group);
        }
        int most = RetrySchedule.mostTries(config, maxReconsumeTimes);
        long nowMillis = clock.wallMillis();
        boolean inOrder = consumesInOrder.test(group);
        if (reconsumeTimes <= most && !inOrder) {
            properties.putIfAbsent(FailureProperties.RETRY_SINCE_MS, Long.toString(nowMillis));
            return new RetryTarget(retryTopic, false, delayOf(config, reconsumeTimes, properties, nowMillis), 0, null);
        }
        String reason = reconsumeTimes > most ? FailureProperties.triesUsedUp(most) : "given up by an ordered consumer";
        String client = clientNames.apply(group, from);
        FailureProperties.mark(properties, reason, reconsumeTimes, group, client, nowMillis);
        String deadLetters = Names.deadLetterTopic(group);
        return new RetryTarget(deadLetters, true, null, 0, null);
    }

    /** By the group's policy, in place of the level the client wrote by itself; null without a policy. */
    private static Delay delayOf(
            SubscriptionGroupConfig config, int reconsumeTimes, Map<String, String> properties, long nowMillis) {
        RetryPolicy policy = RetrySchedule.policyOf(config);
        if (policy == null) {
            return null;
        }
        properties.remove(MessageProperties.DELAY);
        // The client counts the failure it reports.
        return Delay.dueAt(nowMillis + policy.delayMillis(reconsumeTimes - 1), 0);
    }
}
