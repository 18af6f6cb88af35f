/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreTooNew;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a newer program wrote is refused, and not one byte of it is changed. */
class NewerVersionTest {
    private static final int MESSAGES = 250;
    private static final int OLD = 100;

    /** What a newer program might change. */
    enum Newer {
        FRAME_VERSION,
        FLAGS,
        MAGIC,
        RECORD_KIND,
        RECORD_VERSION,
        RECORD_MAGIC;

        void change(ByteBuffer bytes, int at) {
            int record = at + 56;
            switch (this) {
                case FRAME_VERSION -> bytes.putShort(at + 8, (short) 2);
                case FLAGS -> bytes.putShort(at + 10, (short) 5);
                case MAGIC -> bytes.putInt(at, 0x57424632);
                case RECORD_KIND -> {
                    bytes.putInt(record + 4, 0x57425231);
                    bytes.putShort(record + 8, (short) 900);
                    bytes.putShort(record + 10, (short) 1);
                }
                case RECORD_VERSION -> {
                    bytes.putInt(record + 4, 0x57425231);
                    bytes.putShort(record + 8, (short) 3);
                    bytes.putShort(record + 10, (short) 9);
                }
                case RECORD_MAGIC -> bytes.putInt(record + 4, 0x57425232);
            }
        }
    }

