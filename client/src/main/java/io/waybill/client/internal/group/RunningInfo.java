/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.ConsumerRunningInfo.TopicStatus;
import io.waybill.protocol.body.MessageQueue;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a consumer tells an operator of itself, under the names of stock clients.
 *
 * @param nameServers the name servers of its client, separated by ;
 * @param consumer its group
 * @param ordered whether it handles the messages of a queue one after the other
 * @param threads how many handlers may run at the same time; 0 if it has none
 * @param startedMillis when it began
 */
public record RunningInfo(
        String nameServers, ConsumerGroup consumer, boolean ordered, int threads, long startedMillis) {
    /** @param stacks the stacks of the threads, or null if not wanted */
    public ConsumerRunningInfo with(
            Map<MessageQueue, ConsumerRunningInfo.QueueInfo> queues,
            Map<MessageQueue, ConsumerRunningInfo.PopInfo> pops,
            Map<String, TopicStatus> topics,
            String stacks) {
        Map<String, String> properties = new TreeMap<>();
        properties.put(ConsumerRunningInfo.NAMESERVER, nameServers);
        properties.put(ConsumerRunningInfo.CONSUME_TYPE, consumer.type());
        properties.put(ConsumerRunningInfo.ORDERED, Boolean.toString(ordered));
        properties.put(ConsumerRunningInfo.THREADS, Integer.toString(threads));
        properties.put(ConsumerRunningInfo.STARTED, Long.toString(startedMillis));
        properties.put(ConsumerRunningInfo.CLIENT_VERSION, "WAYBILL");
        return new ConsumerRunningInfo(
                properties, consumer.wireSubscriptions(), queues, pops, topics, Map.of(), stacks);
    }
}
