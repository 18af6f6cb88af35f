/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executor;

/** GET_TOPIC_STATS_INFO (202): first and next offset of each queue of a topic, and when it was last written. */
final class TopicStatus implements RequestHandler {
    private final Store store;
    private final Topics topics;
    private final Stats stats;
    private final String brokerName;
    private final Executor blocking;

    TopicStatus(Store store, Topics topics, Stats stats, String brokerName, Executor blocking) {
        this.stats = stats;
        this.store = store;
        this.topics = topics;
        this.brokerName = brokerName;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        String topic = TopicHeader.read(request.command().fields()).topic();
        TopicConfig config = topics.find(topic);
        if (config == null) {
            request.refuse(ResponseCode.TOPIC_NOT_EXIST, "topic " + topic + " does not exist");
            return;
        }
        blocking.execute(() -> {
            try {
                request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(stats(config).toJson())
                        .build());
            } catch (RuntimeException e) {
                Outcomes.refuse(request, e, "the topic could not be read; the broker's log says why");
                throw e; // for the log
            }
        });
    }

    private TopicStats stats(TopicConfig topic) {
        Map<MessageQueue, TopicStats.QueueRange> queues = new TreeMap<>();
        for (int queueId = 0; queueId < topic.writeQueueNums(); queueId++) {
            QueueRange range = store.range(topic.topicName(), queueId);
            queues.put(
                    new MessageQueue(topic.topicName(), brokerName, queueId),
                    new TopicStats.QueueRange(
                            range.minOffset(),
                            range.maxOffset(),
                            StoreTimes.at(store, topic.topicName(), queueId, range.maxOffset() - 1)));
        }
        return new TopicStats(queues, stats.inPerSecond(topic.topicName()));
    }
}