    private static ByteBuffer content(SimulatedFiles files, String name) throws Exception {
        try (StoreFile file = files.open(name, OpenMode.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate((int) file.size());
            file.read(0, bytes);
            return bytes.clear();
        }
    }

    private static Map<String, ByteBuffer> everything(SimulatedFiles files) throws Exception {
        Map<String, ByteBuffer> all = new TreeMap<>();
        for (String name : files.list("log")) {
            all.put(name, content(files, "log/" + name));
        }
        if (files.exists("format")) {
            all.put("format", content(files, "format"));
        }
        return all;
    }

    /** From the frame of this number on, all are as a newer program would write them. */
    private static void rewrite(SimulatedFiles files, int from, Newer newer) throws Exception {
        int frame = 0;
        for (String plain : files.list("log")) {
            String name = "log/" + plain;
            ByteBuffer bytes = content(files, name);
            int at = 0;
            while (at + 56 <= bytes.capacity() && bytes.getInt(at) == 0x57424631) {
                int length = bytes.getInt(at + 12);
                if (frame++ >= from) {
                    newer.change(bytes, at);
                    CRC32C crc = new CRC32C();
                    crc.update(bytes.array(), at + 8, length - 8);
                    // Another magic may come with another checksum.
                    bytes.putInt(at + 4, newer == Newer.MAGIC ? 7 : (int) crc.getValue());
                }
                at += length;
            }
            try (StoreFile file = files.open(name, OpenMode.READ_WRITE)) {
                file.write(0, bytes.clear());
                file.force();
            }
        }
    }

    private static Simulation written() throws Exception {
        Simulation sim = Simulation.sync();
        for (int i = 0; i < MESSAGES; i++) {
            sim.put("t", "message " + i);
        }
        sim.kill();
        return sim;
    }

    private static void format(SimulatedFiles files, String text) throws Exception {
        if (files.exists("format")) {
            files.delete("format");
        }
        if (text == null) {
            return;
        }
        try (StoreFile file = files.open("format", OpenMode.CREATE_NEW)) {
            file.write(0, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
            file.forceAll();
        }
        files.forceDirectory("");
    }

    /** Even without the file that says it, and wherever the newer frames begin. */
    @ParameterizedTest
    @EnumSource(Newer.class)
    void newerFramesAreRefusedUntouched(Newer newer) throws Exception {
        Simulation sim = written();
        rewrite(sim.files, OLD, newer);
        for (boolean said : new boolean[] {true, false}) {
            for (boolean views : new boolean[] {true, false}) {
                if (!said) {
                    format(sim.files, null);
                }
                if (!views) {
                    sim.backend.deleteAll();
                }
                Map<String, ByteBuffer> before = everything(sim.files);
                StoreTooNew refusal = catchThrowableOfType(StoreTooNew.class, sim::open);
                assertThat(refusal)
                        .as("format file " + said + ", views " + views)
                        .isNotNull()
                        .hasMessageContaining("newer version of Waybill")
                        .hasMessageContaining("this program reads")
                        .hasMessageContaining("log/0000")
                        .hasMessageContaining("nothing was changed");
                sim.files = sim.files.disk().kill();
                assertThat(everything(sim.files)).isEqualTo(before);
                assertThat(catchThrowableOfType(StoreTooNew.class, sim::check)).isNotNull();
            }
        }
    }

    /** A newer program that was killed leaves a torn frame of its own; what it wrote behind that one proves it. */
    @Test
    void aNewerFrameBehindATornOneIsRefusedToo() throws Exception {
        Simulation sim = written();
        rewrite(sim.files, OLD, Newer.FRAME_VERSION);
        String name = "log/" + sim.files.list("log").get(0);
        ByteBuffer bytes = content(sim.files, name);
        int at = 0;
        while (bytes.getShort(at + 8) == 1) {
            at += bytes.getInt(at + 12);
            if (bytes.getInt(at) == 0) {
                sim.files.delete(name);
                sim.files.forceDirectory("log");
                name = "log/" + sim.files.list("log").get(0);
                bytes = content(sim.files, name);
                at = 0;
            }
        }
        sim.files.disk().flipBit(name, (at + 70) * 8L);
        Map<String, ByteBuffer> before = everything(sim.files);
        sim.backend.deleteAll();
        assertThat(catchThrowableOfType(StoreException.class, sim::open)).isNotNull();
        sim.files = sim.files.disk().kill();
        assertThat(everything(sim.files)).isEqualTo(before);
    }

    @ParameterizedTest
    @org.junit.jupiter.params.provider.ValueSource(
            strings = {"frame 2", "record-99 1", "record-03 7", "checksum 1", "catalog-kind 99", "what is this"})
    void anItemTheProgramDoesNotKnowIsRefusedBeforeAnythingIsRead(String item) throws Exception {
        Simulation sim = written();
        String said = StandardCharsets.UTF_8
                .decode(content(sim.files, "format"))
                .toString()
                .replaceAll("frame 1\n", "");
        format(sim.files, said + item + "\n");
        Map<String, ByteBuffer> before = everything(sim.files);
        sim.backend.deleteAll();
        assertThat(catchThrowableOfType(StoreTooNew.class, sim::open))
                .hasMessageContaining("newer version of Waybill")
                .hasMessageContaining(item.equals("what is this") ? "unknown" : item);
        sim.files = sim.files.disk().kill();
        assertThat(everything(sim.files)).isEqualTo(before);
        assertThat(catchThrowableOfType(StoreTooNew.class, sim::check)).hasMessageContaining("newer version");
    }

    @Test
    void aStoreOfAnOlderLayoutIsRefusedUntouched() throws Exception {
        Simulation sim = written();
        String said =
                StandardCharsets.UTF_8.decode(content(sim.files, "format")).toString();
        format(sim.files, said.replace("layout 2\n", "").replace("record-07 1", "record-07 3"));
        Map<String, ByteBuffer> before = everything(sim.files);
        assertThat(catchThrowableOfType(StoreException.class, sim::open))
                .hasMessageContaining("older version of Waybill")
                .hasMessageContaining("layout 1, this program reads and writes layout 2")
                .hasMessageContaining("nothing was changed");
        sim.files = sim.files.disk().kill();
        assertThat(everything(sim.files)).isEqualTo(before);
        assertThat(catchThrowableOfType(StoreException.class, sim::check)).hasMessageContaining("older version");
    }

    @Test
    void theFileSaysWhatMayBeInTheLogAndStaysAsItIs() throws Exception {
        Simulation sim = written();
        String said =
                StandardCharsets.UTF_8.decode(content(sim.files, "format")).toString();
        assertThat(said)
                .startsWith("Waybill store")
                .contains("\nframe 1\n", "\nlayout 2\n", "\nrecord-05 1\n", "\nrecord-17 1\n");
        format(sim.files, said.replace("record-17 1\n", ""));
        sim.open();
        assertThat(sim.bodies("t")).hasSize(MESSAGES);
        assertThat(content(sim.files, "format"))
                .as("a store of an older program: the items are added")
                .isEqualTo(ByteBuffer.wrap(said.getBytes(StandardCharsets.UTF_8)));
        sim.close();
        sim.files = sim.files.disk().copy();
        format(sim.files, null);
        sim.open();
        assertThat(content(sim.files, "format")).isEqualTo(ByteBuffer.wrap(said.getBytes(StandardCharsets.UTF_8)));
        sim.close();
        sim.files = sim.files.disk().copy();
        format(sim.files, "");
        assertThat(catchThrowableOfType(StoreException.class, sim::open)).hasMessageContaining("format");
    }
}
