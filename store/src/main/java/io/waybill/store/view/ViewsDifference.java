/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RecordKind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Consumer;

/** Compares views, and says what they hold: for the check of a store and for tests. */
public final class ViewsDifference {
    private ViewsDifference() {}

    /**
     * Compares with the views of a fresh fold of the same log. Only while neither is applied to.
     *
     * @return null if they are equal, else a sentence that names the first difference
     */
    public static String between(Views views, Views other) {
        String found = queueDifference(views, other);
        if (found == null) {
            found = keyDifference(views, other);
        }
        for (int i = 0; found == null && i < views.fold().views.tables.size(); i++) {
            found = tableDifference(
                    views,
                    views.fold().views.tables.get(i),
                    other.fold().views.tables.get(i));
        }
        if (found == null) {
            found = views.fold().views.pops.difference(other.fold().views.pops);
        }
        if (found == null
                && views.transactions().openCount() != other.transactions().openCount()) {
            found = "open halves: " + views.transactions().openCount() + " here, "
                    + other.transactions().openCount() + " there";
        }
        if (found == null && views.timers().count() != other.timers().count()) {
            found = "waiting delayed messages: " + views.timers().count() + " here, "
                    + other.timers().count() + " there";
        }
        if (found == null
                && !views.fold()
                        .views
                        .dueMessages
                        .counts()
                        .equals(other.fold().views.dueMessages.counts())) {
            found = "waiting delayed messages of topics: "
                    + views.fold().views.dueMessages.counts() + " here, "
                    + other.fold().views.dueMessages.counts() + " there";
        }
        if (found == null && views.nextDueMillis() != other.nextDueMillis()) {
            found = "next due: " + views.nextDueMillis() + " here, " + other.nextDueMillis() + " there";
        }
        return found;
    }

    private static String queueDifference(Views views, Views other) {
        TreeSet<QueueKey> names = new TreeSet<>(ConsumeQueues.ORDER);
        names.addAll(views.consumeQueues().all());
        names.addAll(other.consumeQueues().all());
        for (QueueKey key : names) {
            QueueView here = views.consumeQueues().view(key.topic(), key.queueId());
            QueueView there = other.consumeQueues().view(key.topic(), key.queueId());
            if (here.min() != there.min() || here.max() != there.max()) {
                return "queue " + key + ": offsets " + here.min() + " to " + here.max() + " here, " + there.min()
                        + " to " + there.max() + " there";
            }
            for (long from = here.min(); from < here.max(); from += Block.ENTRIES) {
                long[][] left = entries(here, from);
                long[][] right = entries(there, from);
                for (int i = 0; i < Math.max(left.length, right.length); i++) {
                    long[] a = i < left.length ? left[i] : null;
                    long[] b = i < right.length ? right[i] : null;
                    if (!Arrays.equals(a, b)) {
                        return "queue " + key + " at offset " + (from + i) + ": " + Arrays.toString(a) + " here, "
                                + Arrays.toString(b) + " there";
                    }
                }
            }
        }
        return null;
    }

    private static long[][] entries(QueueView queue, long from) {
        List<long[]> entries = new ArrayList<>();
        queue.visit(from, from + Block.ENTRIES, (offset, position, size, frameDelta, tagsCode, storeTimeMillis) -> {
            entries.add(new long[] {offset, position, size, frameDelta, tagsCode, storeTimeMillis});
            return true;
        });
        return entries.toArray(new long[0][]);
    }

    private static String keyDifference(Views views, Views other) {
        long oldest = views.applied().oldestPosition();
        List<long[]> left = views.fold().views.keys.all(oldest);
        List<long[]> right = other.fold().views.keys.all(oldest);
        for (int i = 0; i < Math.max(left.size(), right.size()); i++) {
            long[] a = i < left.size() ? left.get(i) : null;
            long[] b = i < right.size() ? right.get(i) : null;
            if (!Arrays.equals(a, b)) {
                return "key entry " + i + " (position, hash): " + Arrays.toString(a) + " here, " + Arrays.toString(b)
                        + " there";
            }
        }
        return null;
    }

    private static String tableDifference(Views views, Table here, Table there) {
        String[] found = new String[1];
        here.scan(new byte[0], null, (key, value) -> {
            if (isKept(views.fold(), here.family(), key, value)) {
                byte[] otherValue = there.get(key);
                if (!Arrays.equals(value, otherValue)) {
                    found[0] = difference(here.family(), key, value, otherValue);
                }
            }
            return found[0] == null;
        });
        if (found[0] == null) {
            there.scan(new byte[0], null, (key, value) -> {
                if (isKept(views.fold(), here.family(), key, value) && here.get(key) == null) {
                    found[0] = difference(here.family(), key, null, value);
                }
                return found[0] == null;
            });
        }
        return found[0];
    }

    private static boolean isKept(Fold fold, Family family, byte[] key, byte[] value) {
        return switch (family) {
            case TRANSACTIONS -> fold.views.transactions.isKept(key, value);
            case DUE -> fold.views.dueMessages.isKept(key, value);
            case DELIVERIES -> fold.views.deliveries.isKept(key);
            case STATE -> fold.views.states(RecordKind.ofCode(key[0])).isKept(value);
            case UNIQUE -> fold.views.uniques.isKept(key, value);
            default -> true;
        };
    }

    private static String difference(Family family, byte[] key, byte[] here, byte[] there) {
        return family.tableName + " " + hex(key) + ": " + hex(here) + " here, " + hex(there) + " there";
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "nothing" : HexFormat.of().formatHex(bytes);
    }

    /** Says everything but the key hashes, a line each, in the same order for equal views. */
    static void dump(Views views, Consumer<String> line) {
        line.accept("applied " + views.applied());
        for (QueueKey key : views.consumeQueues().all()) {
            QueueView queue = views.consumeQueues().view(key.topic(), key.queueId());
            line.accept("queue " + key.topic() + "/" + key.queueId() + " min " + queue.min() + " max " + queue.max());
        }
        views.transactions().first(Integer.MAX_VALUE).forEach(half -> line.accept("open " + half));
        views.fold().views.transactions.decisions().forEach(decision -> line.accept("decided " + decision));
        views.transactions().visitConflicts(conflict -> {
            line.accept("late " + conflict);
            return true;
        });
        views.timers().first(Integer.MAX_VALUE).forEach(due -> line.accept("waiting " + due));
        views.offsets().all().forEach(entry -> line.accept("progress " + entry));
        views.pops()
                .keys()
                .forEach(key -> line.accept("pop " + key + " " + views.pops().state(key)));
        for (CatalogKind kind : CatalogKind.values()) {
            views.catalog()
                    .all(kind)
                    .forEach((name, value) -> line.accept(
                            "catalog " + kind + " " + name + " " + new String(value, StandardCharsets.UTF_8)));
        }
    }
}
