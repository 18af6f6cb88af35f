/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Random calls on a disk, and a model of its promises that shares no code with it. */
final class RandomHistory {
    private static final int MAX_SIZE = 6 * SimulatedFiles.SECTOR_SIZE;

    private final SimulatedFiles files;
    private final RandomSource random;
    private final TreeMap<String, Model> names = new TreeMap<>();
    private final TreeMap<String, Model> forcedNames = new TreeMap<>();
    private final Set<String> changedNames = new HashSet<>(); // since the last force of the root

    /** One file: the bytes at its last force, and which of them nobody touched since. */
    private static final class Model {
        final StoreFile file;
        byte[] forced = {};
        boolean[] touched = {};
        int leastSize;

        Model(StoreFile file) {
            this.file = file;
        }

        void touch(int from, int to) {
            for (int i = from; i < Math.min(to, touched.length); i++) {
                touched[i] = true;
            }
        }
    }

    RandomHistory(SimulatedFiles files, RandomSource random) {
        this.files = files;
        this.random = random;
    }

    void run(int steps) throws IOException {
        for (int step = 0; step < steps; step++) {
            int draw = random.nextInt(20);
            if (names.isEmpty() || draw == 0) {
                create("f" + random.nextInt(4));
                continue;
            }
            String name = new ArrayList<>(names.keySet()).get(random.nextInt(names.size()));
            Model model = names.get(name);
            if (draw == 1) {
                String to = "f" + random.nextInt(4);
                if (!to.equals(name)) {
                    files.rename(name, to);
                    names.remove(name);
                    names.put(to, model);
                    changedNames.addAll(List.of(name, to));
                }
            } else if (draw == 2) {
                files.delete(name);
                names.remove(name);
                changedNames.add(name);
            } else if (draw <= 4) {
                files.forceDirectory("");
                forcedNames.clear();
                forcedNames.putAll(names);
                changedNames.clear();
            } else if (draw <= 7) {
                model.file.force();
                model.forced = files.disk().contents().get(name);
                model.touched = new boolean[model.forced.length];
                model.leastSize = model.forced.length;
            } else if (draw == 8) {
                int size = random.nextInt(MAX_SIZE);
                int before = (int) model.file.size();
                model.file.truncate(size);
                model.touch(size, before);
                model.leastSize = Math.min(model.leastSize, size);
            } else if (draw == 9) {
                model.file.allocate(random.nextInt(MAX_SIZE));
            } else {
                write(model);
            }
        }
    }

    private void create(String name) throws IOException {
        if (!names.containsKey(name)) {
            names.put(name, new Model(files.open(name, OpenMode.CREATE_NEW)));
            changedNames.add(name);
        }
    }

    private void write(Model model) throws IOException {
        int position = random.nextInt(MAX_SIZE);
        byte[] bytes = new byte[1 + random.nextInt(MAX_SIZE - position)];
        Arrays.fill(bytes, (byte) ('a' + random.nextInt(26)));
        model.file.write(position, ByteBuffer.wrap(bytes));
        model.touch(position, position + bytes.length);
    }

    /** Bytes and entries that were forced and not changed since are there. */
    void check(SimulatedFiles found, String as) {
        TreeMap<String, byte[]> contents = found.disk().contents();
        for (Map.Entry<String, Model> entry : forcedNames.entrySet()) {
            String name = entry.getKey();
            Model model = entry.getValue();
            if (changedNames.contains(name)) {
                continue;
            }
            byte[] bytes = contents.get(name);
            assertThat(bytes).as(as + ": " + name).isNotNull();
            assertThat(bytes.length).as(as + ": size of " + name).isGreaterThanOrEqualTo(model.leastSize);
            for (int i = 0; i < Math.min(model.forced.length, bytes.length); i++) {
                if (!model.touched[i] && bytes[i] != model.forced[i]) {
                    throw new AssertionError(as + ": byte " + i + " of " + name + " was forced and is lost");
                }
            }
        }
        for (String name : contents.keySet()) {
            assertThat(names.containsKey(name) || forcedNames.containsKey(name) || changedNames.contains(name))
                    .as(as + ": " + name + " was deleted for good")
                    .isTrue();
        }
    }
}
