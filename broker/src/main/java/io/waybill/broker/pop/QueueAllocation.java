/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.header.PopHeader;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Which queues of a topic are whose: pure, and the same for everybody who asks with the same queues and clients, so
 * that the shares fit together. Both are sorted. Without pop every queue is exactly one client's.
 */
final class QueueAllocation {
    private QueueAllocation() {}

    /** Null when there is no such strategy. */
    static List<MessageQueue> of(String strategy, List<MessageQueue> queues, List<String> clients, String client) {
        int index = clients.indexOf(client);
        if (strategy == null || strategy.equals("AVG")) {
            return ranges(queues, clients.size(), index);
        }
        return strategy.equals("AVG_BY_CIRCLE") ? circle(queues, clients.size(), index) : null;
    }

    /** Ranges of equal length; the first clients have one more when it does not come out even. */
    private static List<MessageQueue> ranges(List<MessageQueue> queues, int clients, int index) {
        int length = queues.size() / clients;
        int longer = queues.size() % clients;
        int from = index * length + Math.min(index, longer);
        return queues.subList(from, from + length + (index < longer ? 1 : 0));
    }

    private static List<MessageQueue> circle(List<MessageQueue> queues, int clients, int index) {
        List<MessageQueue> share = new ArrayList<>();
        for (int i = index; i < queues.size(); i += clients) {
            share.add(queues.get(i));
        }
        return share;
    }

    /**
     * For pop, where several clients may have a queue: all queues of every broker, or the client's own share and that
     * of the clients behind it.
     *
     * @param others how many clients behind it; 0 or less, or as many as there are: all queues
     */
    static Set<MessageQueue> forPop(
            String strategy, List<MessageQueue> queues, List<String> clients, String client, int others) {
        if (others <= 0 || others >= clients.size() - 1) {
            return everything(queues);
        }
        int index = clients.indexOf(client);
        if (clients.size() > queues.size()) {
            return queues.isEmpty() ? Set.of() : Set.of(queues.get(index % queues.size()));
        }
        Set<MessageQueue> share = new LinkedHashSet<>();
        for (int i = 0; i <= others; i++) {
            List<MessageQueue> one = of(strategy, queues, clients, clients.get((index + i) % clients.size()));
            if (one == null) {
                return null;
            }
            share.addAll(one);
        }
        return share;
    }

    private static Set<MessageQueue> everything(Collection<MessageQueue> queues) {
        Set<MessageQueue> brokers = new LinkedHashSet<>();
        queues.forEach(queue -> brokers.add(new MessageQueue(queue.topic(), queue.brokerName(), PopHeader.ANY_QUEUE)));
        return brokers;
    }
}
