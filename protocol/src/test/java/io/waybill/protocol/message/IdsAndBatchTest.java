/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.Fixtures;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdsAndBatchTest {
    @Test
    void offsetIdsAreAddressPortAndPosition() {
        InetSocketAddress host = new InetSocketAddress("127.0.0.1", 19911);
        assertThat(MessageIds.offsetId(host, 0x428)).isEqualTo("7F00000100004DC70000000000000428");
        assertThat(MessageIds.decode("7f00000100004dc70000000000000428"))
                .isEqualTo(new MessageIds.OffsetId(host, 0x428));
        InetSocketAddress wide = new InetSocketAddress("2001:db8::ff", 65535);
        String id = MessageIds.offsetId(wide, Long.MAX_VALUE);
        assertThat(id).hasSize(56);
        assertThat(MessageIds.decode(id)).isEqualTo(new MessageIds.OffsetId(wide, Long.MAX_VALUE));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "7F",
                "7F00000100004DC7000000000000042",
                "7F00000100004DC7000000000000042G",
                "7F00000100014DC70000000000000428",
                "7F00000100004DC7F000000000000428",
                "7F00000100004DC7000000000000042\u0661"
            })
    void otherTextsAreNoOffsetIds(String text) {
        assertThatThrownBy(() -> MessageIds.decode(text)).isInstanceOf(BadValue.class);
        assertThat(MessageIds.isOffsetId(text)).isFalse();
    }

    @Test
    void uniqueKeysDiffer() {
        UniqueKeys keys = new UniqueKeys(new byte[] {(byte) 192, 0, 2, 1}, 0x1234567, 0xABCDEF01);
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            assertThat(seen.add(keys.next(1_795_349_712_608L + i / 5_000))).isTrue();
        }
        // 2026-11-22T11:35:12.608Z is 1 856 112 608 ms into November.
        String key = new UniqueKeys(new byte[] {(byte) 192, 0, 2, 1}, 0x1234567, 0xABCDEF01).next(1_795_349_712_608L);
        assertThat(key).startsWith("C00002014567ABCDEF01").hasSize(32).matches("[0-9A-F]{32}");
        assertThat(Long.parseLong(key.substring(20, 28), 16)).isBetween(0L, 31L * 86_400_000);
        assertThat(keys.next(1_793_491_200_000L).substring(20, 28)).isEqualTo("00000000");
    }

    @Test
    void theCapturedBatchIsRebuiltByteForByte() {
        ByteBuffer body = Fixtures.command("send_batch_request_320").body();
        List<BatchBody.Part> parts = BatchBody.parse(body);
        assertThat(parts).hasSize(3);
        assertThat(MessageProperties.get(parts.get(2).properties(), "KEYS")).isEqualTo("bk2");
        assertThat(UTF_8.decode(parts.get(1).body()).toString()).isEqualTo("batch-1");
        assertThat(ByteBuffer.wrap(BatchBody.encode(BatchBody.parse(body)))).isEqualTo(body);
    }

    @Test
    void batchesWithLyingLengthsAreRefused() {
        byte[] sound = Fixtures.command("send_batch_request_320").bodyBytes();
        for (int at : new int[] {0, 3, 16, 19, 27, 28, 128}) {
            byte[] damaged = sound.clone();
            damaged[at] ^= 0x41;
            assertThatThrownBy(() -> BatchBody.parse(ByteBuffer.wrap(damaged)))
                    .as("byte %d", at)
                    .isInstanceOf(BadValue.class);
        }
        assertThatThrownBy(() -> BatchBody.parse(ByteBuffer.wrap(sound, 0, sound.length - 1)))
                .isInstanceOf(BadValue.class);
        assertThatThrownBy(() -> BatchBody.parse(ByteBuffer.allocate(0))).isInstanceOf(BadValue.class);
    }

    @Test
    void aBatchHasALimitedNumberOfParts() {
        ByteBuffer many = ByteBuffer.allocate(22 * (BatchBody.MAX_PARTS + 1));
        while (many.hasRemaining()) {
            many.putInt(22).position(many.position() + 18);
        }
        assertThatThrownBy(() -> BatchBody.parse(many.flip()))
                .isInstanceOf(BadValue.class)
                .hasMessageContaining("" + BatchBody.MAX_PARTS);
    }
}
