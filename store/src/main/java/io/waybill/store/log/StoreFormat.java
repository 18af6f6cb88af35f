/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.Settlement;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The file {@code format}: everything that programs which opened this store could have written into its log, one item a line,
 * {@code name number}. What always holds: an item stands here, durably, before the first byte of that kind is in the log. So
 * a program that finds an item it does not know refuses before it touches anything, whatever the newer program changed: also
 * the checksum, the magic or the place of a field, which would look like a torn tail to it.
 *
 * <p>The items are made from the code that writes them, so that none can be forgotten.
 */
public final class StoreFormat {
    static final String NAME = "format";
    private static final String NEXT = "format.next";
    private static final String TITLE = "Waybill store; a program must know every item below to open it";
    /** Far more than the items of any version. */
    private static final int MAX_BYTES = 64 << 10;

    private static final String LAYOUT_ITEM = "layout";
    /**
     * Of the log as a whole. A store of another layout is refused: 1 had no records of locks, settlements and resets, and older
     * versions of several others.
     */
    private static final int LAYOUT = 2;

    private StoreFormat() {}

    /** What this program may write, each with the newest version it knows. */
    private static Map<String, Integer> known() {
        Map<String, Integer> items = new TreeMap<>();
        items.put(LAYOUT_ITEM, LAYOUT);
        items.put("frame", Frame.VERSION);
        items.put("frame-flags", Frame.KNOWN_FLAGS);
        for (RecordKind kind : RecordKind.values()) {
            items.put(String.format("record-%02d", kind.code()), kind.version());
        }
        for (CatalogKind kind : CatalogKind.values()) {
            items.put("catalog-kind", Math.max(items.getOrDefault("catalog-kind", 0), kind.code()));
        }
        for (Decision decision : Decision.values()) {
            items.put("decision", Math.max(items.getOrDefault("decision", 0), decision.code()));
        }
        for (CheckReason reason : CheckReason.values()) {
            items.put("check-reason", Math.max(items.getOrDefault("check-reason", 0), reason.code()));
        }
        for (DeliveryEvent.DeliveryKind kind : DeliveryEvent.DeliveryKind.values()) {
            items.put("delivery-kind", Math.max(items.getOrDefault("delivery-kind", 0), kind.code()));
        }
        for (Settlement.SetAsideKind kind : Settlement.SetAsideKind.values()) {
            items.put("settled-kind", Math.max(items.getOrDefault("settled-kind", 0), kind.code()));
        }
        for (Settlement.How how : Settlement.How.values()) {
            items.put("settled-how", Math.max(items.getOrDefault("settled-how", 0), how.code()));
        }
        return items;
    }

    /**
     * Refuses a store that this program must not open. Reads only.
     *
     * @throws StoreTooNew if a newer program may have written something unknown into the log
     * @throws StoreException if an older program wrote the log in another layout
     */
    public static void check(Files files) throws IOException, StoreException {
        if (files.exists(NAME)) {
            Map<String, Integer> said = read(files);
            refuseOlder(said);
            refuseUnknown(said);
        } else if (files.exists(Segment.DIRECTORY)) {
            // Of a program that did not say so, or the file was lost: then the frames themselves must say it.
            for (String name : files.list(Segment.DIRECTORY)) {
                if (Segment.startOf(name) >= 0) {
                    refuseUnknown(files, Segment.startOf(name));
                }
            }
        }
    }

    /** Says what this program may write. Called before it writes anything into the log. */
    static void enter(Files files) throws IOException, StoreException {
        Map<String, Integer> said = files.exists(NAME) ? read(files) : Map.of();
        refuseUnknown(said);
        Map<String, Integer> all = new TreeMap<>(said);
        known().forEach((item, version) -> all.merge(item, version, Math::max));
        if (!all.equals(said)) {
            write(files, all);
        }
    }

    private static void refuseOlder(Map<String, Integer> said) throws StoreException {
        int layout = said.getOrDefault(LAYOUT_ITEM, 1);
        if (layout < LAYOUT) {
            throw new StoreException(
                    "the store was written by an older version of Waybill: its file " + NAME
                            + " says layout " + layout + ", this program reads and writes layout " + LAYOUT
                            + "; nothing was changed. Open it with the version that wrote it, or start this one with an empty directory");
        }
    }

    private static void refuseUnknown(Map<String, Integer> said) throws StoreTooNew {
        Map<String, Integer> known = known();
        for (Map.Entry<String, Integer> item : said.entrySet()) {
            int newest = known.getOrDefault(item.getKey(), 0);
            if (item.getValue() > newest) {
                throw new StoreTooNew("its file " + NAME + " names \"" + item.getKey() + " " + item.getValue()
                        + "\", of which this program knows "
                        + (newest == 0 ? "nothing" : newest + " at most"));
            }
        }
    }

    private static void refuseUnknown(Files files, long start) throws IOException, StoreException {
        Segment segment = Segment.open(files, start, OpenMode.READ);
        try {
            LogWalk walk = new LogWalk(new Segment[] {segment}, start, -1, 0);
            List<LogRecord> entries = new ArrayList<>();
            while (walk.next()) {
                entries.clear();
                Records.Unreadable wrong = Records.parse(walk.bytes(), walk.frameAt(), entries);
                if (wrong != null && wrong.isNewer()) {
                    throw walk.tooNew(wrong.text());
                }
            }
            if (walk.newer() != null) {
                throw walk.tooNew(walk.newer());
            }
        } finally {
            segment.close();
        }
    }

    private static Map<String, Integer> read(Files files) throws IOException, StoreException {
        String text;
        try (StoreFile file = files.open(NAME, OpenMode.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(MAX_BYTES, file.size()));
            int read = Math.max(0, file.read(0, bytes));
            text = new String(bytes.array(), 0, read, StandardCharsets.UTF_8);
        }
        String[] lines = text.split("\n");
        Map<String, Integer> items = new TreeMap<>();
        for (int i = 1; i < lines.length; i++) {
            String[] parts = lines[i].split(" ");
            if (parts.length != 2 || !parts[1].matches("[0-9]{1,9}")) {
                throw new StoreTooNew("line " + (i + 1) + " of its file " + NAME + " is unknown: " + shown(lines[i]));
            }
            items.put(parts[0], Integer.parseInt(parts[1]));
        }
        if (items.isEmpty() || !lines[0].startsWith("Waybill store")) {
            throw new StoreException(
                    "the file " + NAME + " says nothing this program understands: \""
                            + shown(lines[0])
                            + "\"; it is written whole and never torn, so somebody changed it. Restore it, or move it away to have every frame of the log looked at instead");
        }
        return items;
    }

    private static String shown(String line) {
        String printable = line.replaceAll("[^\\x20-\\x7e]", "?");
        return printable.length() > 80 ? printable.substring(0, 80) + "..." : printable;
    }

    private static void write(Files files, Map<String, Integer> items) throws IOException {
        StringBuilder text = new StringBuilder(TITLE).append('\n');
        items.forEach(
                (item, version) -> text.append(item).append(' ').append(version).append('\n'));
        if (files.exists(NEXT)) {
            files.delete(NEXT);
        }
        try (StoreFile file = files.open(NEXT, OpenMode.CREATE_NEW)) {
            file.write(0, ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8)));
            file.forceAll();
        }
        files.rename(NEXT, NAME);
        files.forceDirectory("");
    }
}
