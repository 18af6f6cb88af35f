/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The kinds of records, a line each: the code in the header, the newest version that is written and read, and who reads the fields. Codes are never used
 * again.
 */
public enum RecordKind {
    LOCK(20, 1, QueueLock::read),
    SETTLED(21, 1, Settlement::read),
    RESET(22, 1, PendingReset::read);

    /** Reads the fields of a record of one kind; throws {@link UnreadableRecord}, or runs out of bytes, if they are not what it wrote. */
    @FunctionalInterface
    interface Reader {
        LogRecord read(RecordReader in);
    }

    private static final RecordKind[] BY_CODE = byCode();

    private final int code;
    private final int version;
    private final Reader reader;

    RecordKind(int code, int version, Reader reader) {
        this.code = code;
        this.version = version;
        this.reader = reader;
    }

    public int code() {
        return code;
    }

    public int version() {
        return version;
    }

    public LogRecord read(RecordReader in) {
        return reader.read(in);
    }

    /** The kind of a code, or null when this program knows none. */
    public static RecordKind ofCode(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }

    private static RecordKind[] byCode() {
        int most = 0;
        for (RecordKind kind : values()) {
            most = Math.max(most, kind.code);
        }
        RecordKind[] kinds = new RecordKind[most + 1];
        for (RecordKind kind : values()) {
            kinds[kind.code] = kind;
        }
        return kinds;
    }
}
