/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;

/** The queues a push consumer works on now, and whether it works at all. Thread-safe. */
final class ProcessQueues {
    private final Map<MessageQueue, ProcessQueue> queues = new ConcurrentHashMap<>();
    private final AtomicBoolean closing = new AtomicBoolean();
    private volatile boolean paused;

    ProcessQueue get(MessageQueue queue) {
        return queues.get(queue);
    }

    boolean contains(MessageQueue queue) {
        return queues.containsKey(queue);
    }

    void put(ProcessQueue queue) {
        queues.put(queue.queue, queue);
    }

    boolean replace(ProcessQueue queue, ProcessQueue next) {
        return queues.replace(queue.queue, queue, next);
    }

    boolean remove(ProcessQueue queue) {
        return queues.remove(queue.queue, queue);
    }

    void clear() {
        queues.clear();
    }

    boolean isEmpty() {
        return queues.isEmpty();
    }

    List<ProcessQueue> all() {
        return List.copyOf(queues.values());
    }

    Set<MessageQueue> names() {
        return new TreeSet<>(queues.keySet());
    }

    /** In the order of their names. */
    void forEach(BiConsumer<MessageQueue, ProcessQueue> step) {
        new TreeMap<>(queues).forEach(step);
    }

    boolean hasEach(Set<String> topics) {
        Set<String> held = new HashSet<>();
        queues.keySet().forEach(queue -> held.add(queue.topic()));
        return held.containsAll(topics);
    }

    /** True for the first caller: nothing is fetched or begun from now on. */
    boolean beginClose() {
        return closing.compareAndSet(false, true);
    }

    boolean isClosing() {
        return closing.get();
    }

    void paused(boolean value) {
        paused = value;
    }

    boolean isPaused() {
        return paused;
    }
}
