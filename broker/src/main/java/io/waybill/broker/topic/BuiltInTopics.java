/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import java.util.LinkedHashMap;
import java.util.Map;

/** The topics every broker has without anybody creating them, because stock clients and tools look for them. */
final class BuiltInTopics {
    private static final int TEMPLATE_QUEUES = 8;
    private static final int CLUSTER_QUEUES = 16;
    private static final int BENCHMARK_QUEUES = 1024;

    private BuiltInTopics() {}

    static Map<String, TopicConfig> of(BrokerSettings settings) {
        Map<String, TopicConfig> topics = new LinkedHashMap<>();
        if (settings.topics().autoCreate()) {
            // The template: a client that finds no route for a topic takes this one's, and its first send creates the
            // topic.
            add(
                    topics,
                    Names.DEFAULT_TOPIC,
                    Math.min(TEMPLATE_QUEUES, settings.topics().autoCreateQueues()),
                    Perm.READ_WRITE | Perm.INHERIT);
        }
        add(topics, Names.SELF_TEST_TOPIC, 1, Perm.READ_WRITE);
        add(topics, Names.BENCHMARK_TOPIC, BENCHMARK_QUEUES, Perm.READ_WRITE);
        add(topics, settings.registration().clusterName(), CLUSTER_QUEUES, Perm.READ_WRITE | Perm.INHERIT);
        add(topics, settings.brokerName(), 1, Perm.READ_WRITE | Perm.INHERIT);
        add(topics, Names.replyTopic(settings.registration().clusterName()), 1, Perm.READ_WRITE);
        add(topics, Names.TRACE_TOPIC, 1, Perm.READ_WRITE);
        add(topics, Names.TRANS_CHECK_MAX_TIME_TOPIC, 1, Perm.READ_WRITE);
        return topics;
    }

    private static void add(Map<String, TopicConfig> topics, String name, int queues, int perm) {
        topics.put(name, new TopicConfig(name, queues, queues, perm));
    }
}
