/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.Fixtures;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CommandFixturesTest {
    static List<String> frames() {
        return Fixtures.frames();
    }

    @Test
    void theFixturesAreThere() {
        assertThat(frames()).hasSizeGreaterThan(60);
    }

    @ParameterizedTest
    @MethodSource("frames")
    void decodesAndEncodesAgain(String name) {
        byte[] frame = Fixtures.bytes(name);
        Command command = Fixtures.decode(frame);
        assertThat(command.serializeType().code()).isEqualTo(frame[4]);
        assertSame(Fixtures.decode(FrameEncoder.encode(command)), command, command.serializeType());
    }

    @ParameterizedTest
    @MethodSource("frames")
    void translatesBetweenTheHeaderEncodings(String name) {
        Command command = Fixtures.command(name);
        Command binary = Fixtures.decode(FrameEncoder.encode(
                Command.like(command).serializeType(SerializeType.ROCKETMQ).build()));
        assertSame(binary, command, SerializeType.ROCKETMQ);
        Command json = Fixtures.decode(FrameEncoder.encode(
                Command.like(binary).serializeType(SerializeType.JSON).build()));
        assertSame(json, command, SerializeType.JSON);
    }

    @ParameterizedTest
    @MethodSource("frames")
    void decodesFromADirectBufferInTheMiddle(String name) {
        byte[] frame = Fixtures.bytes(name);
        ByteBuffer direct = ByteBuffer.allocateDirect(frame.length + 7);
        direct.position(3);
        direct.put(frame, 4, frame.length - 4).flip().position(3);
        try {
            Command command = Command.decode(direct);
            assertThat(direct.position()).isEqualTo(3);
            assertSame(command, Fixtures.decode(frame), command.serializeType());
        } catch (MalformedFrame e) {
            throw new AssertionError(e);
        }
    }

    private static void assertSame(Command seen, Command expected, SerializeType type) {
        assertThat(seen.code()).isEqualTo(expected.code());
        assertThat(seen.flag()).isEqualTo(expected.flag());
        assertThat(seen.opaque()).isEqualTo(expected.opaque());
        assertThat(seen.version()).isEqualTo(expected.version());
        assertThat(seen.language()).isEqualTo(expected.language());
        // A binary header cannot tell an empty text from none, neither here nor in a field.
        assertThat(emptyToNull(seen.remark())).isEqualTo(emptyToNull(expected.remark()));
        assertThat(seen.serializeType()).isEqualTo(type);
        Map<String, String> fields = new TreeMap<>(expected.fields().toMap());
        fields.keySet()
                .removeIf(key -> fields.get(key).isEmpty() && seen.fields().get(key) == null);
        assertThat(new TreeMap<>(seen.fields().toMap())).isEqualTo(fields);
        assertThat(seen.bodyBytes()).isEqualTo(expected.bodyBytes());
    }

    private static String emptyToNull(String text) {
        return text == null || text.isEmpty() ? null : text;
    }
}
