/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Writes commands as frames, laid out as {@link Command} and {@link HeaderScan} draw them; what is written here is read there again. The head
 * goes straight into the buffer that leaves, and the opaque is an argument: a reply gets the number of its request, and a call one of its
 * connection, without a copy of the command.
 */
public final class FrameEncoder {
    private static final int WORDS_LENGTH = 8;
    private static final int MAX_JSON_FIXED_LENGTH = 192;
    private static final int MAX_BINARY_FIXED_LENGTH = 21;

    private static final byte[] JSON_CODE = ascii("{\"code\":");
    private static final byte[] JSON_FIELDS = ascii(",\"extFields\":{");
    private static final byte[] JSON_FLAG = ascii("},\"flag\":");
    private static final byte[] JSON_LANGUAGE = ascii(",\"language\":\"");
    private static final byte[] JSON_OPAQUE = ascii("\",\"opaque\":");
    private static final byte[] JSON_REMARK = ascii(",\"remark\":\"");
    private static final byte[] JSON_REMARK_END = ascii("\"");
    private static final byte[] JSON_TYPE = ascii(",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");

    private FrameEncoder() {}

    /** At most this many bytes are written by {@link #encodeHead}. */
    public static int maxHeadLength(Command command) {
        RawFields fields = command.rawFields();
        String remark = command.remark();
        if (command.serializeType() == SerializeType.JSON) {
            // A byte of a JSON field stays one; one of a binary field may need an escape of six.
            int growth = fields.encoding() == SerializeType.JSON ? 1 : 6;
            int remarkLength = remark == null ? 0 : remark.length() * 6;
            return WORDS_LENGTH + MAX_JSON_FIXED_LENGTH + remarkLength + fields.length() * growth;
        }
        int remarkLength = remark == null ? 0 : remark.length() * 3;
        // A JSON entry takes at least five bytes of punctuation, a binary one six of lengths.
        return WORDS_LENGTH + MAX_BINARY_FIXED_LENGTH + remarkLength + fields.length() + fields.size() * 6;
    }

    /**
     * Writes both words and the header into the big-endian target at its position; the body has to follow.
     *
     * @param opaque goes on the wire instead of the command's own
     * @param bodyLength of the body that follows: the command's own, or one that is sent from elsewhere, such as slices of the log
     */
    public static void encodeHead(Command command, int opaque, int bodyLength, ByteBuffer target) {
        int start = target.position();
        target.position(start + WORDS_LENGTH);
        if (command.serializeType() == SerializeType.JSON) {
            writeJson(command, opaque, target);
        } else {
            writeBinary(command, opaque, target);
        }
        int headerLength = target.position() - start - WORDS_LENGTH;
        target.putInt(start, 4 + headerLength + bodyLength);
        target.putInt(start + 4, command.serializeType().code() << 24 | headerLength);
    }

    /** The whole frame, length word included, in a new array. */
    public static byte[] encode(Command command) {
        ByteBuffer target = ByteBuffer.allocate(maxHeadLength(command) + command.bodyLength());
        encodeHead(command, command.opaque(), command.bodyLength(), target);
        target.put(command.body());
        byte[] frame = new byte[target.position()];
        target.get(0, frame);
        return frame;
    }

    private static void writeJson(Command command, int opaque, ByteBuffer out) {
        RawFields fields = command.rawFields();
        String remark = command.remark();
        out.put(JSON_CODE);
        putNumber(out, command.code());
        out.put(JSON_FIELDS);
        RawFields json = fields.encoding() == SerializeType.JSON ? fields : toJson(fields);
        out.put(json.array(), json.from(), json.length());
        out.put(JSON_FLAG);
        putNumber(out, command.flag());
        out.put(JSON_LANGUAGE).put(Language.encoded(command.language())).put(JSON_OPAQUE);
        putNumber(out, opaque);
        if (remark != null) {
            Utf8Sink text = new Utf8Sink(remark.length() + 16);
            text.putEscaped(remark);
            out.put(JSON_REMARK).put(text.array(), 0, text.size()).put(JSON_REMARK_END);
        }
        out.put(JSON_TYPE);
        putNumber(out, command.version());
        out.put((byte) '}');
    }

    private static void writeBinary(Command command, int opaque, ByteBuffer out) {
        RawFields fields = command.rawFields();
        String remark = command.remark();
        out.putShort((short) command.code())
                .put(command.language())
                .putShort((short) command.version())
                .putInt(opaque)
                .putInt(command.flag());
        byte[] text = remark == null ? new byte[0] : remark.getBytes(StandardCharsets.UTF_8);
        out.putInt(text.length).put(text);
        if (fields.encoding() == SerializeType.ROCKETMQ) {
            out.putInt(fields.length()).put(fields.array(), fields.from(), fields.length());
            return;
        }
        int lengthAt = out.position();
        out.putInt(0);
        fields.forEach((key, value) -> {
            byte[] keyBytes = key.copyBytesUnescaped();
            byte[] valueBytes = value.copyBytesUnescaped();
            out.putShort((short) keyBytes.length).put(keyBytes);
            out.putInt(valueBytes.length).put(valueBytes);
        });
        out.putInt(lengthAt, out.position() - lengthAt - 4);
    }

    private static RawFields toJson(RawFields binary) {
        JsonFieldSink sink = new JsonFieldSink(binary.length() * 2);
        binary.forEach((key, value) -> sink.put(key.toString(), value.copyBytesUnescaped()));
        return sink.toFields();
    }

    private static void putNumber(ByteBuffer out, int value) {
        if (value < 0) {
            out.put((byte) '-');
        }
        int divisor = 1;
        for (int rest = value / 10; rest != 0; rest /= 10) {
            divisor *= 10;
        }
        for (; divisor != 0; divisor /= 10) {
            out.put((byte) ('0' + Math.abs(value / divisor % 10)));
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
