/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.waybill.protocol.body.CheckClientBody;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.ConsumerConnections;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.FrameEncoder;
import io.waybill.protocol.frame.Limits;
import io.waybill.protocol.frame.MalformedFrame;
import io.waybill.protocol.frame.SerializeType;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.PullReply;
import io.waybill.protocol.header.QueryMessageHeader;
import io.waybill.protocol.header.QueryOffsetHeader;
import io.waybill.protocol.header.RegisterBrokerHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.SearchOffsetHeader;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.header.SendReply;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/**
 * Captured frames, damaged from a seed: whatever the bytes, decoding ends with a value, a MalformedFrame or a BadValue, and takes memory in
 * proportion to the bytes that came. More by {@code -Dwaybill.mutations=N}, another course by {@code -Dwaybill.seed=N}.
 */
class MutationTest {
    private static final int MUTATIONS = Integer.getInteger("waybill.mutations", 20_000);
    private static final long SEED = Long.getLong("waybill.seed", 20_261_122L);

    /** A frame of a few KiB may cost a header copy, text, boxed values and the inflater's buffers, not more. */
    private static final long ALLOWED_BYTES = 1 << 20;

    private static final long ALLOWED_PER_BYTE = 64;
    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 1);
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final byte[] INTERESTING = {
        0, 1, 2, 0x7F, (byte) 0x80, (byte) 0xFF, '"', '\\', '{', '}', '[', ',', ':', '-', '9', 'u'
    };

    private static final List<Function<Fields, ?>> HEADERS = List.of(
            SendMessageHeader::read,
            SendReply::read,
            PullHeader::read,
            PullReply::read,
            EndTransactionHeader::read,
            QueryOffsetHeader::read,
            SearchOffsetHeader::read,
            SendBackHeader::read,
            QueryMessageHeader::read,
            ResetOffsetHeader::read,
            RegisterBrokerHeader::read,
            CreateTopicHeader::read);
    private static final List<Function<ByteBuffer, ?>> BODIES = List.of(
            HeartbeatData::parse,
            CheckClientBody::parse,
            ClusterInfo::parse,
            ConsumeStats::parse,
            ConsumerConnections::parse,
            LockBatchBody::parse,
            OffsetTable::parse,
            TopicRoute::parse,
            TopicStats::parse,
            body -> RegisterBrokerBody.parse(body, false, 1 << 26),
            body -> RegisterBrokerBody.parse(body, true, 1 << 26),
            Json::parse,
            BatchBody::parse,
            Message::decodeAll,
            body -> StoredMessage.verify(body, 0, body.limit()),
            body -> MessageDraft.copyOf(body, 0).build());

    @Test
    void damagedFramesNeverSurprise() {
        List<byte[]> frames = new ArrayList<>();
        for (String name : Fixtures.frames()) {
            frames.add(Fixtures.bytes(name));
            frames.add(FrameEncoder.encode(Command.like(Fixtures.command(name))
                    .serializeType(SerializeType.ROCKETMQ)
                    .build()));
        }
        Command registration = Fixtures.command("register_broker_request_103");
        frames.add(FrameEncoder.encode(Command.like(registration)
                .body(ByteBuffer.wrap(RegisterBrokerBody.parse(registration.body(), false, 1 << 26)
                        .toCompressed()))
                .build()));
        Seeded seeded = new Seeded(SEED);
        frames.forEach(this::readAll);
        int malformed = 0;
        for (int i = 0; i < MUTATIONS; i++) {
            byte[] damaged = damage(frames.get(seeded.nextInt(frames.size())), frames, seeded);
            long before = THREADS.getCurrentThreadAllocatedBytes();
            try {
                malformed += readAll(damaged) ? 0 : 1;
            } catch (RuntimeException | Error e) {
                throw new AssertionError(
                        "mutation " + i + " of seed " + SEED + ": "
                                + HexFormat.of().formatHex(damaged),
                        e);
            }
            assertThat(THREADS.getCurrentThreadAllocatedBytes() - before)
                    .as("bytes allocated by mutation %d of seed %d", i, SEED)
                    .isLessThan(ALLOWED_BYTES + damaged.length * ALLOWED_PER_BYTE);
        }
        assertThat(malformed)
                .as("the damage is neither fatal always nor never")
                .isBetween(MUTATIONS / 20, MUTATIONS * 19 / 20);
    }

    @Test
    void damagedPropertiesAreReadTheSameWayByBothReaders() {
        Seeded seeded = new Seeded(SEED);
        byte[] sound = StoredMessage.properties(ByteBuffer.wrap(Fixtures.bytes(Fixtures.STORED_MESSAGE)), 0);
        for (int i = 0; i < MUTATIONS / 4; i++) {
            byte[] damaged = damage(sound, List.of(sound), seeded);
            MessageProperties.decode(damaged).forEach((name, value) -> {
                if (name.indexOf('\uFFFD') < 0) {
                    assertThat(MessageProperties.get(damaged, name)).isEqualTo(value);
                }
            });
        }
    }

    private boolean readAll(byte[] frame) {
        Command command;
        try {
            Limits.checkFrameLength(frame.length - 4, Limits.MAX_FRAME_LENGTH);
            command = Command.decode(ByteBuffer.wrap(frame, 4, Math.max(0, frame.length - 4)));
        } catch (MalformedFrame e) {
            assertThat(e.getMessage()).contains("must be");
            return false;
        }
        HEADERS.forEach(header -> attempt(fields -> header.apply(fields), command.fields()));
        ByteBuffer body = command.body();
        BODIES.forEach(reader -> attempt(bytes -> reader.apply(bytes), body));
        attempt(
                fields -> MessageDraft.builder()
                        .topic("T")
                        .bornHost(HOST)
                        .storeHost(HOST)
                        .body(body)
                        .properties(SendMessageHeader.read(fields).properties())
                        .build(),
                command.fields());
        // What could be decoded can also be written and decoded again, with the same meaning.
        Command again = Fixtures.decode(FrameEncoder.encode(command));
        assertThat(again.fields().toMap()).isEqualTo(command.fields().toMap());
        assertThat(again.code()).isEqualTo(command.code());
        assertThat(again.flag()).isEqualTo(command.flag());
        return true;
    }

    private static <T> void attempt(Consumer<T> reader, T input) {
        try {
            reader.accept(input);
        } catch (BadValue e) {
            assertThat(e.field()).isNotEmpty();
        }
    }

    private static byte[] damage(byte[] sound, List<byte[]> others, Seeded seeded) {
        byte[] bytes = sound.clone();
        for (int times = 1 + seeded.nextInt(3); times > 0 && bytes.length > 0; times--) {
            // Lengths stand at the front: half of the damage goes there.
            int at = seeded.nextInt(seeded.nextInt(2) == 0 ? Math.min(bytes.length, 64) : bytes.length);
            switch (seeded.nextInt(6)) {
                case 0 -> bytes[at] ^= (byte) (1 << seeded.nextInt(8));
                case 1 -> bytes[at] = INTERESTING[seeded.nextInt(INTERESTING.length)];
                case 2 -> bytes = Arrays.copyOf(bytes, at);
                case 3 -> {
                    int length = Math.min(bytes.length - at, 1 + seeded.nextInt(32));
                    byte[] cut = Arrays.copyOf(bytes, bytes.length - length);
                    System.arraycopy(bytes, at + length, cut, at, bytes.length - at - length);
                    bytes = cut;
                }
                case 4 -> {
                    byte[] other = others.get(seeded.nextInt(others.size()));
                    int length = Math.min(Math.min(bytes.length, other.length) - Math.min(at, other.length), 24);
                    if (length > 0 && at + length <= other.length) {
                        System.arraycopy(other, at, bytes, at, length);
                    }
                }
                default -> {
                    int length = Math.min(bytes.length - at, 1 + seeded.nextInt(64));
                    byte[] longer = Arrays.copyOf(bytes, bytes.length + length);
                    System.arraycopy(bytes, at, longer, at + length, bytes.length - at);
                    bytes = longer;
                }
            }
        }
        return bytes;
    }
}
