/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.RecordReader;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UnreadableRecord;
import io.waybill.store.record.ViewsDamaged;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The records of a frame. A plain stored message is a record by itself; every other record is
 *
 * <pre>
 *   0        4        8      10     12
 *   +--------+--------+------+------+----------------
 *   | size   | WBR1   | kind | ver  | fields
 *   +--------+--------+------+------+----------------
 *
 *    1 PENDING_HALF  handle 8, nextCheckMillis 8, producerGroup text, version 2: sender text, stored message
 *    2 PENDING_DUE   handle 8, dueMillis 8, stored message
 *    3 DECISION      handle 8, outcome 1, fromCheck 1, atMillis 8, by text
 *    4 FIRED         handle 8
 *    5 CANCELLED     handle 8, by text; version 2: topic text, n 2, n x key text
 *    6 RESCHEDULED   handle 8, dueMillis 8
 *    7 CHECKED       handle 8, count 4, nextCheckMillis 8; version 2: client text; version 3: reason 1, sender text
 *    8 PROGRESS      n 4, n x (group text, topic text, queueId 4, offset 8)
 *    9 CATALOG       catalogKind 1, name text, present 1, value to the record's end
 *   10 QUEUE_BASE    topic text, queueId 4, nextOffset 8
 *   11 MARK          epoch 8        says nothing; closes the log so that every frame before it is proved durable
 *   12 POP           the bytes of PopDelta.encode
 *   13 POP_STATE     group text, topic text, queueId 4, the bytes of PopState.encode
 *   14 ANSWERED      handle 8, client text, answer text
 *   15 UNIQUE        topic text, key text, untilMillis 8, position 8, queueOffset 8, queueId 4, storeTimeMillis 8;
 *                   version 2: atMillis 8
 *   16 JOURNAL       n 4, n x (kind 1, group text, topic text, queueId 4, from 8, to 8, client text, firstMillis 8, lastMillis 8)
 *   17 DROPPED       upTo 8         all below may be missing: forced before retention deletes it
 *   18 CONFLICT      handle 8, decided 1, decidedMillis 8, decidedBy text, late 1, fromCheck 1, atMillis 8, by text, messageId text,
 *                    topic text, producerGroup text
 *   19 PUBLISHED     handle 8, atMillis 8, by text
 *
 *   text: length 2, UTF-8 bytes
 * </pre>
 *
 * The size counts the whole record. A handle is the position of the embedded message when it was first stored; it stays when
 * the message is carried forward to another position.
 */
final class Records {
    static final int MAGIC = 0x57425231; // WBR1

    static final int PENDING_HALF = 1;
    static final int PENDING_DUE = 2;
    static final int DECISION = 3;
    static final int FIRED = 4;
    static final int CANCELLED = 5;
    static final int RESCHEDULED = 6;
    static final int CHECKED = 7;
    static final int PROGRESS = 8;
    static final int CATALOG = 9;
    static final int QUEUE_BASE = 10;
    static final int MARK = 11;
    static final int POP = 12;
    static final int POP_STATE = 13;
    static final int ANSWERED = 14;
    static final int UNIQUE = 15;
    static final int JOURNAL = 16;
    static final int DROPPED = 17;
    static final int CONFLICT = 18;
    static final int PUBLISHED = 19;
    /** The newest kind; a kind beyond it is of a newer program. */
    static final int LAST_KIND = RecordKind.RESET.code();

    static final int HEADER = 12;
    static final int HALF_FIXED = HEADER + 8 + 8 + 2 + 2;
    static final int DUE_FIXED = HEADER + 8 + 8;
    static final int DECISION_FIXED = HEADER + 8 + 1 + 1 + 8 + 2;
    static final int CHECKED_FIXED = HEADER + 8 + 4 + 8 + 2 + 1 + 2;
    static final int CONFLICT_FIXED = HEADER + 8 + 1 + 8 + 2 + 1 + 1 + 8 + 4 * 2;
    static final int PUBLISHED_FIXED = HEADER + 8 + 8 + 2;
    static final int MAX_TEXT = 0xFFFF;

    private Records() {}

