/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.message;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import io.waybill.client.WaybillException;
import io.waybill.platform.RandomSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import net.jpountz.lz4.LZ4FrameOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bodies as they travel. */
class BodyCompressionTest {
    private final byte[] body = "abc".repeat(3_000).getBytes(StandardCharsets.UTF_8);

    @Test
    void zlibGoesThereAndBack() {
        byte[] deflated = BodyCompression.deflate(body);
        assertThat(deflated.length).isLessThan(body.length / 10);
        assertThat(BodyCompression.inflate(deflated, 0x301, "m")).isEqualTo(body);
        assertThat(BodyCompression.inflate(deflated, 0x1, "m")).isEqualTo(body);
        assertThat(BodyCompression.inflate(body, 0x300, "m")).isSameAs(body);
    }

    @Test
    void lz4AndZstandardAreReadIfTheirLibrariesAreThere() throws IOException {
        ByteArrayOutputStream lz4 = new ByteArrayOutputStream();
        try (OutputStream out = new LZ4FrameOutputStream(lz4)) {
            out.write(body);
        }
        assertThat(BodyCompression.inflate(lz4.toByteArray(), 0x101, "m")).isEqualTo(body);
        assertThat(BodyCompression.inflate(Zstd.compress(body), 0x201, "m")).isEqualTo(body);
    }

    @Test
    void aSmallBodyMustNotFillTheMemory() {
        byte[] bomb = Zstd.compress(new byte[(64 << 20) + 1]);
        assertThatThrownBy(() -> BodyCompression.inflate(bomb, 0x201, "m")).hasMessageContaining("more than");
    }

    @Test
    void whatDoesNotGetShorterIsSentAsItIs() {
        byte[] noise = new byte[5_000];
        RandomSource.seeded(1).nextBytes(noise);
        assertThat(BodyCompression.deflate(noise)).isNull();
    }

    @ParameterizedTest
    @CsvSource({"257,LZ4", "513,Zstandard", "1025,unknown"})
    void whatCannotBeReadIsNamed(int sysFlag, String name) {
        assertThatThrownBy(() -> BodyCompression.inflate(body, sysFlag, "message 7"))
                .isInstanceOf(WaybillException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("message 7")
                .hasMessageContaining("What to do");
    }

    @Test
    void damageIsReported() {
        byte[] deflated = BodyCompression.deflate(body);
        byte[] cut = Arrays.copyOf(deflated, deflated.length / 2);
        assertThatThrownBy(() -> BodyCompression.inflate(cut, 0x301, "m")).hasMessageContaining("damaged");
        byte[] wrong = deflated.clone();
        wrong[0] = 0;
        assertThatThrownBy(() -> BodyCompression.inflate(wrong, 0x301, "m")).hasMessageContaining("damaged");
    }
}
