/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;

/**
 * Which names lead to which files: now, at the start, and every change between the two that is not forced yet. The
 * entries now are always the start plus all changes in order.
 */
final class Namespace {
    /** What the entry of a directory leads to. */
    static final SectorFile DIRECTORY = new SectorFile();

    private final TreeMap<String, SectorFile> now = new TreeMap<>();
    private final TreeMap<String, SectorFile> base = new TreeMap<>();
    private final List<NamespaceChange> changes = new ArrayList<>();

    /** One step of the caller. Its effects share their fate as long as none of them is forced. */
    private record NamespaceChange(long instant, List<Effect> effects) {}

    /** A name that leads to a file from now on, or to nothing (null). */
    private static final class Effect {
        final String name;
        final SectorFile target;
        boolean forced;
        boolean doubtful; // a force of its directory failed: later forces pass it over

        Effect(String name, SectorFile target) {
            this.name = name;
            this.target = target;
        }
    }

    boolean exists(String name) {
        return now.containsKey(name);
    }

    boolean isDirectory(String name) {
        return name.isEmpty() || now.get(name) == DIRECTORY;
    }

    SectorFile file(String name) throws NoSuchFileException {
        SectorFile file = now.get(name);
        if (file == null || file == DIRECTORY) {
            throw new NoSuchFileException(name, null, file == null ? null : "is a directory");
        }
        return file;
    }

    void refuseMissingParent(String name) throws NoSuchFileException {
        if (!isDirectory(parent(name))) {
            throw new NoSuchFileException(name, null, "its directory is missing");
        }
    }

    List<String> list(String directory) throws FileSystemException {
        if (!isDirectory(directory)) {
            throw exists(directory) ? new NotDirectoryException(directory) : new NoSuchFileException(directory);
        }
        TreeSet<String> names = new TreeSet<>();
        for (String name : now.keySet()) {
            if (parent(name).equals(directory)) {
                names.add(name.substring(directory.isEmpty() ? 0 : directory.length() + 1));
            }
        }
        return new ArrayList<>(names);
    }

    void put(long instant, String name, SectorFile target) {
        add(new NamespaceChange(instant, List.of(new Effect(name, target))));
    }

    void rename(long instant, String from, String to, SectorFile file) {
        add(new NamespaceChange(instant, List.of(new Effect(to, file), new Effect(from, null))));
    }

    private void add(NamespaceChange change) {
        changes.add(change);
        change.effects().forEach(effect -> apply(now, effect));
    }

    private static void apply(Map<String, SectorFile> entries, Effect effect) {
        if (effect.target == null) {
            entries.remove(effect.name);
        } else {
            entries.put(effect.name, effect.target);
        }
    }

    void force(String directory) {
        for (NamespaceChange change : changes) {
            for (Effect effect : change.effects()) {
                if (!effect.doubtful && parent(effect.name).equals(directory)) {
                    effect.forced = true;
                }
            }
        }
        Iterator<NamespaceChange> oldest = changes.iterator();
        while (oldest.hasNext()) {
            NamespaceChange change = oldest.next();
            if (!change.effects().stream().allMatch(effect -> effect.forced)) {
                break;
            }
            change.effects().forEach(effect -> apply(base, effect));
            oldest.remove();
        }
    }

    void forceFailed(String directory) {
        for (NamespaceChange change : changes) {
            for (Effect effect : change.effects()) {
                effect.doubtful |= !effect.forced && parent(effect.name).equals(directory);
            }
        }
    }

    /** Fills this empty namespace with what is found of another after the power came back. */
    CrashEvidence becomeSurvivorOf(Namespace lost, Fate fate) {
        TreeMap<String, SectorFile> found = new TreeMap<>(lost.base);
        for (NamespaceChange change : lost.changes) {
            boolean unforced = change.effects().stream().anyMatch(effect -> !effect.forced);
            boolean doubtful = change.effects().stream().anyMatch(effect -> effect.doubtful);
            boolean kept = unforced && fate.entry(change.instant(), doubtful);
            for (Effect effect : change.effects()) {
                if (effect.forced || kept) {
                    apply(found, effect);
                }
            }
        }
        Map<SectorFile, SectorFile> copies = new LinkedHashMap<>();
        List<String> parentsFirst = new ArrayList<>(found.keySet());
        parentsFirst.sort(Comparator.comparingInt(String::length));
        for (String name : parentsFirst) {
            String parent = parent(name);
            if (parent.isEmpty() || base.get(parent) == DIRECTORY) {
                SectorFile file = found.get(name);
                base.put(name, file == DIRECTORY ? file : copies.computeIfAbsent(file, f -> f.survivor(fate)));
            }
        }
        now.putAll(base);
        return fate.evidence();
    }

    /** Fills this empty namespace with a copy of another: the same entries and bytes, forced as far as they were. */
    void becomeHeirOf(Namespace killed) {
        Map<SectorFile, SectorFile> copies = new LinkedHashMap<>();
        UnaryOperator<SectorFile> copy =
                file -> file == null || file == DIRECTORY ? file : copies.computeIfAbsent(file, SectorFile::heir);
        killed.base.forEach((name, file) -> base.put(name, copy.apply(file)));
        killed.now.forEach((name, file) -> now.put(name, copy.apply(file)));
        for (NamespaceChange change : killed.changes) {
            List<Effect> effects = new ArrayList<>();
            for (Effect effect : change.effects()) {
                Effect same = new Effect(effect.name, copy.apply(effect.target));
                same.forced = effect.forced;
                same.doubtful = effect.doubtful;
                effects.add(same);
            }
            changes.add(new NamespaceChange(change.instant(), effects));
        }
    }

    void forEachFile(BiConsumer<String, SectorFile> visitor) {
        now.forEach((name, file) -> {
            if (file != DIRECTORY) {
                visitor.accept(name, file);
            }
        });
    }

    long usedBytes() {
        return now.values().stream().distinct().mapToLong(SectorFile::size).sum();
    }

    private static String parent(String name) {
        int slash = name.lastIndexOf('/');
        return slash < 0 ? "" : name.substring(0, slash);
    }
}
