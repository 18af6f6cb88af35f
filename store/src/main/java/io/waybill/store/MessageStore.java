/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.MessageWrites;
import io.waybill.store.log.StoredListener;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.QueueView;
import io.waybill.store.view.Views;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/**
 * Appends visible messages and finds single messages by log position, handle or key. What always holds: the string of a key
 * is compared at the message itself, so no other message is ever returned for it.
 */
public final class MessageStore {
    /** Of messages found by key and kept in memory at once, unless the caller wants less. */
    public static final long MOST_BYTES_BY_KEY = 8 << 20;

    private static final int KEY_PAGE = 64;

    private final Views views;
    private final CommitLog log;
    private final QueueReader reader;

    MessageStore(Views views, CommitLog log, QueueReader reader) {
        this.views = views;
        this.log = log;
        this.reader = reader;
    }

    // ---- changes

    /** Makes a message visible in its queue. */
    public void append(MessageDraft message, Completion done) {
        log.submit(MessageWrites.append(null, message, done));
    }

    /** Makes messages of one queue visible, all or none, at consecutive offsets; the list must not be empty. */
    public void appendBatch(List<MessageDraft> sameQueue, Completion done) {
        log.submit(MessageWrites.appendBatch(sameQueue, done));
    }

    /**
     * As the plain one, unless another message of the topic holds the key and its time is not past: then it is refused as
     * DUPLICATE with the {@link io.waybill.store.record.FirstMessage} of that one. The key is held until its time, whatever
     * happens to the message, except that a rollback or a cancellation sets it free.
     *
     * @param unique null for none
     */
    public void appendUnique(UniqueKey unique, MessageDraft message, Completion done) {
        log.submit(MessageWrites.append(unique, message, done));
    }

    /**
     * Makes those messages of one queue visible whose key is not held, all or none of them, at consecutive offsets. The
     * outcome is a {@link io.waybill.store.log.BatchStored}; of two with the same key the first one is stored.
     *
     * @param unique parallel to the messages; null elements for messages that have no key
     */
    public void appendUniqueBatch(List<MessageDraft> sameQueue, List<UniqueKey> unique, Completion done) {
        log.submit(MessageWrites.appendBatch(sameQueue, unique, done));
    }

    // ---- by position and handle

    /**
     * The stored message at a position, visible or pending; verified. Null if none starts there or it cannot be read intact.
     * The index of its first byte is 0. May block on the disk.
     */
    public ByteBuffer readAt(long position) {
        return reader.readAt(position);
    }

    /**
     * A message as it was first stored at a position, also a half or delayed one that was decided, delivered or cancelled
     * since. For tools that show the past: its own lengths and checksum fit, its frame is not verified. Null if there is none.
     * May block on the disk.
     */
    public ByteBuffer readUnverified(long position) {
        return log.reader().readUnverified(position);
    }

    /** The stored message of an open half or of a pending delayed message, wherever it stands now; null if not pending. */
    public ByteBuffer readPending(long handle) {
        PendingHalf half = views.transactions().get(handle);
        if (half != null) {
            return reader.readVerified(half.position(), half.size(), half.frameDelta());
        }
        PendingTimer due = views.timers().get(handle);
        return due == null ? null : reader.readVerified(due.position(), due.size(), due.frameDelta());
    }

    // ---- by key

    /**
     * Visible messages of a topic with this unique key or KEYS word, newest first, by store time. As many as fit into
     * {@link #MOST_BYTES_BY_KEY}, but at least one. May block on the disk.
     */
    public List<ByteBuffer> findByKey(String topic, String key, int max, long fromMillis, long toMillis) {
        return findByKey(topic, key, max, MOST_BYTES_BY_KEY, fromMillis, toMillis, message -> true);
    }

    /**
     * The same, of those that pass the test. One message is in memory beside those that are returned, whatever is passed over.
     *
     * @param maxBytes stop before it would be passed, but return at least one message
     */
    public List<ByteBuffer> findByKey(
            String topic,
            String key,
            int max,
            long maxBytes,
            long fromMillis,
            long toMillis,
            Predicate<ByteBuffer> test) {
        List<ByteBuffer> found = new ArrayList<>();
        long[] bytes = {0};
        visitByKey(topic, key, fromMillis, toMillis, message -> {
            if (!test.test(message)) {
                return true;
            }
            bytes[0] += message.remaining();
            if (!found.isEmpty() && bytes[0] > maxBytes) {
                return false;
            }
            found.add(message);
            return found.size() < max;
        });
        return found;
    }

    /** Shows the messages one after the other, newest first, until the visitor says no; it need not keep them. */
    public void visitByKey(String topic, String key, long fromMillis, long toMillis, Predicate<ByteBuffer> visitor) {
        long before = Long.MAX_VALUE;
        while (true) {
            long[] positions = views.keyPositions(topic, key, fromMillis, toMillis, before, KEY_PAGE);
            for (long position : positions) {
                ByteBuffer message = reader.readAt(position);
                if (message != null && isAbout(message, topic, key, fromMillis, toMillis) && !visitor.test(message)) {
                    return;
                }
            }
            if (positions.length < KEY_PAGE) {
                return;
            }
            before = positions[positions.length - 1];
        }
    }

    /**
     * The newest visible message of a topic with this unique key or KEYS word that passes the test, stored at the given time
     * or later and at this log position or behind it; null if there is none. May block on the disk.
     *
     * @param fromPosition 0, unless the caller has looked at the messages before it
     * @throws UncheckedIOException if a message that may be the one cannot be read: then nobody knows
     */
    public ByteBuffer findNewestByKey(
            String topic, String key, long fromMillis, long fromPosition, Predicate<ByteBuffer> test) {
        long before = Long.MAX_VALUE;
        while (true) {
            long[] positions = views.keyPositions(topic, key, fromMillis, Long.MAX_VALUE, before, KEY_PAGE);
            for (long position : positions) {
                if (position < fromPosition) {
                    return null;
                }
                ByteBuffer message = reader.readAt(position);
                if (message == null && position >= views.forLog().droppedTo()) {
                    throw new UncheckedIOException(
                            new IOException("the message at log position " + position + " cannot be read"));
                }
                if (message != null && isAbout(message, topic, key, fromMillis, Long.MAX_VALUE) && test.test(message)) {
                    return message;
                }
            }
            if (positions.length < KEY_PAGE) {
                return null;
            }
            before = positions[positions.length - 1];
        }
    }

    private boolean isAbout(ByteBuffer message, String topic, String key, long fromMillis, long toMillis) {
        long time = StoredMessage.storeTimestamp(message, 0);
        if (time < fromMillis || time > toMillis || !StoredMessage.topicEquals(message, 0, topic)) {
            return false;
        }
        QueueView queue = views.consumeQueues().view(topic, StoredMessage.queueId(message, 0));
        if (StoredMessage.queueOffset(message, 0) < queue.min()) {
            return false; // hidden since the topic was deleted
        }
        IndexTerms terms = StoredMessage.indexTerms(message, 0);
        return key.equals(terms.uniqueKey()) || Arrays.asList(terms.keys()).contains(key);
    }

    /** Calls the listener, by the applying thread, with what became readable: at least once per topic and frame. */
    public void onStored(StoredListener counter) {
        log.onStored(counter);
    }
}
