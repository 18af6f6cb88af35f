/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.HeadedRecord;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.RecordReader;
import io.waybill.store.record.UnreadableRecord;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.List;

/** Reads the records of a frame, back to back, each by its kind: plain stored messages, and those with a header. */
final class Records {
    private static final int KIND_AT = 8;
    private static final int VERSION_AT = 10;

    private Records() {}

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
            int size = end - next < HeadedRecord.HEADER ? 0 : frame.getInt(next);
            if (size < HeadedRecord.HEADER || size > end - next) {
                return new Unreadable("record " + seen + " has size " + size, false);
            }
            try {
                long position = base + (next - at);
                into.add(
                        frame.getInt(next + 4) == HeadedRecord.MAGIC
                                ? headed(frame, next, size, position, at)
                                : VisibleMessage.read(frame, next, size, position, at));
            } catch (UnreadableRecord e) {
                return new Unreadable("record " + seen + ": " + e.getMessage(), e.isNewer());
            }
            next += size;
            seen++;
        }
        return seen == count ? null : new Unreadable("the frame says " + count + " records and has " + seen, false);
    }

    private static LogRecord headed(ByteBuffer frame, int at, int size, long position, int frameAt) {
        int code = frame.getShort(at + KIND_AT) & 0xFFFF;
        int version = frame.getShort(at + VERSION_AT) & 0xFFFF;
        RecordKind kind = RecordKind.ofCode(code);
        if (kind == null) {
            throw UnreadableRecord.newer(
                    "kind " + code + " is unknown, this program reads up to " + RecordKind.lastCode());
        }
        if (version > kind.version()) {
            throw UnreadableRecord.newer("version " + version + " of kind " + code
                    + " is unknown, this program reads up to " + kind.version());
        }
        ByteBuffer fields = frame.duplicate();
        fields.limit(at + size).position(at + HeadedRecord.HEADER);
        long storeTimeMillis = Frame.storeTimeMillis(frame, frameAt);
        try {
            return kind.read(new RecordReader(fields, version, position, storeTimeMillis, frameAt));
        } catch (BufferUnderflowException e) {
            throw UnreadableRecord.wrong("kind " + code + " is cut short");
        } catch (ViewsDamaged | IllegalArgumentException e) {
            throw UnreadableRecord.wrong("kind " + code + ": " + e.getMessage());
        }
    }
}
