/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import java.util.Map;
import java.util.TreeMap;

/** GET_TOPIC_STATS_INFO (202): first and next offset of each queue of a topic, and when it was last written. */
final class TopicStatus implements RouteHandler<TopicHeader> {
    private final QueueStore store;
    private final Topics topics;
    private final Stats stats;
    private final String brokerName;

    TopicStatus(QueueStore store, Topics topics, Stats stats, String brokerName) {
        this.stats = stats;
        this.store = store;
        this.topics = topics;
        this.brokerName = brokerName;
    }

    @Override
    public Reply handle(Request request, TopicHeader header) {
        TopicConfig config = topics.find(header.topic());
        if (config == null) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic " + header.topic() + " does not exist");
        }
        return Reply.success(stats(config).toJson());
    }

    private TopicStats stats(TopicConfig topic) {
        Map<MessageQueue, TopicStats.QueueRange> queues = new TreeMap<>();
        for (int queueId = 0; queueId < topic.writeQueueNums(); queueId++) {
            QueueRange range = store.offsetRange(topic.topicName(), queueId);
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
