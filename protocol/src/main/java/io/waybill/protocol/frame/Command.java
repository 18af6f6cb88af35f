/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.nio.ByteBuffer;

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

    private static final ByteBuffer NO_BODY = ByteBuffer.allocate(0).asReadOnlyBuffer();

    private final int code;
    private final int opaque;
    private final int flag;
    private final int version;
    private final byte language;
    private final SerializeType serializeType;
    private final String remark;
    private final RawFields fields;
    private final ByteBuffer body;

    /** What was read from a header. */
    private Command(HeaderScan header, SerializeType serializeType, ByteBuffer body) {
        this.code = header.code;
        this.opaque = header.opaque;
        this.flag = header.flag;
        this.version = header.version;
        this.language = header.language;
        this.serializeType = serializeType;
        this.remark = header.remark;
        this.fields = header.fields;
        this.body = body;
    }

    private Command(Builder parts) {
        this.code = parts.code;
        this.opaque = parts.opaque;
        this.flag = parts.flag;
        this.version = parts.version;
        this.language = parts.language;
        this.serializeType = parts.serializeType;
        this.remark = parts.remark;
        this.fields = parts.sink == null ? parts.fields : parts.sink.toFields();
        this.body = parts.body;
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
        ByteBuffer body = bodyLength == 0 ? NO_BODY : frame.slice(headerFrom + headerLength, bodyLength);
        return new Command(scan, encoding, body);
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

    /** A command that equals another until something is changed; the bytes of the header and the body are shared. */
    public static Builder like(Command other) {
        Builder parts = new Builder(other.code, other.flag, other.remark);
        parts.opaque = other.opaque;
        parts.version = other.version;
        parts.language = other.language;
        parts.serializeType = other.serializeType;
        parts.fields = other.fields;
        parts.body = other.body;
        return parts;
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

    RawFields rawFields() {
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

    /** The same command without remark, fields and body, which it no longer holds. */
    public Command withoutContent() {
        Builder parts = like(this);
        parts.remark = null;
        parts.fields = RawFields.NONE;
        parts.body = NO_BODY;
        return parts.build();
    }

    /** The same command with a body of its own, independent of any socket's buffer. */
    public Command detached() {
        return body.remaining() == 0 ? this : like(this).body(bodyBytes()).build();
    }

    @Override
    public String toString() {
        return (isResponse() ? "response " : "request ") + code + " opaque " + opaque
                + (isOneway() ? " one-way" : "") + (remark == null ? "" : " \"" + remark + "\"") + ", "
                + fields.size() + " fields, " + body.remaining() + " bytes of body";
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
        private RawFields fields = RawFields.NONE;
        private JsonFieldSink sink; // null = the fields stay as they are
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
            return new Command(this);
        }

        private JsonFieldSink sink() {
            if (sink == null) {
                sink = new JsonFieldSink(256);
                if (fields.size() > 0) {
                    fields.forEach((key, value) -> sink.put(key.toString(), value.copyBytesUnescaped()));
                }
            }
            return sink;
        }
    }
}
