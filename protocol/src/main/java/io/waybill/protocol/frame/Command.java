/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * One frame, a request or a response, in either direction. Immutable: it owns its header bytes, so fields and remark stay readable for ever;
 * only the body of a command decoded from a socket's buffer ends with that buffer.
 *
 * <pre>
 *  0  length 4          bytes that follow
 *  4  type and length 4 top byte: header encoding ({@link SerializeType}); low 24 bits: bytes of the header
 *  8  header
 *     body              the rest, may be empty
 * </pre>
 */
public final class Command {
    public static final int FLAG_RESPONSE = 1;
    public static final int FLAG_ONEWAY = 2;
    /** The version this side claims: clients from 4.9.4 on get standard JSON, and brokers below 4.1 no SQL pulls. */
    public static final int CURRENT_VERSION = 513;

    /** Characters of the remark of a response made here. */
    public static final int MAX_REMARK_LENGTH = 1024;

    static final int MIN_FRAME_LENGTH = 4;

    private static final int WORDS_LENGTH = 8;
    private static final int MAX_JSON_FIXED_LENGTH = 192;
    private static final int MAX_BINARY_FIXED_LENGTH = 21;
    private static final ByteBuffer NO_BODY = ByteBuffer.allocate(0).asReadOnlyBuffer();

    private static final byte[] JSON_CODE = ascii("{\"code\":");
    private static final byte[] JSON_FIELDS = ascii(",\"extFields\":{");
    private static final byte[] JSON_FLAG = ascii("},\"flag\":");
    private static final byte[] JSON_LANGUAGE = ascii(",\"language\":\"");
    private static final byte[] JSON_OPAQUE = ascii("\",\"opaque\":");
    private static final byte[] JSON_REMARK = ascii(",\"remark\":\"");
    private static final byte[] JSON_REMARK_END = ascii("\"");
    private static final byte[] JSON_TYPE = ascii(",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");

    private final int code;
    private final int opaque;
    private final int flag;
    private final int version;
    private final byte language;
    private final SerializeType serializeType;
    private final String remark;
    private final RawFields fields;
    private final ByteBuffer body;

    private Command(
            int code,
            int opaque,
            int flag,
            int version,
            byte language,
            SerializeType serializeType,
            String remark,
            RawFields fields,
            ByteBuffer body) {
        this.code = code;
        this.opaque = opaque;
        this.flag = flag;
        this.version = version;
        this.language = language;
        this.serializeType = serializeType;
        this.remark = remark;
        this.fields = fields;
        this.body = body;
    }

    /**
     * Reads a frame.
     *
     * @param frame the bytes after the length word, from position to limit; not moved. The body is a view of it
     * @throws MalformedFrame when it is none or breaks one of the {@link Limits}; the connection has to be closed
     */
    public static Command decode(ByteBuffer frame) throws MalformedFrame {
        Limits.checkFrameLength(frame.remaining(), Limits.MAX_FRAME_LENGTH);
        int word = frame.getInt(frame.position());
        int type = word >>> 24;
        int headerLength = word & 0xFFFFFF;
        int room = frame.remaining() - 4;
        if (type > SerializeType.ROCKETMQ.code()) {
            throw new MalformedFrame("header type", "0 (JSON) or 1 (ROCKETMQ)", Integer.toString(type));
        }
        if (headerLength > room || headerLength > Limits.MAX_HEADER_LENGTH) {
            throw new MalformedFrame(
                    "header length",
                    "at most " + Math.min(room, Limits.MAX_HEADER_LENGTH) + " bytes",
                    headerLength + " bytes");
        }
        byte[] header = new byte[headerLength];
        int headerFrom = frame.position() + 4;
        frame.get(headerFrom, header);
        HeaderScan scan = new HeaderScan(header);
        SerializeType encoding = type == 0 ? SerializeType.JSON : SerializeType.ROCKETMQ;
        if (encoding == SerializeType.JSON) {
            scan.readJson();
        } else {
            scan.readBinary();
        }
        int bodyLength = room - headerLength;
        return new Command(
                scan.code,
                scan.opaque,
                scan.flag,
                scan.version,
                scan.language,
                encoding,
                scan.remark,
                scan.fields,
                bodyLength == 0 ? NO_BODY : frame.slice(headerFrom + headerLength, bodyLength));
    }

