/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.Fixtures;
import io.waybill.protocol.RequestCode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandTest {
    private static Command json(String header) throws MalformedFrame {
        byte[] bytes = header.getBytes(UTF_8);
        ByteBuffer frame = ByteBuffer.allocate(4 + bytes.length);
        frame.putInt(bytes.length).put(bytes).flip();
        return Command.decode(frame);
    }

    @Test
    void theSmallestHeaderIsEnough() throws MalformedFrame {
        Command command = json("{\"code\":0,\"flag\":1,\"opaque\":7}");
        assertThat(command.isResponse()).isTrue();
        assertThat(command.opaque()).isEqualTo(7);
        assertThat(command.version()).isZero();
        assertThat(command.language()).isEqualTo(Language.JAVA);
        assertThat(command.remark()).isNull();
        assertThat(command.fields().size()).isZero();
        assertThat(command.body().remaining()).isZero();
    }

    @Test
    void unknownMembersSpacesAndNullsAreFine() throws MalformedFrame {
        Command command = json(
                " { \"x\" : [ 1 , {\"y\":null} , [] , {} ] , \"code\" : \"12\" , \"remark\" : null , \"language\":\"go\","
                        + "\"extFields\" : { \"a\" : 1 , \"b\" : true , \"c\":null, \"d\" : \"\" , \"e\":-1.5 } , \"opaque\":-3 } ");
        assertThat(command.code()).isEqualTo(12);
        assertThat(command.opaque()).isEqualTo(-3);
        assertThat(Language.name(command.language())).isEqualTo("GO");
        assertThat(command.remark()).isNull();
        assertThat(command.fields().toMap())
                .containsEntry("a", "1")
                .containsEntry("b", "true")
                .containsEntry("d", "")
                .containsEntry("e", "-1.5")
                .hasSize(4);
        assertThat(command.fields().getInt("a", 0)).isEqualTo(1);
        assertThat(command.fields().getBoolean("b", false)).isTrue();
        assertThat(command.fields().get("c")).isNull();
        assertThat(command.fields().getInt("d", 9)).isEqualTo(9);
    }

    @Test
    void languagesByNumberAndUnknownOnes() throws MalformedFrame {
        assertThat(json("{\"language\":12}").language()).isEqualTo((byte) 12);
        assertThat(json("{\"language\":\"COBOL\"}").language()).isEqualTo(Language.OTHER);
        assertThat(json("{\"language\":null}").language()).isEqualTo(Language.JAVA);
    }

    @Test
    void escapesAreReadAndWritten() throws MalformedFrame {
        Command command = json(
                "{\"remark\":\"a\\n\\\"b\\\"\",\"extFields\":{\"i\":\"k\\u0001v\\u0002\",\"s\":\"\\ud83d\\ude00\\/\\\\\\b\\f\\r\\t\","
                        + "\"lone\":\"\\ud83dx\",\"r\\u0061w\":\"\u00e9\u20ac\uD83D\uDE00\",\"ctl\":\"a\u0001b\"}}");
        assertThat(command.remark()).isEqualTo("a\n\"b\"");
        Fields fields = command.fields();
        assertThat(fields.get("i")).isEqualTo("k\u0001v\u0002");
        assertThat(fields.get("s")).isEqualTo("\uD83D\uDE00/\\\b\f\r\t");
        assertThat(fields.get("lone")).isEqualTo("?x");
        assertThat(fields.get("raw")).isEqualTo("\u00e9\u20ac\uD83D\uDE00");
        assertThat(fields.get("ctl")).isEqualTo("a\u0001b");

        Command.Builder builder = Command.request(1).remark(command.remark());
        fields.toMap().forEach(builder::field);
        builder.field("odd", "\uDE00\uD83D").field("nul", "\u0000\u007f");
        Command again = Fixtures.decode(FrameEncoder.encode(builder.build()));
        assertThat(again.remark()).isEqualTo(command.remark());
        assertThat(again.fields().toMap())
                .containsAllEntriesOf(fields.toMap())
                .containsEntry("odd", "??")
                .containsEntry("nul", "\u0000\u007f");
    }

    @Test
    void theLastOfEqualKeysHolds() throws MalformedFrame {
        Fields fields = json("{\"extFields\":{\"a\":\"1\",\"a\":\"2\"}}").fields();
        assertThat(fields.get("a")).isEqualTo("2");
        assertThat(fields.toMap()).containsEntry("a", "2");
    }

    @Test
    void wholeNumbersAtTheirLimits() {
        Command command = Command.request(1)
                .field("max", Long.MAX_VALUE)
                .field("min", Long.MIN_VALUE)
                .field("zero", 0)
                .field("plus", "+5")
                .field("over", "9223372036854775808")
                .field("int", 1L << 31)
                .field("word", "7x")
                .field("no", "maybe")
                .field("one", "1")
                .build();
        Fields fields = Fixtures.decode(FrameEncoder.encode(command)).fields();
        assertThat(fields.requireLong("max")).isEqualTo(Long.MAX_VALUE);
        assertThat(fields.requireLong("min")).isEqualTo(Long.MIN_VALUE);
        assertThat(fields.requireInt("zero")).isZero();
        assertThat(fields.requireInt("plus")).isEqualTo(5);
        assertThat(fields.getBoolean("one", false)).isTrue();
        assertThatThrownBy(() -> fields.requireLong("over"))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("over")
                .hasMessageContaining("9223372036854775808");
        assertThatThrownBy(() -> fields.requireInt("int")).hasMessageContaining("32 bits");
        assertThatThrownBy(() -> fields.requireInt("word")).hasMessageContaining("7x");
        assertThatThrownBy(() -> fields.getBoolean("no", true)).hasMessageContaining("maybe");
        assertThatThrownBy(() -> fields.require("gone"))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("gone");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{}x",
                "{\"code\"}",
                "{\"code\":}",
                "{\"code\":1,}",
                "{\"code\":1.5}",
                "{\"code\":99999999999}",
                "{\"code\":\"x\"}",
                "{\"a\":\"\\q\"}",
                "{\"a\":\"\\u12g4\"}",
                "{\"a\":\"open",
                "{\"a\":nope}",
                "{\"extFields\":[]}",
                "{\"extFields\":{\"a\":{}}}",
                "{\"extFields\":{\"a\" \"b\"}}",
                "{\"extFields\":{\"a\":\"b\" \"c\"}}",
                "{\"a\":[[[[[[[[1]]]]]]]]}"
            })
    void whatIsNoHeaderIsMalformed(String header) {
        assertThatThrownBy(() -> json(header)).isInstanceOf(MalformedFrame.class);
    }

    @Test
    void theDepthOfUnknownMembersIsLimited() throws MalformedFrame {
        assertThat(json("{\"code\":5,\"a\":[[[[[[[1]]]]]]]}").code()).isEqualTo(5);
    }

    @Test
    void theNumberOfFieldsIsLimited() {
        assertThat(Fixtures.decode(FrameEncoder.encode(fields(256))).fields().size())
                .isEqualTo(256);
        byte[] tooMany = FrameEncoder.encode(fields(257));
        assertThatThrownBy(() -> Command.decode(ByteBuffer.wrap(tooMany, 4, tooMany.length - 4)))
                .isInstanceOf(MalformedFrame.class)
                .hasMessageContaining("256");
        byte[] binary = FrameEncoder.encode(
                Command.like(fields(257)).serializeType(SerializeType.ROCKETMQ).build());
        assertThatThrownBy(() -> Command.decode(ByteBuffer.wrap(binary, 4, binary.length - 4)))
                .isInstanceOf(MalformedFrame.class)
                .hasMessageContaining("256");
    }

    private static Command fields(int count) {
        Command.Builder builder = Command.request(1);
        for (int i = 0; i < count; i++) {
            builder.field("k" + i, i);
        }
        return builder.build();
    }

    @Test
    void theLengthOfAKeyIsLimited() throws MalformedFrame {
        assertThat(json("{\"extFields\":{\"" + "k".repeat(255) + "\":1}}")
                        .fields()
                        .size())
                .isEqualTo(1);
        assertThatThrownBy(() -> json("{\"extFields\":{\"" + "k".repeat(256) + "\":1}}"))
                .isInstanceOf(MalformedFrame.class)
                .hasMessageContaining("255")
                .hasMessageContaining("256");
    }

    @Test
    void theLengthOfAHeaderIsLimitedBeforeItIsRead() {
        ByteBuffer frame = ByteBuffer.allocate(4 + 65_537).putInt(65_537).position(0);
        assertThatThrownBy(() -> Command.decode(frame))
                .isInstanceOf(MalformedFrame.class)
                .hasMessageContaining("65536")
                .hasMessageContaining("65537");
        ByteBuffer lying = ByteBuffer.allocate(8).putInt(0xFFFFFF).position(0);
        assertThatThrownBy(() -> Command.decode(lying)).isInstanceOf(MalformedFrame.class);
        ByteBuffer unknown = ByteBuffer.allocate(8).putInt(2 << 24).position(0);
        assertThatThrownBy(() -> Command.decode(unknown)).hasMessageContaining("header type");
        assertThatThrownBy(() -> Limits.checkFrameLength(16_777_217, Limits.MAX_FRAME_LENGTH))
                .hasMessageContaining("16777217");
        assertThatThrownBy(() -> Limits.checkFrameLength(-1, Limits.MAX_FRAME_LENGTH))
                .isInstanceOf(MalformedFrame.class);
    }

    @Test
    void cutOffCodesOfBinaryHeadersComeBack() {
        List<Integer> codes = new ArrayList<>(List.of(200050, 200056, 200070, 200079, 200151, 310, 30561));
        for (int code : codes) {
            byte[] frame = FrameEncoder.encode(
                    Command.request(code).serializeType(SerializeType.ROCKETMQ).build());
            assertThat(Fixtures.decode(frame).code()).isEqualTo(code);
        }
        byte[] reply = FrameEncoder.encode(
                Command.response(-1, null).serializeType(SerializeType.ROCKETMQ).build());
        assertThat(Fixtures.decode(reply).code()).isEqualTo(-1);
        assertThat(RequestCode.fromShort(3449)).isEqualTo(3449);
    }

    @Test
    void aBinaryEntryWithoutAValueIsNone() {
        byte[] frame = FrameEncoder.encode(Command.request(1)
                .field("a", "")
                .field("b", "x")
                .serializeType(SerializeType.ROCKETMQ)
                .build());
        Fields fields = Fixtures.decode(frame).fields();
        assertThat(fields.get("a")).isNull();
        assertThat(fields.toMap()).hasSize(1).containsEntry("b", "x");
    }

    @Test
    void aHeadCanBeWrittenForABodySentFromElsewhere() throws MalformedFrame {
        Command command = Command.response(0, "FOUND").field("x", 1).build();
        ByteBuffer target = ByteBuffer.allocateDirect(FrameEncoder.maxHeadLength(command) + 5);
        FrameEncoder.encodeHead(command, Integer.MIN_VALUE, 5, target);
        target.put("12345".getBytes(UTF_8)).flip();
        assertThat(target.getInt()).isEqualTo(target.remaining());
        Command seen = Command.decode(target);
        assertThat(seen.opaque()).isEqualTo(Integer.MIN_VALUE);
        assertThat(seen.bodyBytes()).isEqualTo("12345".getBytes(UTF_8));
    }

    @Test
    void theBodyIsAReadOnlyViewAndCanBeDetached() {
        byte[] frame = FrameEncoder.encode(
                Command.request(1).body("abc".getBytes(UTF_8)).build());
        Command command = Fixtures.decode(frame);
        Command detached = command.detached();
        frame[frame.length - 1] = 'z';
        assertThat(command.body().isReadOnly()).isTrue();
        assertThat(command.bodyBytes()).isEqualTo("abz".getBytes(UTF_8));
        assertThat(detached.bodyBytes()).isEqualTo("abc".getBytes(UTF_8));
    }

    @Test
    void maxHeadLengthIsEnoughForTheWorstTexts() {
        String nasty = "\u0001\uD83D\uDE00\u20ac\"".repeat(500);
        Command command = Command.response(Integer.MIN_VALUE, null)
                .remark(nasty)
                .opaque(Integer.MIN_VALUE)
                .version(Integer.MIN_VALUE)
                .field(nasty.substring(0, 5), nasty)
                .build();
        for (SerializeType type : SerializeType.values()) {
            Command typed = Command.like(command).serializeType(type).build();
            writeHead(typed);
            Command seen = Fixtures.decode(FrameEncoder.encode(typed));
            assertThat(seen.remark()).isEqualTo(nasty);
            assertThat(seen.fields().toMap()).isEqualTo(command.fields().toMap());
            for (SerializeType other : SerializeType.values()) {
                writeHead(Command.like(seen).serializeType(other).build());
            }
        }
    }

    /** Fails when the greatest length is too small. */
    private static void writeHead(Command command) {
        ByteBuffer target = ByteBuffer.allocate(FrameEncoder.maxHeadLength(command));
        FrameEncoder.encodeHead(command, command.opaque(), command.bodyLength(), target);
    }

    @Test
    void aCommandLikeAnotherDiffersInWhatWasChangedOnly() {
        Command command = Command.request(11)
                .oneway()
                .opaque(7)
                .version(3)
                .language((byte) 4)
                .remark("r")
                .field("a", "1")
                .body("abc".getBytes(UTF_8))
                .build();
        for (SerializeType type : SerializeType.values()) {
            Command seen = Fixtures.decode(FrameEncoder.encode(
                    Command.like(command).serializeType(type).build()));
            Command changed = Fixtures.decode(FrameEncoder.encode(
                    Command.like(seen).opaque(8).field("b", "\"2\"").build()));
            assertThat(changed.toString())
                    .isEqualTo(seen.toString().replace("opaque 7", "opaque 8").replace("1 fields", "2 fields"));
            assertThat(changed.version()).isEqualTo(3);
            assertThat(changed.language()).isEqualTo((byte) 4);
            assertThat(changed.serializeType()).isEqualTo(type);
            assertThat(changed.fields().toMap()).isEqualTo(Map.of("a", "1", "b", "\"2\""));
            assertThat(changed.bodyBytes()).isEqualTo(command.bodyBytes());
            Command bare = seen.withoutContent();
            assertThat(bare.toString()).isEqualTo("request 11 opaque 7 one-way, 0 fields, 0 bytes of body");
            assertThat(seen.bodyLength()).isEqualTo(3);
        }
    }
}
