/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import io.waybill.store.record.ViewsDamaged;
import java.util.Arrays;

/**
 * Entries of one queue whose offsets have the same number above the low 8 bits. Filled in order by one thread; readers
 * look only at entries below an offset that was published to them, so neither content nor growth needs a lock.
 *
 * <p>As a value in the backend (integers as in {@link Packer}):
 *
 * <pre>
 *   version 1 | first varint | count varint | position 8 | storeTime 8, both of the first entry, then for each entry
 *   position - previous varint | size varint | frameDelta varint | tagsCode varint | storeTime - previous varint
 * </pre>
 */
final class Block {
    /** log2 of the entries in a full block. */
    static final int SHIFT = 8;

    static final int ENTRIES = 1 << SHIFT;

    private static final int VERSION = 1;
    private static final int WORDS = 4;

    /** Which field of an entry a search compares. */
    static final int POSITION = 0;

    static final int TAGS = 2;
    static final int TIME = 3;

    final long number;
    /** Offset within the block of the first entry it holds. */
    private final int first;

    private int count;
    /** For each entry: position, size and frameDelta (high and low half), tagsCode, storeTime. */
    private long[] words;

    Block(long number, int first, int capacity) {
        this.number = number;
        this.first = first;
        this.words = new long[WORDS * capacity];
    }

    void append(long position, int size, int frameDelta, long tagsCode, long storeTimeMillis) {
        int at = WORDS * count;
        long[] target = words;
        if (at == target.length) {
            target = Arrays.copyOf(target, Math.min(WORDS * ENTRIES, target.length * 4));
            words = target;
        }
        target[at] = position;
        target[at + 1] = (long) size << 32 | frameDelta & 0xFFFFFFFFL;
        target[at + 2] = tagsCode;
        target[at + 3] = storeTimeMillis;
        count++;
    }

    private int index(long offset) {
        return WORDS * ((int) (offset & ENTRIES - 1) - first);
    }

    /** Whether a block that no longer changes holds the entry. */
    boolean holds(long offset) {
        int at = (int) (offset & ENTRIES - 1) - first;
        return at >= 0 && at < count;
    }

    boolean isFull() {
        return first + count == ENTRIES;
    }

    /** The first offset it holds. */
    long firstOffset() {
        return (number << SHIFT) + first;
    }

    long field(long offset, int field) {
        return words[index(offset) + field];
    }

    boolean visit(long offset, QueueVisitor visitor) {
        long[] source = words;
        int at = index(offset);
        return visitor.entry(
                offset,
                source[at],
                (int) (source[at + 1] >>> 32),
                (int) source[at + 1],
                source[at + 2],
                source[at + 3]);
    }

    /** The entries below an offset as a value. */
    byte[] encode(long end) {
        int entries = (int) (end - firstOffset());
        long[] source = words;
        Packer packer = new Packer(32 + 16 * entries);
        long position = source[0];
        long time = source[TIME];
        packer.i8(VERSION).varint(first).varint(entries).i64(position).i64(time);
        for (int at = 0; at < WORDS * entries; at += WORDS) {
            packer.varint(source[at] - position)
                    .varint(source[at + 1] >>> 32)
                    .varint(source[at + 1] & 0xFFFFFFFFL)
                    .varint(source[at + TAGS])
                    .varint(source[at + TIME] - time);
            position = source[at];
            time = source[at + TIME];
        }
        return packer.done();
    }

    static Block decode(long number, byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        int version = unpacker.i8();
        if (version != VERSION) {
            throw new ViewsDamaged("ConsumeQueue block of version " + version + ", known is " + VERSION);
        }
        int first = (int) unpacker.varint();
        int entries = (int) unpacker.varint();
        if (first < 0 || entries < 1 || first + entries > ENTRIES) {
            throw new ViewsDamaged("ConsumeQueue block with first " + first + " and count " + entries);
        }
        Block block = new Block(number, first, entries);
        long position = unpacker.i64();
        long time = unpacker.i64();
        for (int i = 0; i < entries; i++) {
            position += unpacker.varint();
            int size = (int) unpacker.varint();
            int frameDelta = (int) unpacker.varint();
            long tagsCode = unpacker.varint();
            time += unpacker.varint();
            block.append(position, size, frameDelta, tagsCode, time);
        }
        return block;
    }
}
