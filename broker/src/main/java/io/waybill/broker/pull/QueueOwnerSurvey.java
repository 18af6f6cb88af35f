/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the members of groups once which queues they hold. One that does not answer is taken for the owner of all its
 * group's queues.
 */
final class QueueOwnerSurvey {
    private static final Logger log = LoggerFactory.getLogger(QueueOwnerSurvey.class);

    private static final long ANSWER_MILLIS = 3_000;
    /** What a client that pops calls its queue when it pops from all. */
    private static final int ALL_QUEUES = -1;

    private final List<GroupQueue> queues;
    private final String brokerName;
    private final Map<String, List<CompletableFuture<Command>>> answers = new HashMap<>();

    /** Asks all members that subscribe to the topic of one of these. */
    QueueOwnerSurvey(List<GroupQueue> queues, String brokerName, ReadRules rules) {
        this.queues = queues;
        this.brokerName = brokerName;
        Map<String, Set<ClientChannelInfo>> readers = new HashMap<>();
        for (GroupQueue queue : queues) {
            ConsumerGroup group = rules.members(queue.group());
            for (ClientChannelInfo member : group == null ? List.<ClientChannelInfo>of() : group.members()) {
                if (group.subscriptionsOf(member).containsKey(queue.topic())) {
                    readers.computeIfAbsent(queue.group(), g -> new HashSet<>()).add(member);
                }
            }
        }
        readers.forEach((group, ofGroup) -> {
            for (ClientChannelInfo member : ofGroup) {
                answers.computeIfAbsent(group, g -> new ArrayList<>())
                        .add(member.connection()
                                .call(
                                        Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                                                .header(new RunningInfoHeader(group, member.clientId(), false))
                                                .build(),
                                        ANSWER_MILLIS));
            }
        });
    }

    /** Does this when all have answered or had their time; by the thread of the last answer, so it must not block. */
    void whenDone(Runnable then) {
        CompletableFuture<?>[] all =
                answers.values().stream().flatMap(List::stream).toArray(CompletableFuture[]::new);
        CompletableFuture.allOf(all).whenComplete((done, failure) -> then.run());
    }

    /** Those of the queues that no member holds, once all is done. */
    List<GroupQueue> unowned() {
        Map<String, Set<MessageQueue>> owned = new HashMap<>();
        answers.forEach((group, ofGroup) -> owned.put(group, owned(ofGroup)));
        List<GroupQueue> unowned = new ArrayList<>();
        for (GroupQueue queue : queues) {
            Set<MessageQueue> known = owned.get(queue.group());
            if (known != null
                    && !known.contains(new MessageQueue(queue.topic(), brokerName, queue.queueId()))
                    && !known.contains(new MessageQueue(queue.topic(), brokerName, ALL_QUEUES))) {
                unowned.add(queue);
            }
        }
        return unowned;
    }

    /** The queues that the members of a group hold; null when one of them did not answer. */
    private static Set<MessageQueue> owned(List<CompletableFuture<Command>> answers) {
        Set<MessageQueue> owned = new HashSet<>();
        for (CompletableFuture<Command> answer : answers) {
            if (answer.isCompletedExceptionally() || answer.join().code() != ResponseCode.SUCCESS) {
                return null;
            }
            try {
                ConsumerRunningInfo info =
                        ConsumerRunningInfo.parse(answer.join().body());
                owned.addAll(info.mqTable().keySet());
                owned.addAll(info.mqPopTable().keySet());
            } catch (RuntimeException e) { // a peer's malformed text: as one that did not answer
                log.debug("A member returned its queues in a form that cannot be read", e);
                return null;
            }
        }
        return owned;
    }
}
