/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class FrameTest {

    private static long durableOf(long base, long durable) {
        ByteBuffer frame = ByteBuffer.allocate(Frame.HEADER);
        Frame.seal(frame, Frame.HEADER, 3, 9, base, 1, 0, durable, new CRC32C());
        assertThat(Frame.checkHeader(frame, 0, base, Frame.HEADER)).isNull();
        assertThat(Frame.checkBody(frame, 0, new CRC32C())).isNull();
        return Frame.durable(frame, 0);
    }

    @Test
    void aFrameNeverClaimsMoreDurableThanWas() {
        long base = 1L << 40;
        for (long undurable : new long[] {0, 1, Integer.MAX_VALUE, 1L << 31, 0xFFFFFFFEL}) {
            assertThat(durableOf(base, base - undurable)).isEqualTo(base - undurable);
        }
        for (long undurable : new long[] {0xFFFFFFFFL, 1L << 32, 1L << 39}) {
            assertThat(durableOf(base, base - undurable))
                    .as("undurable " + undurable)
                    .isZero();
        }
    }

    /** It was built on another machine's word: this one may have lost what is before it. */
    @Test
    void aReplicatedFrameProvesNothingDurable() {
        ByteBuffer frame = ByteBuffer.allocate(Frame.HEADER);
        Frame.seal(frame, Frame.HEADER, 3, 9, 1 << 20, 1, 0, -1, new CRC32C());
        assertThat(frame.getShort(Frame.FLAGS_AT)).isEqualTo((short) (Frame.SAYS_DROPS | Frame.REPLICATED));
        assertThat(frame.getInt(Frame.UNDURABLE_AT)).isEqualTo(-1);
        assertThat(Frame.newer(frame.clear(), 0)).as("understood").isNull();
        assertThat(Frame.checkBody(frame, 0, new CRC32C())).isNull();
        assertThat(Frame.durable(frame, 0)).isZero();
        frame.putInt(Frame.UNDURABLE_AT, 0);
        assertThat(Frame.durable(frame, 0)).as("whatever it says").isZero();
    }

    @Test
    void aSmallMessageOfALargeFrameDoesNotHoldTheFrame() {
        byte[] bytes = new byte[100_000];
        Extent cold = new Extent(ByteBuffer.wrap(bytes), 0, 0, bytes.length, true);
        ByteBuffer small = cold.keep(500, 1_000);
        ByteBuffer large = cold.keep(500, 60_000);
        bytes[700] = 1;
        assertThat(small.get(200)).as("a copy").isZero();
        assertThat(large.get(200)).as("a slice").isEqualTo((byte) 1);
    }
}
