/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import io.waybill.platform.simulated.SimulatedFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KvConfigTest {
    private SimulatedFiles files = new SimulatedFiles();
    private final List<String> refusals = new ArrayList<>();

    private KvConfig open() throws IOException {
        return new KvConfig(new KvFile(files), Runnable::run);
    }

    private boolean put(KvConfig kv, String key, String value) {
        refusals.clear();
        kv.put("ORDER_TOPIC_CONFIG", key, value, refusals::add);
        assertThat(refusals).hasSize(1);
        return refusals.get(0) == null;
    }

    @Test
    void whatWasAcknowledgedIsThereAfterAPowerCut() throws IOException {
        for (long seed = 0; seed < 50; seed++) {
            files = new SimulatedFiles();
            KvConfig kv = open();
            assertThat(put(kv, "T", "broker-a:4")).isTrue();
            assertThat(put(kv, "U", "zwölf \"x\"")).isTrue();
            kv.delete(
                    "ORDER_TOPIC_CONFIG",
                    "never",
                    refusal -> assertThat(refusal).isNull());
            assertThat(put(kv, "T", "broker-a:8")).isTrue();
            assertThat(put(kv, "V", "gone")).isTrue();
            kv.delete("ORDER_TOPIC_CONFIG", "V", refusal -> assertThat(refusal).isNull());
            files = files.disk().crash(RandomSource.seeded(seed));
            assertThat(open().list("ORDER_TOPIC_CONFIG")).isEqualTo(Map.of("T", "broker-a:8", "U", "zwölf \"x\""));
        }
    }

    @Test
    void aTableThatIsDamagedIsRefusedAndLeftAlone() throws IOException {
        put(open(), "T", "broker-a:4");
        try (StoreFile file = files.open(KvFile.NAME, OpenMode.READ_WRITE)) {
            file.write(file.size() - 4, ByteBuffer.wrap(new byte[] {'x'}));
        }
        assertThatThrownBy(this::open)
                .isInstanceOf(IOException.class)
                .hasMessageContaining(KvFile.NAME)
                .hasMessageContaining("move it away");
        assertThat(files.exists(KvFile.NAME)).isTrue();
    }

    @Test
    void aFullDiskIsToldAndHarmsNothing() throws IOException {
        KvConfig kv = open();
        assertThat(put(kv, "T", "broker-a:4")).isTrue();
        files.disk().capacityBytes(files.disk().usedBytes());
        assertThat(put(kv, "T", "broker-a:8")).isFalse();
        assertThat(refusals.get(0)).contains("not kept");
        assertThat(kv.get("ORDER_TOPIC_CONFIG", "T")).as("in force").isEqualTo("broker-a:8");
        assertThat(open().get("ORDER_TOPIC_CONFIG", "T")).as("kept").isEqualTo("broker-a:4");
        files.disk().capacityBytes(Long.MAX_VALUE);
        assertThat(put(kv, "U", "broker-a:1")).isTrue();
        assertThat(open().list("ORDER_TOPIC_CONFIG")).hasSize(2).containsEntry("T", "broker-a:8");
    }

    @Test
    void entriesAndCharactersAreBounded() {
        KvConfig kv = new KvConfig();
        String value = "v".repeat(KvConfig.MAX_VALUE_LENGTH);
        int count = 0;
        while (put(kv, "k" + count, value)) {
            count++;
        }
        assertThat(refusals.get(0)).contains("1048576 characters");
        assertThat(count).isBetween(240, 256);
        assertThat(put(kv, "k0", "short")).as("a smaller value always fits").isTrue();
        kv.delete("ORDER_TOPIC_CONFIG", "k1", refusal -> {});
        assertThat(put(kv, "k1", value)).isTrue();
        KvConfig many = new KvConfig();
        for (int i = 0; i < KvConfig.MAX_ENTRIES; i++) {
            assertThat(put(many, "k" + i, "v")).isTrue();
        }
        assertThat(put(many, "more", "v")).isFalse();
        assertThat(refusals.get(0)).contains("10000 entries");
    }
}
