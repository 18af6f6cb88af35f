/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pull;

import io.waybill.client.MessageQueue;
import io.waybill.client.QueuePositions;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.runtime.ClientExceptions;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;

/** Positions of the readers of a pull consumer. They change only under its monitor; the broker is never asked while that is held. */
final class ReaderPositions implements QueuePositions {
    private final String group;
    private final OffsetApi offsets;
    private final Function<MessageQueue, String> addresses;
    private final Function<MessageQueue, QueueReader> readers;
    private final Supplier<Set<MessageQueue>> assigned;
    private final Object monitor;

    /** @param readers gives the reader of a queue, or refuses one that is not assigned */
    ReaderPositions(
            String group,
            OffsetApi offsets,
            Function<MessageQueue, String> addresses,
            Function<MessageQueue, QueueReader> readers,
            Supplier<Set<MessageQueue>> assigned,
            Object monitor) {
        this.group = group;
        this.offsets = offsets;
        this.addresses = addresses;
        this.readers = readers;
        this.assigned = assigned;
        this.monitor = monitor;
    }

    @Override
    public void seek(MessageQueue queue, long offset) {
        if (offset < 0) {
            throw ClientExceptions.invalid(
                    "offset must not be negative, but is " + offset, "use seekToBegin for the oldest message");
        }
        synchronized (monitor) {
            readers.apply(queue).moveTo(offset);
        }
    }

    @Override
    public long seek(MessageQueue queue, Instant time) {
        readers.apply(queue); // it must be assigned
        long offset = await(
                offsets.offsetAt(addresses.apply(queue), queue, time.toEpochMilli()), "finding a time in " + queue);
        seek(queue, offset);
        return offset;
    }

    @Override
    public void seek(String topic, Instant time) {
        for (MessageQueue queue : assigned.get()) {
            if (queue.topic().equals(topic)) {
                seek(queue, time);
            }
        }
    }

    @Override
    public void seekToBegin(MessageQueue queue) {
        seek(queue, minOffset(queue));
    }

    @Override
    public void seekToEnd(MessageQueue queue) {
        seek(queue, maxOffset(queue));
    }

    @Override
    public long of(MessageQueue queue) {
        synchronized (monitor) {
            return readers.apply(queue).progress();
        }
    }

    @Override
    public OptionalLong committed(MessageQueue queue) {
        return await(offsets.committed(addresses.apply(queue), group, queue), "asking for the progress in " + queue);
    }

    @Override
    public long minOffset(MessageQueue queue) {
        return await(offsets.minOffset(addresses.apply(queue), queue), "asking for the oldest offset of " + queue);
    }

    @Override
    public long maxOffset(MessageQueue queue) {
        return await(offsets.maxOffset(addresses.apply(queue), queue), "asking for the newest offset of " + queue);
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return ClientExceptions.await(future, doing, false);
    }
}
