/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.broker.group.Groups;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Messages that a client itself sends to its retry topic: after its send-back failed, or because it consumes in order.
 *
 * <p>More tries than allowed make a dead letter, and so does every such message of a group that holds queue locks: an ordered consumer only
 * sends one when it has given up.
 */
public final class RetrySends {
    private final Groups groups;
    private final Topics topics;
    private final Predicate<String> consumesInOrder;
    private final Clock clock;

    public RetrySends(Groups groups, Topics topics, Predicate<String> consumesInOrder, Clock clock) {
        this.groups = groups;
        this.topics = topics;
        this.consumesInOrder = consumesInOrder;
        this.clock = clock;
    }

    /**
     * Where such a message goes.
     *
     * @param topic its topic
     * @param deadLetter true when it goes to queue 0 of the dead-letter topic
     * @param code 0, or the response code of a refusal, with {@code remark}
     */
    public record Placement(String topic, boolean deadLetter, int code, String remark) {}

    /**
     * Null, or why a retry or dead-letter topic does not come into being by a send: there is no such group and none may be made by it. Null for
     * every other topic.
     */
    public Placement refusalOfNew(String topic) {
        String group = Names.groupOf(topic);
        boolean fine =
                group == null || (Names.isRetry(topic) ? groups.findOrCreate(group) : groups.find(group)) != null;
        return fine ? null : unknown(group);
    }

    private static Placement unknown(String group) {
        return new Placement(
                null, false, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "consumer group " + group + " does not exist");
    }

    /**
     * Places a message and writes on it what a dead letter carries; a DELAY left in the properties afterwards is to be obeyed.
     *
     * @param reconsumeTimes the tries so far, as the request says
     * @param maxReconsumeTimes the limit the client names, negative for none
     */
    public Placement place(
            String retryTopic, int reconsumeTimes, int maxReconsumeTimes, Map<String, String> properties) {
        String group = Names.groupOf(retryTopic);
        SubscriptionGroupConfig config = groups.findOrCreate(group);
        if (config == null) {
            return unknown(group);
        }
        int most = maxReconsumeTimes >= 0 ? maxReconsumeTimes : config.retryMaxTimes();
        boolean inOrder = consumesInOrder.test(group);
        if (reconsumeTimes <= most && !inOrder) {
            properties.putIfAbsent(DeadLetter.RETRY_SINCE_MS, Long.toString(clock.wallMillis()));
            return new Placement(retryTopic, false, 0, null);
        }
        String reason = reconsumeTimes > most ? DeadLetter.triesUsedUp(most) : "given up by an ordered consumer";
        DeadLetter.mark(properties, reason, reconsumeTimes, clock.wallMillis());
        String deadLetters = Names.deadLetterTopic(group);
        // Only tools need the topic's settings; the message itself can be stored before they are.
        topics.ensure(deadLetters, 1, change -> {});
        return new Placement(deadLetters, true, 0, null);
    }
}