    /** The version of a kind that is written; all older ones are read. */
    static int version(int kind) {
        return switch (kind) {
            case CHECKED -> 3;
            case PENDING_HALF, CANCELLED, UNIQUE -> 2;
            default -> kind > PUBLISHED ? RecordKind.ofCode(kind).version() : 1;
        };
    }

    static byte[] text(String text) {
        byte[] bytes = (text == null ? "" : text).getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_TEXT) {
            throw new IllegalArgumentException("a text must be at most " + MAX_TEXT + " bytes, seen " + bytes.length);
        }
        return bytes;
    }

    static void putText(ByteBuffer b, byte[] text) {
        b.putShort((short) text.length).put(text);
    }

    static void putHeader(ByteBuffer b, int size, int kind) {
        b.putInt(size).putInt(MAGIC).putShort((short) kind).putShort((short) version(kind));
    }

    /** The size of a PROGRESS record; the texts are group and topic of each entry in turn. */
    static int progressSize(List<byte[]> texts) {
        int size = HEADER + 4 + texts.size() / 2 * 12;
        for (byte[] text : texts) {
            size += 2 + text.length;
        }
        return size;
    }

    /** The texts are those of topic and keys. */
    static int cancelledSize(byte[] by, List<byte[]> texts) {
        int size = HEADER + 8 + 2 + by.length + 2;
        for (byte[] text : texts) {
            size += 2 + text.length;
        }
        return size;
    }

    static int uniqueSize(byte[] topic, byte[] key) {
        return HEADER + 2 + topic.length + 2 + key.length + 8 + 8 + 8 + 4 + 8 + 8;
    }

    /** The texts are group, topic and client of each entry in turn. */
    static int journalSize(List<byte[]> texts) {
        int size = HEADER + 4 + texts.size() / 3 * 37;
        for (byte[] text : texts) {
            size += 2 + text.length;
        }
        return size;
    }

    static int popStateSize(byte[] group, byte[] topic, byte[] encoded) {
        return HEADER + 2 + group.length + 2 + topic.length + 4 + encoded.length;
    }

    /**
     * Why the records of a frame whose checksum fits cannot be read.
     *
     * @param isNewer whether a newer program wrote them; else they are wrong
     */
    record Unreadable(String text, boolean isNewer) {}

    /**
     * Reads all records of a verified frame, in order.
     *
     * @param at where the frame starts in the buffer
     * @return null, or why this program does not understand the content
     */
    static Unreadable parse(ByteBuffer frame, int at, List<LogRecord> into) {
        long base = Frame.base(frame, at);
        int end = at + Frame.length(frame, at);
        int count = Frame.count(frame, at);
        int next = at + Frame.HEADER;
        int seen = 0;
        while (next < end) {
            int size = end - next < HEADER ? 0 : frame.getInt(next);
            if (size < HEADER || size > end - next) {
                return new Unreadable("record " + seen + " has size " + size, false);
            }
            Unreadable wrong = frame.getInt(next + 4) == MAGIC
                    ? parseControl(frame, next, size, base, at, into)
                    : parseVisible(frame, next, size, base, at, into);
            if (wrong != null) {
                return new Unreadable("record " + seen + ": " + wrong.text(), wrong.isNewer());
            }
            next += size;
            seen++;
        }
        return seen == count ? null : new Unreadable("the frame says " + count + " records and has " + seen, false);
    }

    private static Unreadable parseVisible(
            ByteBuffer b, int at, int size, long base, int frameAt, List<LogRecord> into) {
        String wrong = StoredMessage.verifyLayout(b, at, at + size);
        if (wrong != null) {
            int magic = b.getInt(at + 4);
            boolean isMessage = magic == StoredMessage.MAGIC_V1 || magic == StoredMessage.MAGIC_V2;
            return new Unreadable(
                    isMessage
                            ? wrong
                            : "magic " + Integer.toHexString(magic) + " is of no kind of record this program reads",
                    !isMessage);
        }
        IndexTerms terms = StoredMessage.indexTerms(b, at);
        int delta = at - frameAt;
        into.add(new LogRecord.VisibleMessage(
                base + delta,
                size,
                delta,
                StoredMessage.topic(b, at),
                StoredMessage.queueId(b, at),
                StoredMessage.queueOffset(b, at),
                terms.tagsCode(),
                StoredMessage.storeTimestamp(b, at),
                terms.all()));
        return null;
    }

    private static Unreadable parseControl(
            ByteBuffer frame, int at, int size, long base, int frameAt, List<LogRecord> into) {
        int kind = frame.getShort(at + 8) & 0xFFFF;
        int version = frame.getShort(at + 10) & 0xFFFF;
        if (kind > LAST_KIND) {
            return new Unreadable("kind " + kind + " is unknown, this program reads up to " + LAST_KIND, true);
        }
        if (version > version(kind)) {
            return new Unreadable(
                    "version " + version + " of kind " + kind + " is unknown, this program reads up to "
                            + version(kind),
                    true);
        }
        long position = base + (at - frameAt);
        ByteBuffer b = frame.duplicate();
        b.limit(at + size).position(at + HEADER);
        try {
            if (kind > PUBLISHED) {
                into.add(RecordKind.ofCode(kind)
                        .read(new RecordReader(b, version, position, Frame.storeTimeMillis(frame, frameAt))));
                return null;
            }
            return parseFields(kind, version, position, b, base, frameAt, into);
        } catch (UnreadableRecord e) {
            return new Unreadable("kind " + kind + ": " + e.getMessage(), e.isNewer());
        } catch (BufferUnderflowException e) {
            return new Unreadable("kind " + kind + " is cut short", false);
        } catch (ViewsDamaged | IllegalArgumentException e) {
            return new Unreadable("kind " + kind + ": " + e.getMessage(), false);
        }
    }

    private static Unreadable parseFields(
            int kind, int version, long position, ByteBuffer b, long base, int frameAt, List<LogRecord> into) {
        long storeTime = Frame.storeTimeMillis(b, frameAt);
        switch (kind) {
            case PENDING_HALF -> {
                long handle = b.getLong();
                long nextCheck = b.getLong();
                String group = getText(b);
                String sender = version > 1 ? getText(b) : "";
                return embedded(
                        b,
                        base,
                        frameAt,
                        (at, delta, terms) -> into.add(new LogRecord.Half(
                                base + delta,
                                b.limit() - at,
                                delta,
                                handle,
                                group,
                                sender,
                                nextCheck,
                                StoredMessage.storeTimestamp(b, at))));
            }
            case PENDING_DUE -> {
                long handle = b.getLong();
                long due = b.getLong();
                return embedded(
                        b,
                        base,
                        frameAt,
                        (at, delta, terms) -> into.add(new LogRecord.Due(
                                base + delta,
                                b.limit() - at,
                                delta,
                                handle,
                                due,
                                StoredMessage.topic(b, at),
                                StoredMessage.queueId(b, at),
                                terms.all(),
                                StoredMessage.storeTimestamp(b, at))));
            }
            case DECISION -> {
                long handle = b.getLong();
                Decision outcome = Decision.ofCode(b.get());
                if (outcome == null) {
                    return new Unreadable("unknown decision", true);
                }
                into.add(new LogRecord.Decided(position, handle, outcome, b.get() != 0, b.getLong(), getText(b)));
            }
            case FIRED -> into.add(new LogRecord.Fired(position, b.getLong()));
            case CANCELLED -> {
                long handle = b.getLong();
                String by = getText(b);
                String topic = version > 1 ? getText(b) : null;
                String[] keys = version > 1 ? getTexts(b) : null;
                into.add(new LogRecord.Cancelled(position, handle, storeTime, by, topic, keys));
            }
            case RESCHEDULED -> into.add(new LogRecord.Rescheduled(position, b.getLong(), b.getLong()));
            case CHECKED -> {
                long handle = b.getLong();
                int checks = b.getInt();
                long nextCheck = b.getLong();
                String client = version > 1 ? getText(b) : "";
                CheckReason reason = version > 2 ? CheckReason.ofCode(b.get()) : CheckReason.NONE;
                if (reason == null) {
                    return new Unreadable("unknown reason of a check", true);
                }
                String sender = version > 2 ? getText(b) : "";
                into.add(new LogRecord.Checked(position, handle, checks, nextCheck, client, reason, sender, storeTime));
            }
            case ANSWERED -> into.add(new LogRecord.Answered(position, b.getLong(), getText(b), getText(b), storeTime));
            case CONFLICT -> {
                long handle = b.getLong();
                Decision decided = Decision.ofCode(b.get());
                long decidedMillis = b.getLong();
                String decidedBy = getText(b);
                Decision late = Decision.ofCode(b.get());
                if (decided == null || late == null) {
                    return new Unreadable("unknown decision", true);
                }
                into.add(new LogRecord.Conflict(new DecisionConflict(
                        handle,
                        position,
                        decided,
                        decidedMillis,
                        decidedBy,
                        late,
                        b.get() != 0,
                        b.getLong(),
                        getText(b),
                        getText(b),
                        getText(b),
                        getText(b))));
            }
            case PUBLISHED ->
                into.add(new LogRecord.Published(new PublishRecord(b.getLong(), position, b.getLong(), getText(b))));
            case PROGRESS -> {
                int n = b.getInt();
                List<ConsumerOffset> entries = new ArrayList<>(Math.min(n, b.remaining() / 16 + 1));
                for (int i = 0; i < n; i++) {
                    entries.add(new ConsumerOffset(getText(b), getText(b), b.getInt(), b.getLong()));
                }
                into.add(new LogRecord.Progress(position, entries));
            }
            case CATALOG -> {
                CatalogKind catalogKind = CatalogKind.ofCode(b.get());
                if (catalogKind == null) {
                    return new Unreadable("unknown catalog kind", true);
                }
                String name = getText(b);
                byte[] value = null;
                if (b.get() != 0) {
                    value = rest(b);
                }
                into.add(new LogRecord.Catalog(position, catalogKind, name, value));
            }
            case QUEUE_BASE -> into.add(new LogRecord.QueueBase(position, getText(b), b.getInt(), b.getLong()));
            case POP -> into.add(new LogRecord.Pop(position, PopDelta.decode(rest(b))));
            case POP_STATE -> {
                PopKey key = new PopKey(getText(b), getText(b), b.getInt());
                into.add(new LogRecord.PopRestated(position, key, PopState.decode(rest(b))));
            }
            case UNIQUE -> {
                UniqueKey key = new UniqueKey(getText(b), getText(b), b.getLong());
                FirstMessage first = new FirstMessage(b.getLong(), b.getLong(), b.getInt(), b.getLong());
                into.add(new LogRecord.Unique(position, key, first, version > 1 ? b.getLong() : storeTime));
            }
            case JOURNAL -> {
                int n = b.getInt();
                List<DeliveryEvent> entries = new ArrayList<>(Math.min(n, b.remaining() / 40 + 1));
                for (int i = 0; i < n; i++) {
                    DeliveryEvent.Kind what = DeliveryEvent.Kind.ofCode(b.get());
                    if (what == null) {
                        return new Unreadable("unknown kind of journal entry", true);
                    }
                    entries.add(new DeliveryEvent(
                            what,
                            getText(b),
                            getText(b),
                            b.getInt(),
                            b.getLong(),
                            b.getLong(),
                            getText(b),
                            b.getLong(),
                            b.getLong()));
                }
                into.add(new LogRecord.Journal(position, entries));
            }
            case DROPPED -> into.add(new LogRecord.Dropped(position, b.getLong()));
            case MARK -> b.getLong();
            default -> {
                return new Unreadable("unknown kind " + kind, false);
            }
        }
        return null;
    }

    private interface Embedded {
        void message(int at, int delta, IndexTerms terms);
    }

    private static Unreadable embedded(ByteBuffer b, long base, int frameAt, Embedded take) {
        int at = b.position();
        String wrong = StoredMessage.verifyLayout(b, at, b.limit());
        if (wrong == null) {
            take.message(at, at - frameAt, StoredMessage.indexTerms(b, at));
        }
        return wrong == null ? null : new Unreadable(wrong, false);
    }

    private static String[] getTexts(ByteBuffer b) {
        int count = b.getShort() & 0xFFFF;
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(getText(b));
        }
        return texts.toArray(String[]::new);
    }

    private static byte[] rest(ByteBuffer b) {
        byte[] rest = new byte[b.remaining()];
        b.get(rest);
        return rest;
    }

    private static String getText(ByteBuffer b) {
        byte[] bytes = new byte[b.getShort() & 0xFFFF];
        b.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
