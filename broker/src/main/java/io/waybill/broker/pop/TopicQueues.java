/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.route.NameServers;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RouteHeader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The queues of a topic on all brokers: its own from the catalog, those of others from the name servers, remembered for
 * some seconds. When no name server answers, what was known before holds. Thread-safe.
 */
final class TopicQueues {
    private static final Logger log = LoggerFactory.getLogger(TopicQueues.class);
    private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final int MOST_REMEMBERED = 10_000;
    private static final int MOST_QUEUES = 65_536;

    private record Known(List<QueueData> others, long atNanos) {}

    private final Topics topics;
    private final NameServers nameServers;
    private final BrokerSettings settings;
    private final Clock clock;
    private final Map<String, Known> known = new ConcurrentHashMap<>();

    TopicQueues(Topics topics, NameServers nameServers, BrokerSettings settings, Clock clock) {
        this.topics = topics;
        this.nameServers = nameServers;
        this.settings = settings;
        this.clock = clock;
    }

    /** Sorted; null when those of other brokers cannot be known now. */
    CompletableFuture<List<MessageQueue>> of(String topic) {
        boolean isHere = topics.find(topic) != null;
        // Clients also ask for retry topics that RocketMQ would have made; the name server would answer for any.
        if (settings.registration().nameServers().isEmpty()
                || Names.checkTopic(topic) != null
                || Names.isRetry(topic) && !isHere) {
            return CompletableFuture.completedFuture(sorted(topic, List.of()));
        }
        Known before = known.get(topic);
        if (before != null && clock.nanoTime() - before.atNanos() < FRESH_NANOS) {
            return CompletableFuture.completedFuture(sorted(topic, before.others()));
        }
        return ask(topic, 0).thenApply(others -> {
            if (others != null) {
                if (known.size() >= MOST_REMEMBERED) {
                    known.clear();
                }
                known.put(topic, new Known(others, clock.nanoTime()));
                return sorted(topic, others);
            }
            return before == null ? null : sorted(topic, before.others());
        });
    }

    /** One name server after the other; null when none answers. */
    private CompletableFuture<List<QueueData>> ask(String topic, int index) {
        if (index >= settings.registration().nameServers().size()) {
            return CompletableFuture.completedFuture(null);
        }
        Command question = Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .header(new RouteHeader(topic, true))
                .build();
        return nameServers
                .call(
                        settings.registration().nameServers().get(index),
                        question,
                        settings.registration().timeoutMillis())
                .handle((answer, failure) -> failure == null ? others(topic, answer) : null)
                .thenCompose(
                        others -> others != null ? CompletableFuture.completedFuture(others) : ask(topic, index + 1));
    }

    private List<QueueData> others(String topic, Command answer) {
        if (answer.code() != ResponseCode.SUCCESS || answer.bodyLength() == 0) {
            return answer.code() == ResponseCode.SYSTEM_BUSY ? null : List.of();
        }
        try {
            List<QueueData> others = new ArrayList<>();
            for (QueueData data : TopicRoute.parse(answer.body()).queueDatas()) {
                if (!data.brokerName().equals(settings.brokerName()) && Perm.isReadable(data.perm())) {
                    others.add(data);
                }
            }
            return others;
        } catch (RuntimeException e) { // a peer's malformed text concerns this answer only
            log.debug("A route of topic {} cannot be read", topic, e);
            return null;
        }
    }

    private List<MessageQueue> sorted(String topic, List<QueueData> others) {
        TreeSet<MessageQueue> queues = new TreeSet<>();
        for (QueueData data : others) {
            add(queues, topic, data.brokerName(), data.readQueueNums());
        }
        TopicConfig own = topics.find(topic);
        if (own != null && Perm.isReadable(own.perm())) {
            add(queues, topic, settings.brokerName(), own.readQueueNums());
        }
        return List.copyOf(queues);
    }

    private static void add(TreeSet<MessageQueue> queues, String topic, String broker, int count) {
        for (int queueId = 0; queueId < Math.min(count, MOST_QUEUES); queueId++) {
            queues.add(new MessageQueue(topic, broker, queueId));
        }
    }
}