    public static Builder request(int code) {
        return new Builder(code, 0, null);
    }

    /**
     * A response; the carrier fills in the opaque of the request. The remark may be null; what is beyond {@value #MAX_REMARK_LENGTH} characters
     * is cut off, since it may repeat what the peer sent.
     */
    public static Builder response(int code, String remark) {
        boolean tooLong = remark != null && remark.length() > MAX_REMARK_LENGTH;
        return new Builder(code, FLAG_RESPONSE, tooLong ? remark.substring(0, MAX_REMARK_LENGTH - 3) + "..." : remark);
    }

    /** The request code, or of a response the response code. */
    public int code() {
        return code;
    }

    public int opaque() {
        return opaque;
    }

    public int flag() {
        return flag;
    }

    public boolean isResponse() {
        return (flag & FLAG_RESPONSE) != 0;
    }

    public boolean isOneway() {
        return (flag & FLAG_ONEWAY) != 0;
    }

    public int version() {
        return version;
    }

    /** A number of {@link Language}. */
    public byte language() {
        return language;
    }

    /** May be null. */
    public String remark() {
        return remark;
    }

    public SerializeType serializeType() {
        return serializeType;
    }

    /** Never null. */
    public Fields fields() {
        return fields;
    }

    /**
     * A new read-only view of the body, possibly empty, never null. Of a request from a socket it is valid only until the handler returns;
     * copy what must live longer.
     */
    public ByteBuffer body() {
        return body.remaining() == 0 ? NO_BODY : body.asReadOnlyBuffer();
    }

    public int bodyLength() {
        return body.remaining();
    }

    /** A copy of the body. */
    public byte[] bodyBytes() {
        byte[] copy = new byte[body.remaining()];
        body.get(body.position(), copy);
        return copy;
    }

    /** The same command with another opaque; header and body bytes are shared. */
    public Command withOpaque(int value) {
        return new Command(code, value, flag, version, language, serializeType, remark, fields, body);
    }

    /** The same command without remark, fields and body, which it no longer holds. */
    public Command withoutContent() {
        return new Command(code, opaque, flag, version, language, serializeType, null, RawFields.NONE, NO_BODY);
    }

    /** The same command with other flag bits; header and body bytes are shared. */
    public Command withFlag(int value) {
        return new Command(code, opaque, value, version, language, serializeType, remark, fields, body);
    }

    /** The same command with another header encoding; the fields are translated when it is written. */
    public Command withSerializeType(SerializeType type) {
        return new Command(code, opaque, flag, version, language, type, remark, fields, body);
    }

    /** The same command with another body. */
    public Command withBody(ByteBuffer value) {
        return new Command(code, opaque, flag, version, language, serializeType, remark, fields, value.slice());
    }

    /** The same command with a body of its own, independent of any socket's buffer. */
    public Command detached() {
        return body.remaining() == 0 ? this : withBody(ByteBuffer.wrap(bodyBytes()));
    }

    /** At most this many bytes are written by {@link #encodeHead}. */
    public int maxHeadLength() {
        if (serializeType == SerializeType.JSON) {
            int growth = fields.encoding() == SerializeType.JSON ? 1 : 6;
            int remarkLength = remark == null ? 0 : remark.length() * 6;
            return WORDS_LENGTH + MAX_JSON_FIXED_LENGTH + remarkLength + fields.length() * growth;
        }
        int remarkLength = remark == null ? 0 : remark.length() * 3;
        // A JSON entry takes at least five bytes of punctuation, a binary one six of lengths.
        return WORDS_LENGTH + MAX_BINARY_FIXED_LENGTH + remarkLength + fields.length() + fields.size() * 6;
    }

    /** Writes both words and the header into the big-endian target at its position; the body has to follow. */
    public void encodeHead(ByteBuffer target) {
        encodeHead(target, body.remaining());
    }

