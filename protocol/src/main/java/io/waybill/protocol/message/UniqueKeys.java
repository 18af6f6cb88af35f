/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Makes the unique keys of one process: 32 upper-case hex digits that never repeat within a process for 65 536 keys per millisecond, and
 * between processes as far as their tags differ.
 *
 * <pre>
 *  IPv4 4 bytes | process 2 | tag 4 | milliseconds since the start of the month (UTC) 4 | counter 2
 * </pre>
 *
 * The time part is a hint for tools only. Safe for any number of threads.
 */
public final class UniqueKeys {
    private static final int LENGTH = 32;
    private static final int PREFIX_LENGTH = 20;

    private final byte[] prefix = new byte[PREFIX_LENGTH];
    private final AtomicInteger counter;
    private volatile Month month = new Month(0, 0);

    private record Month(long startMillis, long endMillis) {}

    /**
     * @param address four bytes of the host's address, or any four bytes that tell hosts apart
     * @param process the process id; its low 16 bits are used
     * @param tag a random number that tells apart two processes with the same id
     */
    public UniqueKeys(byte[] address, long process, int tag) {
        if (address.length != 4) {
            throw new IllegalArgumentException("address must have 4 bytes, had " + address.length);
        }
        int at = 0;
        for (byte b : address) {
            at = MessageIds.hex(prefix, at, b, 2);
        }
        at = MessageIds.hex(prefix, at, process, 4);
        MessageIds.hex(prefix, at, tag, 8);
        this.counter = new AtomicInteger(tag);
    }

    /** The next key, with the wall clock's time given by the caller. */
    public String next(long wallMillis) {
        Month current = month;
        if (wallMillis < current.startMillis || wallMillis >= current.endMillis) {
            current = monthOf(wallMillis);
            month = current;
        }
        byte[] text = new byte[LENGTH];
        System.arraycopy(prefix, 0, text, 0, PREFIX_LENGTH);
        int at = MessageIds.hex(text, PREFIX_LENGTH, wallMillis - current.startMillis, 8);
        MessageIds.hex(text, at, counter.getAndIncrement(), 4);
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    private static Month monthOf(long wallMillis) {
        LocalDate first =
                LocalDate.ofEpochDay(Math.floorDiv(wallMillis, 86_400_000L)).withDayOfMonth(1);
        return new Month(millis(first), millis(first.plusMonths(1)));
    }

    private static long millis(LocalDate day) {
        return day.atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
    }
}
