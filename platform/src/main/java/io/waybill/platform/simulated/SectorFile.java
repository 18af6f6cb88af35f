/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;

/**
 * The bytes of one file now, and what they were at the last force wherever they differ. Bytes past the size are always
 * zero, so growing needs no record but the size.
 */
final class SectorFile {
    static final int SECTOR_SIZE = 512;

    /** Intermediate states remembered for one sector and for the size; more are thinned out. */
    private static final int MAX_STATES = 4;

    private static final int MAX_SIZES = 16;

    private byte[] bytes = new byte[0];
    private final List<byte[]> mapped = new ArrayList<>(); // arrays handed out by map(); kept up to date
    private int size;
    private final TreeMap<Integer, Sector> unforced = new TreeMap<>();
    private final List<SizeState> sizes = new ArrayList<>(); // since the last force; first = at the force; empty = same

    /** A sector that changed since the last force. */
    private static final class Sector {
        final List<byte[]> states = new ArrayList<>(); // first = at the last force; the present one is in the file
        final List<Long> instants = new ArrayList<>(); // of the write that made the state of the same index
        long lastInstant;
        boolean doubtful; // a force that was to write it failed: later forces pass it over
    }

    private record SizeState(int size, long instant) {}

    int size() {
        return size;
    }

    byte[] bytes() {
        return Arrays.copyOf(bytes, size);
    }

    int read(long position, ByteBuffer target) {
        if (position >= size) {
            return target.hasRemaining() ? -1 : 0;
        }
        int count = (int) Math.min(target.remaining(), size - position);
        target.put(bytes, (int) position, count);
        return count;
    }

    ByteBuffer map(int position, int length) {
        if (mapped.isEmpty() || mapped.get(mapped.size() - 1) != bytes) {
            mapped.add(bytes);
        }
        return ByteBuffer.wrap(bytes, position, length).slice().asReadOnlyBuffer();
    }

    void write(long instant, long position, byte[] source) throws IOException {
        long end = position + source.length;
        if (end > size) {
            resize(instant, end);
        }
        remember(instant, (int) position, (int) end);
        put((int) position, source);
    }

    void resize(long instant, long newSize) throws IOException {
        if (newSize > Integer.MAX_VALUE - SECTOR_SIZE) {
            throw new IOException("a simulated file has at most 2 GiB, wanted " + newSize);
        }
        if (sizes.isEmpty()) {
            sizes.add(new SizeState(size, 0));
        } else if (sizes.size() > MAX_SIZES) {
            sizes.remove(1 + (int) (instant % (MAX_SIZES - 1)));
        }
        if (newSize < size) {
            remember(instant, (int) newSize, size);
            put((int) newSize, new byte[size - (int) newSize]);
        } else if (newSize > bytes.length) {
            long room = Math.max(newSize, Math.min(bytes.length * 2L, Integer.MAX_VALUE - SECTOR_SIZE));
            bytes = Arrays.copyOf(bytes, (int) ((room + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE));
        }
        size = (int) newSize;
        sizes.add(new SizeState(size, instant));
    }

    /** Keeps the present state of every sector in the range before it is changed. */
    private void remember(long instant, int from, int to) {
        for (int index = from / SECTOR_SIZE; index * (long) SECTOR_SIZE < to; index++) {
            Sector sector = unforced.computeIfAbsent(index, i -> new Sector());
            if (sector.doubtful) {
                sector.doubtful = false; // dirty again: the next force writes it
            }
            if (sector.states.size() > MAX_STATES) {
                sector.states.remove(1);
                sector.instants.remove(1);
            }
            sector.states.add(Arrays.copyOfRange(bytes, index * SECTOR_SIZE, (index + 1) * SECTOR_SIZE));
            sector.instants.add(sector.lastInstant);
            sector.lastInstant = instant;
        }
    }

    private void put(int position, byte[] source) {
        System.arraycopy(source, 0, bytes, position, source.length);
        for (byte[] old : mapped) {
            if (old != bytes && position < old.length) {
                System.arraycopy(source, 0, old, position, Math.min(source.length, old.length - position));
            }
        }
    }

    void force() {
        unforced.values().removeIf(sector -> !sector.doubtful);
        sizes.clear();
    }

    void forceFailed() {
        unforced.values().forEach(sector -> sector.doubtful = true);
    }

    void flipBit(long bitPosition) {
        int position = (int) (bitPosition / 8);
        byte mask = (byte) (1 << (bitPosition % 8));
        put(position, new byte[] {(byte) (bytes[position] ^ mask)});
        Sector sector = unforced.get(position / SECTOR_SIZE);
        if (sector != null) {
            for (byte[] state : sector.states) {
                state[position % SECTOR_SIZE] ^= mask;
            }
        }
    }

    /** The file as found after the power came back: all of it forced. */
    SectorFile survivor(Fate fate) {
        SectorFile found = new SectorFile();
        found.bytes = Arrays.copyOf(bytes, Math.max(bytes.length, largestSize()));
        unforced.forEach((index, sector) -> {
            byte[] now = Arrays.copyOfRange(bytes, index * SECTOR_SIZE, (index + 1) * SECTOR_SIZE);
            byte[] kept = fate.sector(sector.states, sector.instants, now, sector.lastInstant, sector.doubtful);
            System.arraycopy(kept, 0, found.bytes, index * SECTOR_SIZE, SECTOR_SIZE);
        });
        found.size = size;
        if (!sizes.isEmpty()) {
            int[] values = sizes.stream().mapToInt(SizeState::size).toArray();
            long[] instants = sizes.stream().mapToLong(SizeState::instant).toArray();
            found.size = values[fate.size(instants)];
        }
        Arrays.fill(found.bytes, found.size, found.bytes.length, (byte) 0);
        return found;
    }

    /** A copy that knows as much as this one of what is not forced; without its mappings. */
    SectorFile heir() {
        SectorFile heir = new SectorFile();
        heir.bytes = bytes.clone();
        heir.size = size;
        heir.sizes.addAll(sizes);
        unforced.forEach((index, sector) -> {
            Sector same = new Sector();
            sector.states.forEach(state -> same.states.add(state.clone()));
            same.instants.addAll(sector.instants);
            same.lastInstant = sector.lastInstant;
            same.doubtful = sector.doubtful;
            heir.unforced.put(index, same);
        });
        return heir;
    }

    private int largestSize() {
        int largest = size;
        for (SizeState state : sizes) {
            largest = Math.max(largest, state.size());
        }
        return largest;
    }

    @Override
    public String toString() {
        return size + " bytes, " + unforced.size() + " sectors not forced";
    }
}