    /** Like {@link #encodeHead(ByteBuffer)} for a body that is sent from elsewhere, such as slices of the log. */
    public void encodeHead(ByteBuffer target, int bodyLength) {
        int start = target.position();
        target.position(start + WORDS_LENGTH);
        if (serializeType == SerializeType.JSON) {
            writeJson(target);
        } else {
            writeBinary(target);
        }
        int headerLength = target.position() - start - WORDS_LENGTH;
        target.putInt(start, 4 + headerLength + bodyLength);
        target.putInt(start + 4, serializeType.code() << 24 | headerLength);
    }

    /** The whole frame, length word included, in a new array. */
    public byte[] encode() {
        ByteBuffer target = ByteBuffer.allocate(maxHeadLength() + body.remaining());
        encodeHead(target);
        target.put(body.duplicate());
        byte[] frame = new byte[target.position()];
        target.get(0, frame);
        return frame;
    }

    @Override
    public String toString() {
        return (isResponse() ? "response " : "request ") + code + " opaque " + opaque
                + (isOneway() ? " one-way" : "") + (remark == null ? "" : " \"" + remark + "\"") + ", "
                + fields.size() + " fields, " + body.remaining() + " bytes of body";
    }

    private void writeJson(ByteBuffer out) {
        out.put(JSON_CODE);
        putNumber(out, code);
        out.put(JSON_FIELDS);
        RawFields json = fields.encoding() == SerializeType.JSON ? fields : toJson(fields);
        out.put(json.array(), json.from(), json.length());
        out.put(JSON_FLAG);
        putNumber(out, flag);
        out.put(JSON_LANGUAGE).put(Language.encoded(language)).put(JSON_OPAQUE);
        putNumber(out, opaque);
        if (remark != null) {
            Utf8Sink text = new Utf8Sink(remark.length() + 16);
            text.putEscaped(remark);
            out.put(JSON_REMARK).put(text.array(), 0, text.size()).put(JSON_REMARK_END);
        }
        out.put(JSON_TYPE);
        putNumber(out, version);
        out.put((byte) '}');
    }

    private void writeBinary(ByteBuffer out) {
        out.putShort((short) code)
                .put(language)
                .putShort((short) version)
                .putInt(opaque)
                .putInt(flag);
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

    /** Gathers one command. Fields are turned into bytes as they come. Not thread-safe. */
    public static final class Builder {
        private final int code;
        private int flag;
        private int opaque;
        private int version = CURRENT_VERSION;
        private byte language = Language.JAVA;
        private SerializeType serializeType = SerializeType.JSON;
        private String remark;
        private JsonFieldSink sink;
        private ByteBuffer body = NO_BODY;

        private Builder(int code, int flag, String remark) {
            this.code = code;
            this.flag = flag;
            this.remark = remark;
        }

        public Builder opaque(int value) {
            this.opaque = value;
            return this;
        }

        /** No response is wanted. */
        public Builder oneway() {
            this.flag |= FLAG_ONEWAY;
            return this;
        }

        public Builder version(int value) {
            this.version = value;
            return this;
        }

        public Builder language(byte value) {
            this.language = value;
            return this;
        }

        public Builder remark(String value) {
            this.remark = value;
            return this;
        }

        /** A null value adds nothing. */
        public Builder field(String key, String value) {
            sink().put(key, value);
            return this;
        }

        public Builder field(String key, long value) {
            sink().put(key, value);
            return this;
        }

        public Builder field(String key, boolean value) {
            sink().put(key, value);
            return this;
        }

        /** Adds all fields of a header; it is read now and not kept. */
        public Builder header(HeaderWriter writer) {
            writer.write(sink());
            return this;
        }

        /** The bytes from position to limit, not copied: they must stay unchanged until the command was written. */
        public Builder body(ByteBuffer value) {
            this.body = value.slice();
            return this;
        }

        /** Not copied: it must stay unchanged until the command was written. */
        public Builder body(byte[] value) {
            this.body = ByteBuffer.wrap(value);
            return this;
        }

        public Builder serializeType(SerializeType value) {
            this.serializeType = value;
            return this;
        }

        public Command build() {
            return new Command(
                    code,
                    opaque,
                    flag,
                    version,
                    language,
                    serializeType,
                    remark,
                    sink == null ? RawFields.NONE : sink.toFields(),
                    body);
        }

        private JsonFieldSink sink() {
            if (sink == null) {
                sink = new JsonFieldSink(256);
            }
            return sink;
        }
    }
}
