/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.Unpacker;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All queues. Only those with entries that no checkpoint holds are objects; the others are keys in the backend:
 *
 * <pre>
 *   0 | topic | queueId 4                  -> min, max (drawn at ConsumeQueue#writeMeta)
 *   1 | topic | queueId 4 | number 8       -> {@link Block}
 * </pre>
 */
public final class ConsumeQueues {
    static final Comparator<QueueKey> ORDER =
            Comparator.comparing(QueueKey::topic).thenComparing(QueueKey::queueId);
    private static final Logger LOG = LoggerFactory.getLogger(ConsumeQueues.class);
    private static final int META = 0;
    private static final int BLOCK = 1;
    /** Decoded full blocks kept for readers: at most 256 times 8 KiB. */
    private static final int CACHED = 256;

    private static final int RECENT = 256;

    private record CachedBlock(QueueKey key, Block block) {}

    private final ViewsBackend backend;
    private final Map<QueueKey, ConsumeQueue> live = new ConcurrentHashMap<>();
    private final AtomicReferenceArray<CachedBlock> cache = new AtomicReferenceArray<>(CACHED);
    private volatile long oldestPosition;

    /** Applier only: queues by a short hash, so that a message of a known queue allocates nothing. */
    private final ConsumeQueue[] recent = new ConsumeQueue[RECENT];

    private long generation = 1;
    private List<ConsumeQueue> dirty = new ArrayList<>();

    /** Queues that missed a message, and why: they are not read, appended to or written any more. */
    private final Map<QueueKey, String> lost = new ConcurrentHashMap<>();

    /** Duty thread, handed over by the swap. */
    private List<ConsumeQueue> writing = List.of();

    private long writingGeneration;

    ConsumeQueues(ViewsBackend backend, long oldestPosition) {
        this.backend = backend;
        this.oldestPosition = oldestPosition;
    }

    static byte[] metaKey(QueueKey key) {
        return new Packer(key.topic().length() + 7)
                .i8(META)
                .text(key.topic())
                .i32(key.queueId())
                .done();
    }

    static byte[] blockKey(QueueKey key, long number) {
        return new Packer(key.topic().length() + 15)
                .i8(BLOCK)
                .text(key.topic())
                .i32(key.queueId())
                .i64(number)
                .done();
    }

    private static QueueKey queueOf(byte[] metaKey) {
        Unpacker unpacker = new Unpacker(metaKey, 1);
        return new QueueKey(unpacker.text(), unpacker.i32());
    }

    long oldestPosition() {
        return oldestPosition;
    }

    // ---- applier

    void message(VisibleMessage message) {
        ConsumeQueue queue = touched(message.topic(), message.queueId(), message.queueOffset());
        queue.append(
                message.queueOffset(),
                message.position(),
                message.size(),
                message.frameDelta(),
                message.tagsCode(),
                message.storeTimeMillis());
    }

    /** The same of a log that serves: if the queue cannot take it, the queue is lost and the others go on. */
    void messageOrLose(VisibleMessage message) {
        if (!lost.isEmpty() && lost.containsKey(new QueueKey(message.topic(), message.queueId()))) {
            return;
        }
        try {
            message(message);
        } catch (RuntimeException e) {
            QueueKey key = new QueueKey(message.topic(), message.queueId());
            LOG.warn("queue {} missed a message and must not be read until it is rebuilt", key, e);
            lost.put(key, "queue " + key + " missed a message: " + e.getMessage());
            backend.wake();
        }
    }

    /** Why some queue must not be read; null if all may be. */
    String loss() {
        return lost.isEmpty() ? null : lost.values().stream().findAny().orElse(null);
    }

    /** Queues that must not be read. */
    List<QueueKey> lost() {
        return List.copyOf(lost.keySet());
    }

    private void refuseLost(QueueKey key) {
        String loss = lost.isEmpty() ? null : lost.get(key);
        if (loss != null) {
            throw new ViewsDamaged(loss + "; it is rebuilt from the log, try again later");
        }
    }

    ViewsDamaged damaged(String what) {
        return backend.damaged(what);
    }

    void base(QueueBase base) {
        touched(base.topic(), base.queueId(), base.nextOffset()).base(base.position(), base.nextOffset());
    }

    /** The topic was deleted: its queues show nothing they hold now and go on behind it. */
    void hide(String topic) {
        for (QueueKey key : names(topic)) {
            touched(topic, key.queueId(), 0).hide();
        }
    }

    /** The deleted topic came back: its queues show again what they still hold. */
    void show(String topic) {
        for (QueueKey key : names(topic)) {
            touched(topic, key.queueId(), 0).show();
        }
    }

    /** The queue, live and part of the current generation. */
    private ConsumeQueue touched(String topic, int queueId, long offsetIfUnknown) {
        if (!lost.isEmpty()) {
            refuseLost(new QueueKey(topic, queueId));
        }
        int slot = (topic.hashCode() * 31 + queueId) & RECENT - 1;
        ConsumeQueue queue = recent[slot];
        if (queue == null
                || queue.key.queueId() != queueId
                || !queue.key.topic().equals(topic)) {
            queue = live.get(new QueueKey(topic, queueId));
        }
        int touch = queue == null ? -1 : queue.touch(generation);
        if (touch < 0) {
            QueueKey key = new QueueKey(topic, queueId);
            byte[] meta = backend.get(Family.QUEUE, metaKey(key));
            if (meta == null) {
                queue = new ConsumeQueue(this, key, offsetIfUnknown);
            } else {
                queue = ConsumeQueue.decodeMeta(this, key, meta);
                queue.becomeLive();
            }
            touch = queue.touch(generation);
            live.put(key, queue);
        }
        if (touch > 0) {
            dirty.add(queue);
        }
        recent[slot] = queue;
        return queue;
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    void swap() {
        writing = dirty;
        writingGeneration = generation;
        dirty = new ArrayList<>();
        generation++;
    }

    // ---- duty thread

    void write(ViewBatch batch, long oldest) {
        for (ConsumeQueue queue : writing) {
            queue.write(writingGeneration, batch, oldest);
        }
    }

    /** Deletes what is below an oldest position from all stored queues. Before write, in the same batch. */
    void clean(ViewBatch batch, long oldest) {
        byte[] prefix = {META};
        backend.scan(Family.QUEUE, prefix, Packer.behind(prefix), (metaKey, value) -> {
            Unpacker unpacker = new Unpacker(value, 0);
            long min = unpacker.i64();
            long minPosition = unpacker.i64();
            long max = unpacker.i64();
            if (min < max && minPosition < oldest) {
                ConsumeQueue.decodeMeta(this, queueOf(metaKey), value).clean(batch, oldest);
            }
            return true;
        });
    }

    void written() {
        for (ConsumeQueue queue : writing) {
            if (queue.shed(writingGeneration)) {
                live.remove(queue.key, queue);
            }
        }
        writing = List.of();
    }

    // ---- readers

    int liveCount() {
        return live.size();
    }

    ConsumeQueue find(QueueKey key) {
        refuseLost(key);
        ConsumeQueue queue = live.get(key);
        if (queue != null) {
            return queue;
        }
        byte[] meta = backend.get(Family.QUEUE, metaKey(key));
        return meta == null ? null : ConsumeQueue.decodeMeta(this, key, meta);
    }

    public QueueView view(String topic, int queueId) {
        QueueKey key = new QueueKey(topic, queueId);
        ConsumeQueue queue = find(key);
        return queue != null ? queue : new ConsumeQueue(this, key, 0);
    }

    /** All that ever had a message or a base, sorted. */
    public List<QueueKey> all() {
        return sorted(names(null));
    }

    /** Those of a topic that ever had a message or a base, sorted. */
    public List<QueueKey> of(String topic) {
        return sorted(names(Objects.requireNonNull(topic)));
    }

    private static List<QueueKey> sorted(List<QueueKey> names) {
        names.sort(ORDER);
        return names;
    }

    /** The queues of a topic, or all if it is null; in no order. */
    List<QueueKey> names(String topic) {
        Set<QueueKey> names = new HashSet<>();
        for (QueueKey key : live.keySet()) {
            if (topic == null || key.topic().equals(topic)) {
                names.add(key);
            }
        }
        byte[] prefix = topic == null
                ? new byte[] {META}
                : new Packer(64).i8(META).text(topic).done();
        backend.scan(Family.QUEUE, prefix, Packer.behind(prefix), (key, value) -> {
            names.add(queueOf(key));
            return true;
        });
        return new ArrayList<>(names);
    }

    /** The next offsets of queues whose latest record stands below a position. */
    Map<QueueKey, Long> basesBelow(long position) {
        Map<QueueKey, Long> bases = new HashMap<>();
        Set<QueueKey> seen = new HashSet<>();
        for (ConsumeQueue queue : live.values()) {
            seen.add(queue.key);
            if (queue.evidence() < position) {
                bases.put(queue.key, queue.max());
            }
        }
        byte[] prefix = {META};
        backend.scan(Family.QUEUE, prefix, Packer.behind(prefix), (metaKey, value) -> {
            QueueKey key = queueOf(metaKey);
            if (!seen.contains(key)) {
                ConsumeQueue queue = ConsumeQueue.decodeMeta(this, key, value);
                if (queue.evidence() < position) {
                    bases.put(key, queue.max());
                }
            }
            return true;
        });
        return bases;
    }

    private static int cacheSlot(QueueKey key, long number) {
        return (int) (key.hashCode() * 31 + number) & CACHED - 1;
    }

    boolean isCached(QueueKey key, long offset) {
        return cached(key, offset) != null;
    }

    private Block cached(QueueKey key, long offset) {
        CachedBlock cached = cache.get(cacheSlot(key, offset >> Block.SHIFT));
        return cached != null
                        && cached.block.number == offset >> Block.SHIFT
                        && cached.key.equals(key)
                        && cached.block.holds(offset)
                ? cached.block
                : null;
    }

    /** The stored block that holds an offset, or null if there is none. */
    Block stored(QueueKey key, long offset) {
        Block block = cached(key, offset);
        if (block != null) {
            return block;
        }
        long number = offset >> Block.SHIFT;
        byte[] value = storedValue(key, number);
        if (value == null) {
            refuseHole(key, number);
            return null;
        }
        block = decode(key, number, value);
        if (block.isFull()) {
            cache.set(cacheSlot(key, number), new CachedBlock(key, block));
        }
        return block.holds(offset) ? block : null;
    }

    /** A block that is not there was deleted below the queue's first offset; anywhere else it is a hole, which is not an empty queue. */
    private void refuseHole(QueueKey key, long number) {
        byte[] meta = backend.get(Family.QUEUE, metaKey(key));
        Unpacker unpacker = meta == null ? null : new Unpacker(meta, 0);
        if (unpacker == null || unpacker.i64() >> Block.SHIFT <= number) {
            throw damaged("block " + number + " of queue " + key + " is missing");
        }
    }

    Block decode(QueueKey key, long number, byte[] value) {
        try {
            return Block.decode(number, value);
        } catch (ViewsDamaged e) {
            throw damaged("queue " + key + ": " + e.getMessage());
        }
    }

    byte[] storedValue(QueueKey key, long number) {
        return backend.get(Family.QUEUE, blockKey(key, number));
    }
}
