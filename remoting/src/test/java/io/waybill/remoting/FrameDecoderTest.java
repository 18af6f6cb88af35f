/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.waybill.platform.MemoryBudget;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.frame.MalformedFrame;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FrameDecoderTest {
    private static final int MAX = 1 << 20;
    private final Charge budget = new Charge(new MemoryBudget(64 << 20), null);
    private final FrameDecoder decoder = new FrameDecoder(MAX, budget);
    private final ByteBufAllocator allocator = UnpooledByteBufAllocator.DEFAULT;
    private final List<byte[]> cut = new ArrayList<>();

    private void feed(byte[] stream, int from, int to) throws MalformedFrame {
        ByteBuf in = Unpooled.wrappedBuffer(stream, from, to - from);
        while (decoder.decode(in, allocator, (buffer, index, length) -> {
            byte[] frame = new byte[length];
            buffer.getBytes(index, frame);
            cut.add(frame);
        })) {
            // until used up
        }
        assertThat(in.isReadable()).isFalse();
    }

    @Test
    void cutsTheSameFramesHoweverTheStreamIsSplit() throws MalformedFrame {
        for (long seed = 0; seed < 300; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            List<byte[]> frames = new ArrayList<>();
            ByteBuf all = Unpooled.buffer();
            int count = 1 + random.nextInt(20);
            for (int i = 0; i < count; i++) {
                byte[] frame = new byte[4 + random.nextInt(random.nextInt(4) == 0 ? 5_000 : 40)];
                random.nextBytes(frame);
                frames.add(frame);
                all.writeInt(frame.length).writeBytes(frame);
            }
            byte[] stream = new byte[all.readableBytes()];
            all.readBytes(stream);
            cut.clear();
            int at = 0;
            while (at < stream.length) {
                int to = Math.min(stream.length, at + 1 + random.nextInt(random.nextInt(2) == 0 ? 6 : 3_000));
                feed(stream, at, to);
                at = to;
            }
            assertThat(cut).as("seed %s", seed).containsExactlyElementsOf(frames);
            assertThat(decoder.insideFrame()).isFalse();
            assertThat(budget.bytes()).isZero();
        }
    }

    @Test
    void judgesTheLengthWordBeforeTheFrameArrives() {
        for (int length : new int[] {0, 3, -1, MAX + 1, Integer.MAX_VALUE, 0x16030100}) {
            byte[] word = Unpooled.buffer(4).writeInt(length).array();
            assertThatThrownBy(() -> feed(word, 0, 4))
                    .isInstanceOf(MalformedFrame.class)
                    .hasMessageContaining("frame length")
                    .hasMessageContaining(String.valueOf(length));
        }
    }

    @Test
    void judgesALengthWordThatComesInPieces() throws MalformedFrame {
        byte[] word = {0x7F, 0, 0, 0};
        feed(word, 0, 1);
        feed(word, 1, 3);
        assertThatThrownBy(() -> feed(word, 3, 4)).isInstanceOf(MalformedFrame.class);
        decoder.release();
        assertThat(budget.bytes()).isZero();
    }

    @Test
    void takesMemoryForWhatArrivedAndNotForWhatWasAnnounced() throws MalformedFrame {
        byte[] stream = new byte[MAX + 4];
        Unpooled.wrappedBuffer(stream).setInt(0, MAX);
        int at = 0;
        while (at < stream.length - 1) {
            int to = Math.min(stream.length - 1, at + 1_000);
            feed(stream, at, to);
            at = to;
            assertThat(budget.bytes()).isBetween((long) at, Math.max(2_000L, 2L * at));
        }
        feed(stream, at, stream.length);
        assertThat(cut).hasSize(1);
        assertThat(cut.get(0)).hasSize(MAX);
        assertThat(budget.bytes()).isZero();
    }

    @Test
    void whatHasNoRoomStaysUnreadUntilThereIsSome() throws MalformedFrame {
        MemoryBudget small = new MemoryBudget(100_000);
        Charge charge = new Charge(small, null);
        FrameDecoder poor = new FrameDecoder(MAX, charge);
        ByteBuf in = Unpooled.buffer().writeInt(30_000).writeZero(20_000);
        small.add(90_000);
        assertThat(poor.decode(in, allocator, (buffer, index, length) -> {})).isFalse();
        assertThat(poor.lacksRoom()).isTrue();
        assertThat(in.readableBytes()).isEqualTo(20_004);
        assertThat(poor.insideFrame()).isFalse();

        small.add(-90_000);
        assertThat(poor.decode(in, allocator, (buffer, index, length) -> {})).isFalse();
        assertThat(poor.lacksRoom()).isFalse();
        assertThat(in.isReadable()).isFalse();
        assertThat(charge.bytes()).isEqualTo(30_004);
        ByteBuf rest = Unpooled.buffer().writeZero(10_000);
        assertThat(poor.decode(rest, allocator, (buffer, index, length) -> cut.add(new byte[length])))
                .isTrue();
        assertThat(cut).hasSize(1);
        assertThat(charge.bytes()).isZero();
    }

    @Test
    void aLittleAlwaysFits() throws MalformedFrame {
        MemoryBudget full = new MemoryBudget(1_000);
        full.add(1_000);
        FrameDecoder decoderInNeed = new FrameDecoder(MAX, new Charge(full, null));
        ByteBuf in = Unpooled.buffer().writeInt(2_000).writeZero(1_500);
        assertThat(decoderInNeed.decode(in, allocator, (buffer, index, length) -> {}))
                .isFalse();
        assertThat(decoderInNeed.lacksRoom()).isFalse();
        assertThat(decoderInNeed.insideFrame()).isTrue();
        decoderInNeed.release();
    }
}
